"""Commands that programs start in turn: shells, wrappers, `eval`, `xargs`, `find`, and similar.

Each takes the walk, the words of its command and its input. `start` finds the one for a command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from ..values.tables import table
from ..values.unknown_text import ANY
from ..values.value import Failure
from . import builtins_of_shell as builtins
from .commands import Walk
from .files import read_by
from .hooks import hooks
from .interpreters import INTERPRETERS, interpreter
from .parser import parse
from .paths import resolved
from .redirections import FED, found_below, roots_of_find
from .stream import OUTSIDE, Stream
from .term import SOME_PROGRAM, Term, known, merged
from .within import process_of
from .word import Word
from .wrappers import ASSIGNMENT, JOINERS, RUNNERS, WRAPPERS, command_start
from .xargs import filled_in, xargs

RUNNER_WORDS_MAX: Final = 64  # Chosen: words of one `docker run ...`; keeps the sum linear.

_SHELLS: Final = table("sh bash dash zsh ksh ksh93 mksh ash rbash lksh yash posh")
_FOREIGN_SHELLS: Final = table(
    "fish csh tcsh pwsh pwsh.exe powershell powershell.exe cmd cmd.exe nu xonsh elvish"
)
_CONTAINER_CLIENTS: Final = frozenset({"docker", "podman", "nerdctl", "kubectl", "oc"})
_CONTAINER_VERBS: Final = frozenset({"exec", "run", "create", "debug", "rsh"})
_FIND_STARTS: Final = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_FIND_FILTERS: Final = re.compile(
    r"-(?:i?l?name|i?(?:whole)?path|i?regex|mindepth|[acm](?:time|min)|newer.*"
    r"|size|empty|perm|user|group|links|inum|not)$|!"
)
_SHELL_LONG_FLAGS: Final = table(
    "--login --norc --noprofile --posix --restricted --verbose --noediting --debugger"
)
_STANDARD_INPUTS: Final = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_BLANK_OR_SIGN: Final = frozenset(" \t\n;&|<>()$`'\"\\")
# Programs that start a shell if they are given no command.
_SHELL_BY_DEFAULT: Final = table(
    "sudo doas chroot unshare nsenter script su setarch linux64 linux32"
)

# `script -qc'command'`.
_ATTACHED_CODE: Final = re.compile(r"-[a-z]*?c(.*[\s;&|$`].*)", re.DOTALL)

Starter = Callable[[Walk, Sequence[Term], Stream], None]


def start(walk: Walk, terms: Sequence[Term], stream: Stream, words: Sequence[Word]) -> None:
    """The commands that a command starts; `words` are its words as written, if they are known."""
    name = terms[0].base
    assert name is not None, "the walk looks at its name first"
    hooks(walk, terms, stream)
    special = _SPECIAL.get(name)
    if special is not None:
        special(walk, terms, stream)
    elif name in builtins.BUILTINS:
        if name in ("read", "mapfile", "readarray"):
            walk.code_within([stream.text])
            if "\\" in stream.text and "$(" in stream.text:
                # `read` removes backslashes, unless an option disables it.
                walk.unknown()
        builtins.BUILTINS[name](walk, terms, words)
    elif name in _SHELLS:
        _shell(walk, terms, stream, words)
    elif name in _FOREIGN_SHELLS:
        if len(terms) > 1 or stream.kind not in ("outside", "file"):
            walk.unknown()
    elif name in WRAPPERS:
        _wrapper(walk, terms, stream)
    elif name in RUNNERS:
        _runner(walk, terms, stream)
    elif INTERPRETERS.match(name):
        interpreter(walk, terms, stream, words)


def _wrapper(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    name = str(terms[0].base)
    wrapper = WRAPPERS[name]
    position = command_start(terms, wrapper)
    if position is None:
        _runner(walk, terms, stream)
        return
    if wrapper.assigns:
        for term in terms[1:position]:
            if ASSIGNMENT.match(term.start):
                variable, _, value = term.start.partition("=")
                first = term.readings[0]
                walk.assigned(variable, (merged([value, *first[1:]]),), is_lasting=False)
    if position < len(terms):
        outer = walk.scope.directory
        moved = _directory_option(terms[1:position])
        if moved is not None and name in ("env", "sudo"):
            walk.moved(moved)
        walk.inner(terms[position:], stream)
        walk.scope.directory = outer
    elif name in _SHELL_BY_DEFAULT and stream.kind not in ("outside", "file"):
        _from_input(walk, stream)


def _directory_option(options: Sequence[Term]) -> Term | None:
    """The value of `-C` or `--chdir`."""
    for index, term in enumerate(options):
        if term.text in ("-C", "--chdir", "-D") and index + 1 < len(options):
            return options[index + 1]
        if term.start.startswith("--chdir="):
            first = term.readings[0]
            return Term((merged([term.start.partition("=")[2], *first[1:]]),))
    return None


def _is_statement(walk: Walk, before: Sequence[Term], term: Term) -> bool:
    """True if a client of a database gets the word, and no shell could read it: `psql -c`."""
    if term.text is None or not any(word.base in FED for word in before):
        return False
    try:
        parse(term.text, walk.charge, 1)
    except Failure:
        return True
    return False


def _runner(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    """Every rest of the words, since only the program determines where its command begins."""
    name = str(terms[0].base)
    if name in _CONTAINER_CLIENTS and not _starts_in_container(terms):
        return
    if len(terms) > RUNNER_WORDS_MAX:
        raise Failure(f"`shell_commands` of a `{name}` of more than {RUNNER_WORDS_MAX} words")
    for position in range(1, len(terms)):
        head = terms[position]
        is_option = head.start.startswith("-")
        before = terms[position - 1].text or ""
        if head.text is None and not is_option:
            for program in head.programs:
                walk.inner([known(program), *terms[position + 1 :]], stream)
        if head.text is None and (is_option or _is_option_value(terms[position - 1])):
            continue
        if head.text is None and before.endswith("c"):
            walk.code_of([head], stream)
            continue
        is_code = before.startswith("-") and before.endswith("c") and position > 1
        if is_code and not _is_statement(walk, terms[1:position], head):
            walk.code_of([head], stream)
        text = head.text or ""
        attached = _ATTACHED_CODE.fullmatch(text)
        if attached is not None:
            walk.code_of([known(attached[1])], stream)
        if is_option and "=" not in text:
            continue
        if is_option:
            head = known(text.partition("=")[2])
        rest = [head, *terms[position + 1 :]]
        if name in JOINERS:
            walk.code_of(rest, stream if name == "ssh" else OUTSIDE)
        elif not _BLANK_OR_SIGN.isdisjoint(head.text or ""):
            if not _is_statement(walk, terms[1:position], head):
                walk.code_of([head], stream)
        elif head.text != "":
            walk.inner(rest, stream)
            if len(rest) > 2 and rest[1].text == "--":
                walk.inner([head, *rest[2:]], stream)
    if name == "ssh" and stream.kind == "known":
        walk.code(stream.text, OUTSIDE)
    elif name in _SHELL_BY_DEFAULT and stream.kind not in ("outside", "file"):
        _from_input(walk, stream)


def _is_option_value(before: Term) -> bool:
    """True if the next word is the value of an option that takes no command."""
    text = before.text or ""
    is_option = text.startswith("-") and "=" not in text
    return is_option and not text.endswith("c") and text != "--command"


def _starts_in_container(terms: Sequence[Term]) -> bool:
    verb = next((term for term in terms[1:] if not term.start.startswith("-")), None)
    is_hidden = verb is not None and verb.text is None
    return is_hidden or any(term.text in _CONTAINER_VERBS for term in terms[1:])


def _shell(walk: Walk, terms: Sequence[Term], stream: Stream, words: Sequence[Word]) -> None:
    position, has_code, has_input = 1, False, False
    while position < len(terms):
        term = terms[position]
        if not term.start.startswith(("-", "+")):
            break
        word = term.text
        position += 1
        if word is None:
            walk.unknown()
            return
        if word in ("-", "--"):
            break
        if word.startswith("--"):
            if word not in _SHELL_LONG_FLAGS:
                walk.unknown()
            continue
        has_code = has_code or (word[0] == "-" and "c" in word)
        has_input = has_input or (word[0] == "-" and "s" in word)
        position += word.count("o") + word.count("O")
    operands = terms[position:]
    if has_code:
        if operands:
            _code_with(walk, operands, stream)
    elif has_input or not operands:
        _from_input(walk, stream)
    else:
        script(walk, operands[0], stream, words[position] if position < len(words) else None)


def _code_with(walk: Walk, operands: Sequence[Term], stream: Stream) -> None:
    """`sh -c code name arguments`: the arguments are `$0`, `$1` and so on."""
    outer = walk.scope
    walk.scope = outer.inner()
    walk.scope.set_positional(operands[2:])
    if len(operands) > 1:
        name = operands[1]
        walk.scope.set("0", ((ANY,),) if name.is_many else name.readings)
        if name.is_many:
            walk.scope.set_positional(None)
        walk.code_within_terms(operands[1:])
    walk.code_of(operands[:1], stream)
    walk.scope = outer


def script(walk: Walk, file: Term, stream: Stream, word: Word | None) -> None:
    """A file that a shell reads. Its content is not known here: it is a name."""
    inner = None if word is None else process_of(word)
    if inner is not None:
        _from_input(walk, walk.written(inner))
        return
    if file.text is None:
        if file.base is not None and not walk.scope.files:
            walk.add([SOME_PROGRAM])
        else:
            walk.unknown()
        return
    path = "".join(map(str, resolved((file.text,), walk.scope.directory)))
    if file.text == "-" or path in _STANDARD_INPUTS:
        _from_input(walk, stream)
    elif path.startswith(("/dev/", "/proc/")):
        walk.unknown()
    elif (content := read_by(walk, file)) is not None:
        _from_input(walk, content)


def _from_input(walk: Walk, stream: Stream) -> None:
    if stream.kind == "known":
        walk.code(stream.text, OUTSIDE)
    elif stream.kind not in ("outside", "file"):
        walk.unknown()


def _source(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    """`. file`."""
    operands = [term for term in terms[1:] if term.text not in ("--", "-p")]
    for operand in operands[:2] if len(terms) > 1 and terms[1].text == "-p" else operands[:1]:
        if operand.start.startswith("/dev/fd/") and operand.text is None:
            walk.unknown()
            continue
        script(walk, operand, stream, None)


def _eval(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    """`eval`: its words joined, as text."""
    rest = terms[2:] if len(terms) > 1 and terms[1].text == "--" else terms[1:]
    if rest:
        walk.code_of(rest, stream)


def _trap(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    """`trap 'text' EXIT`: a command that runs later counts as if it ran now."""
    operands = [term for term in terms[1:] if term.text != "--"]
    if len(operands) > 1 and operands[0].text not in ("-", "", "-p", "-l"):
        walk.code_of(operands[:1], stream)


def _find(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    """`find ... -exec command {} ;`."""
    below = Term(found_below(terms))
    is_filtered = any(_FIND_FILTERS.match(term.start) for term in terms[1:])
    roots = {(root.text or "").rstrip("/").rpartition("/")[2] for root in roots_of_find(terms)}
    if any(t.start.endswith("name") and u.text in roots | {"*", "/"} for t, u in pairwise(terms)):
        # A filter that a root itself may pass.
        is_filtered = False
    position = 1
    while position < len(terms):
        if terms[position].text in _FIND_STARTS:
            first = position + 1
            while position < len(terms) and not _ends_command(terms, position):
                position += 1
            inner = list(terms[first:position])
            if inner:
                walk.inner(filled_in(inner, "{}", below), stream)
            if inner and not is_filtered:
                for root in roots_of_find(terms):
                    walk.inner(filled_in(inner, "{}", root), stream)
        position += 1


def _ends_command(terms: Sequence[Term], position: int) -> bool:
    """Does the command of an `-exec` end here: at a `;`, or at a `+` behind `{}`?"""
    text = terms[position].text
    return text == ";" or (text == "+" and terms[position - 1].text == "{}")


def _at(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    """`at` and `batch` read commands that a shell runs later."""
    _from_input(walk, stream)


# Source: the manual of env in coreutils 9: the meaning of a backslash in `-S`.
_SPLIT_ESCAPES: Final = {"_": " ", "t": "\t", "n": "\n", "f": " ", "r": " ", "v": " ", "c": "\n#"}


def _env(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    """`env`; its `-S text` is cut into words as a shell would."""
    for index, term in enumerate(terms[1:], 1):
        text = term.text
        if text is None:
            break
        is_long = text.startswith("--s")
        if is_long or (text[:1] == "-" and text[1:2] != "-" and "S" in text):
            head = text.partition("=" if is_long else "S")[2]
            rest = terms[index + 1 :]
            if not head and rest:
                if rest[0].text is None:
                    walk.unknown()
                head, rest = rest[0].text or "", rest[1:]
            spaced = re.sub(r"\\([_tnfrvc])", lambda found: _SPLIT_ESCAPES[found[1]], head)
            split = walk.split(f"env {spaced}")
            if split is None:
                walk.unknown()
            else:
                walk.inner([*split, *rest], stream)
            return
        if not text.startswith("-"):
            break
    for term in terms[1:]:
        if term.start.startswith("BASH_FUNC"):
            walk.unknown()
    _wrapper(walk, terms, stream)


def _command(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    """`command`; with `-v` it only reports the program that it would start."""
    if not (len(terms) > 1 and terms[1].text in ("-v", "-V", "-pv", "-pV")):
        _wrapper(walk, terms, stream)


_SPECIAL: Final[dict[str, Starter]] = {
    ".": _source,
    "source": _source,
    "eval": _eval,
    "trap": _trap,
    "find": _find,
    "xargs": xargs,
    "at": _at,
    "batch": _at,
    "env": _env,
    "command": _command,
}
