"""Programs that start commands from an option, a setting or a variable: `tar -I command`.

Their commands are read as code, followed by more words that only the program chooses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ..values.tables import table
from . import files
from .stream import OUTSIDE, Stream
from .term import Term, known, merged

if TYPE_CHECKING:
    from .commands import Walk

# Variables that name a command for others to start. Source: manuals of git, less, man, sudo, Bash.
# Variables out of which programs read code when they start. Source: their manual pages.
STARTING: Final = frozenset({"BASH_ENV", "ENV", "LD_PRELOAD", "PROMPT_COMMAND", "PERL5OPT"})
VARIABLES: Final = table(
    "EDITOR VISUAL PAGER MANPAGER LESSOPEN LESSCLOSE BROWSER SUDO_ASKPASS SSH_ASKPASS FCEDIT "
    "RSYNC_RSH GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_SSH_COMMAND GIT_SSH GIT_ASKPASS "
    "GIT_EXTERNAL_DIFF GIT_PROXY_COMMAND TAR_OPTIONS"
)

# For each program, options whose value is a command: joined by `=`, attached, or the next word.
# Source: the manual pages of GNU tar 1.34, coreutils 9.1, Info-ZIP 3.0, rsync 3.2.
_OPTIONS: Final = {
    "tar": re.compile(
        r"(?:--use-compress-program|--to-command|--rsh-command|--info-script|--new-volume-script"
        r"|-[a-zA-Z]*?[IF])(=?)(.*)",
        re.DOTALL,
    ),
    "split": re.compile(r"--filter(=?)(.*)", re.DOTALL),
    "sort": re.compile(r"--compress-program(=?)(.*)", re.DOTALL),
    "zip": re.compile(r"(?:-TT|--unzip-command)(=?)(.*)", re.DOTALL),
    "rsync": re.compile(r"(?:--rsh|-[a-zA-Z]*?e)(=?)(.*)", re.DOTALL),
}
_CHECKPOINT: Final = re.compile(r"--checkpoint-action=exec=(.*)", re.DOTALL)
_OF_GIT: Final = re.compile(
    r"(?:core\.(?:editor|pager|fsmonitor|sshcommand|askpass|hookspath)|sequence\.editor"
    r"|pager\.[a-z-]+|alias\..+?|diff\..*(?:external|command|textconv)|filter\..+"
    r"|credential\.(?:.*\.)?helper|(?:merge|mergetool|difftool)\..*(?:cmd|driver)|gpg\.(?:.*\.)?program"
    r"|interactive\.difffilter|ssh\.variant|uploadpack\.packobjectshook)(?:=(.*))?",
    re.DOTALL | re.IGNORECASE,
)
_OF_EDITORS: Final = re.compile(
    r"!|\bsystem|\bterm(?:inal)?\b|\bjob_start|\b(?:py|lua|perl|ruby)", re.ASCII
)
_OF_SQLITE: Final = re.compile(r"\.(?:sh|sy|once|excel|output|read|import)|\bedit\s*\(")
_OF_GDB: Final = re.compile(r"-(?:ex|eval-command|x|command|iex|ix).*")
_MORE: Final = ' "$@"'
_MAKEFILES: Final = ("GNUmakefile", "makefile", "Makefile")


def hooked(walk: Walk, code: Term) -> None:
    """A command that a program starts, with words of its own behind it."""
    outer = walk.scope
    walk.scope = outer.inner()
    walk.scope.set_positional(None)
    walk.code_of([Term(tuple(merged([*reading, _MORE]) for reading in code.readings))], OUTSIDE)
    walk.scope = outer


def hooks(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    """The commands that a program starts because of one of its own words."""
    name = terms[0].base or ""
    if name in _OPTIONS:
        _options(walk, terms, _OPTIONS[name])
    elif name == "git":
        _git(walk, terms)
    elif name in ("make", "gmake"):
        _make(walk, terms, stream)
    elif name in ("vim", "vi", "ex", "view", "nvim", "gvim", "ed"):
        _editor(walk, terms, stream)
    elif name == "sqlite3":
        if any(_OF_SQLITE.search(term.start) for term in terms[1:]) or _is_told(stream, _OF_SQLITE):
            walk.unknown()
    elif name == "gdb":
        if any(_OF_GDB.fullmatch(term.text or "") for term in terms[1:]):
            walk.unknown()
    elif name == "run-parts" and len(terms) > 1:
        walk.unknown()


def _options(walk: Walk, terms: Sequence[Term], pattern: re.Pattern[str]) -> None:
    for term, after in pairwise([*terms[1:], known("")]):
        action = _CHECKPOINT.fullmatch(term.text or "")
        found = pattern.fullmatch(term.text or "") if term.start.startswith("-") else None
        if action is not None:
            hooked(walk, known(action[1]))
        elif found is not None:
            hooked(walk, known(found[2]) if found[1] or found[2] else after)


def _git(walk: Walk, terms: Sequence[Term]) -> None:
    is_setting = any(term.text == "config" for term in terms[1:3]) and not any(
        term.text in ("--get", "--get-all", "--list", "-l") for term in terms[2:]
    )
    for before, term, after in zip(terms, terms[1:], [*terms[2:], known("")], strict=False):
        text = term.text or ""
        found = _OF_GIT.fullmatch(text)
        if found is not None and (is_setting or (before.text == "-c" and "=" in text)):
            if "hookspath" in text.lower():
                walk.unknown()
            else:
                value = known(found[1]) if found[1] is not None else after
                hooked(walk, known((value.text or "").lstrip("!")) if value.text else value)
        elif text in ("-x", "--exec", "--extcmd", "--upload-pack", "--receive-pack"):
            hooked(walk, after)
        elif text.startswith(("--exec=", "--extcmd=", "--upload-pack=", "--receive-pack=")):
            hooked(walk, known(text.partition("=")[2]))
    verbs = [term.text for term in terms[1:]]
    if any(path.find(".git/") >= 0 or "hooks" in path for path in walk.scope.files):
        walk.unknown()
    for pair in (("bisect", "run"), ("submodule", "foreach"), ("filter-branch",)):
        if all(verb in verbs for verb in pair):
            at = verbs.index(pair[-1]) + 2
            walk.code_of(terms[at:], OUTSIDE) if terms[at:] else walk.unknown()


def _make(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    for term, after in pairwise([*terms[1:], known("")]):
        if term.start.startswith(("--eval", "SHELL=", "-E")):
            walk.unknown()
        if term.start.startswith(("-f", "--file", "--makefile")):
            text = term.text or ""
            file = known(text[2:]) if text[2:] and text[1] != "-" else after
            is_stream = file.text is None or file.text == "-" or file.text.startswith("/dev/")
            if is_stream or files.read_by(walk, file) is not None:
                walk.unknown()
    if any(files.read_by(walk, known(name)) is not None for name in _MAKEFILES):
        walk.unknown()


def _editor(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    for term, before in zip(terms[1:], terms, strict=False):
        is_code = before.text in ("-c", "--cmd", "-S") or term.start.startswith(
            ("+", "-c", "--cmd")
        )
        if is_code and (term.text is None or _OF_EDITORS.search(term.text)):
            walk.unknown()
    is_script = any(term.text in ("-s", "-es", "-Es") for term in terms[1:])
    if (terms[0].base in ("ex", "ed") or is_script) and _is_told(stream, _OF_EDITORS):
        walk.unknown()


def _is_told(stream: Stream, pattern: re.Pattern[str]) -> bool:
    """True if an input may make it start a command."""
    if stream.kind == "known":
        return pattern.search(stream.text) is not None
    return stream.kind not in ("outside", "file")
