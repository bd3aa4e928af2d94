"""Builtins that change a shell's state, or that read their words as code again.

Each takes the walk, the words of its command, and those words as written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ..values.unknown_text import ANY
from .expand import assignment
from .hooks import hooked
from .stream import OUTSIDE, UNKNOWN
from .term import Term, known
from .word import Word

if TYPE_CHECKING:
    from .commands import Walk

# `-C command`, `-tC command` and `-Ccommand`.
_COMMAND_OPTION: Final = re.compile(r"-[a-zA-Z]*?C(.*)", re.DOTALL)
_REFERENCE: Final = re.compile(r"-[a-zA-Z]*n[a-zA-Z]*")

Builtin = Callable[["Walk", Sequence[Term], Sequence[Word]], None]


def _alias(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`alias name='text'`: scripts of some shells use it too."""
    for term in terms[1:]:
        name, equals, _ = (term.text or "").partition("=")
        if equals:
            value = (term.text or "").partition("=")[2]
            walk.scope.aliases[name] = value
            walk.code(value, OUTSIDE)
        elif term.text is None:
            walk.unknown()


def _declare(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`export name=value` and its like. Names may hold subscripts, which are read as code."""
    _subscripts(walk, terms, words)
    if any(_REFERENCE.fullmatch(term.text or "") for term in terms[1:]):
        # A name for another variable: its later value is not tracked.
        walk.unknown()
    for word in words[1:]:
        found = assignment(word) if word.pieces else None
        if found is not None:
            name, is_added, value = found
            walk.assigned(name, ((ANY,),) if is_added else walk.value(value).readings)


def _read(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`read x`: from here on it may be anything."""
    _subscripts(walk, terms, words)
    for term in terms[1:]:
        if term.text is None:
            walk.scope.variables = dict.fromkeys(walk.scope.variables, ((ANY,),))
        elif term.text.isidentifier():
            walk.scope.set(term.text, ((ANY,),))


def _subscripts(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """Names with `[...]` in them are sums, and the substitutions in sums are executed."""
    walk.code_within_terms(terms[1:])


def _compgen(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`compgen -C command`, `mapfile -C command`, `complete -C command`."""
    _read(walk, terms, words)
    for option, value in pairwise([*terms[1:], known("")]):
        found = _COMMAND_OPTION.fullmatch(option.start)
        if found is not None:
            code = known(found[1]) if found[1] else value
            hooked(walk, code)


def _jobs(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`jobs -x command`."""
    if len(terms) > 2 and terms[1].text == "-x":
        walk.inner(terms[2:], UNKNOWN)


def _hash(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`hash -p path name`: a name may be another program from here on."""
    if any(term.start.startswith("-p") for term in terms[1:]):
        walk.unknown()


def _set(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`set -- words`: they are `$1` and so on."""
    rest = list(terms[1:])
    while rest and rest[0].start.startswith(("-", "+")) and rest[0].text != "--":
        option = rest.pop(0)
        if (option.text or "").endswith("o") and rest:
            rest.pop(0)
    if rest:
        walk.scope.set_positional(rest[1:] if rest[0].text == "--" else rest)
        walk.code_within_terms(rest)


def _shift(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`shift`: `$2` is `$1` from here on."""
    arguments = walk.scope.arguments
    is_known = len(terms) == 1 and arguments and not arguments[0].is_many
    walk.scope.set_positional(arguments[1:] if arguments and is_known else None)


def _cd(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`cd`, `pushd` and `popd`."""
    operands = [term for term in terms[1:] if term.text not in ("-L", "-P", "-e", "-@", "--")]
    if terms[0].text == "popd":
        walk.moved(Term((("-",),)))
    elif operands:
        walk.moved(operands[0])
    elif terms[0].text == "cd":
        walk.moved(None)


BUILTINS: Final[dict[str, Builtin]] = {
    "alias": _alias,
    **dict.fromkeys(("export", "declare", "typeset", "local", "readonly"), _declare),
    **dict.fromkeys(("read", "unset", "printf", "getopts", "wait"), _read),
    **dict.fromkeys(("let", "test", "[", "[["), _subscripts),
    **dict.fromkeys(("compgen", "complete", "mapfile", "readarray"), _compgen),
    "set": _set,
    "shift": _shift,
    "jobs": _jobs,
    "hash": _hash,
    **dict.fromkeys(("cd", "pushd", "popd", "chdir"), _cd),
}
