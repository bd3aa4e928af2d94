"""Builtins that change what a shell has in its hands, or that read their words as code once more.

Each takes the walk, the words of its command, and those words as they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ..unknown_text import ANY
from .expand import assignment
from .streams import OUTSIDE
from .term import Term
from .word import Word

if TYPE_CHECKING:
    from .started import Walk

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
    """Names with `[...]` in them are sums, and what sums substitute is started."""
    walk.code_within(
        part for term in terms[1:] for r in term.readings for part in r if isinstance(part, str)
    )


def _compgen(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`compgen -C command`, `mapfile -C command`, `complete -C command`."""
    _read(walk, terms, words)
    for option, value in pairwise(terms[1:]):
        if option.text == "-C":
            walk.code_of([value], OUTSIDE)


def _jobs(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`jobs -x command`."""
    if len(terms) > 2 and terms[1].text == "-x":
        walk.inner(terms[2:], OUTSIDE)


def _hash(walk: Walk, terms: Sequence[Term], words: Sequence[Word]) -> None:
    """`hash -p path name`: a name may be another program from here on."""
    if any(term.start.startswith("-p") for term in terms[1:]):
        walk.unknown()


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
    "jobs": _jobs,
    "hash": _hash,
    **dict.fromkeys(("cd", "pushd", "popd", "chdir"), _cd),
}
