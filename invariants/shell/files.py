"""Files that a shell text writes and then runs: `echo 'rm -rf /' > f; sh f`.

The content of a file that the text has not written is unknown here: it is a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ..values.tables import table
from .paths import resolved
from .stream import OUTSIDE, UNKNOWN, Stream
from .term import Term

if TYPE_CHECKING:
    from .ast import Redirect
    from .commands import Walk
    from .scope import Scope

FILES_MAX: Final = 200  # Chosen: files that one text writes; further ones may be any.
FILE_CHARACTERS_MAX: Final = 1 << 14  # Chosen: text kept of one file.

# Programs that write the files among their operands. Source: their manual pages.
_COPIERS: Final = table("cp mv ln install rsync scp")
_WRITERS: Final = table("tee dd mkfifo curl wget patch sponge mknod")
_CODE: Final = re.compile(r"(?:python|perl|ruby|node|php|lua|awk|gawk|mawk|sed)[0-9.]*")
_NAME_IN_CODE: Final = re.compile(r"[\"'> ]([A-Za-z0-9_./-]{1,200})")
_VALUE: Final = re.compile(r"(?:of=|--[a-z-]+=|-[a-zA-Z])?(.+)", re.DOTALL)


def redirected(scope: Scope, targets: Iterable[tuple[Redirect, Term]], output: Stream) -> None:
    """Stores the output of a command in the files of its redirections."""
    for redirect, target in targets:
        if redirect.operator.startswith((">", "<>")):
            is_output = redirect.descriptor in (-1, 1) and redirect.operator != "<>"
            _keep(scope, target, output if is_output else UNKNOWN, redirect.operator)


def takes_output(redirect: Redirect, target: Term) -> bool:
    """Does nothing of the command's output go on to a pipe?"""
    is_device = target.start.startswith(("/dev/", "/proc/")) and target.text != "/dev/null"
    is_known = target.text is not None and not is_device
    return redirect.operator in (">", ">>") and redirect.descriptor in (-1, 1) and is_known


def written(scope: Scope, terms: Sequence[Term], stream: Stream) -> None:
    """Stores the text that a command reading `stream` writes into the files among its words."""
    name = terms[0].base or ""
    if name in _COPIERS:
        _copied(scope, terms[1:])
    elif name in _WRITERS:
        for term in terms[1:]:
            content = stream if name == "tee" and "-a" not in [t.text for t in terms] else UNKNOWN
            _keep(scope, _operand(term), content, ">")
            if name in ("curl", "wget") and (base := (term.text or "").rpartition("/")[2]):
                _keep(scope, Term(((base,),)), UNKNOWN, ">")
    elif _CODE.fullmatch(name):
        for term in terms[1:]:
            if not re.search(r"open|write|print|>", term.text or ""):
                continue
            for found in _NAME_IN_CODE.finditer(term.text or ""):
                _keep(scope, Term(((found[1],),)), UNKNOWN, ">")


def run(walk: Walk, head: Term) -> None:
    """A command whose program is a file that the text has written."""
    text, content = head.text, None
    if text is None or not walk.scope.files:
        return
    if "/" in text:
        content = _content(walk.scope, text)
    elif walk.scope.is_path_set:
        ends = [path for path in walk.scope.files if path.rpartition("/")[2] == text]
        content = walk.scope.files[ends[0]] if ends else None
    if content is None:
        return
    is_other = content.text.startswith("#!") and "sh" not in content.text.partition("\n")[0]
    if content.kind == "known" and not is_other:
        walk.code(content.text, OUTSIDE)
    else:
        walk.unknown()


def read_by(walk: Walk, term: Term) -> Stream | None:
    """The content of the file that this word names, if the text has written it."""
    text = term.text
    return None if text is None else _content(walk.scope, text)


def _content(scope: Scope, text: str) -> Stream | None:
    path = _path(text, scope)
    found: Stream | None = scope.files.get(path)
    if found is None and scope.files:
        # A relative path may lead to the same file as an absolute one.
        is_absolute, base = path.startswith(("/", "~")), path.rpartition("/")[2]
        for other in scope.files:
            is_base = other.rpartition("/")[2] == base
            if is_base and other.startswith(("/", "~")) != is_absolute:
                return UNKNOWN
    return found


def _operand(term: Term) -> Term:
    found = _VALUE.fullmatch(term.text or "")
    return Term(((found[1],),)) if found is not None else term


def _copied(scope: Scope, operands: Sequence[Term]) -> None:
    paths = [term.text for term in operands if not term.start.startswith("-")]
    if len(paths) < 2 or paths[-1] is None:
        return
    for source in paths[:-1]:
        path = None if source is None else _path(source, scope)
        content = scope.files.get(path, UNKNOWN) if path is not None else UNKNOWN
        _keep(scope, Term(((paths[-1],),)), content, ">")
        if path is not None:
            inside = f"{paths[-1]}/{path.rpartition('/')[2]}"
            _keep(scope, Term(((inside,),)), content, ">")


def _path(text: str, scope: Scope) -> str:
    return "".join(map(str, resolved((text,), scope.directory)))


def _keep(scope: Scope, target: Term, content: Stream, operator: str) -> None:
    if target.text is None or target.text.startswith("/dev/"):
        return
    path = _path(target.text, scope)
    is_added = operator in (">>", "&>>") and path in scope.files
    is_long = len(content.text) > FILE_CHARACTERS_MAX
    if len(scope.files) >= FILES_MAX and path not in scope.files:
        return
    is_other = scope.files.get(path, content) != content
    # The choice between two possible contents is not decided here.
    if is_added or is_other or is_long or content.kind != "known":
        content = UNKNOWN
    scope.files[path] = content
