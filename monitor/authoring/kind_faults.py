"""Kinds that predicates require and no event has: loaded specifications -> faults E417 and W506.

The decoder refuses a misspelling of a kind of docs/events.md. A predicate that requires it is
therefore false at every event, and its invariant is never violated. Kinds of the user's own are
fine; one that is close to a known kind causes a warning. Besides `==`, `!=` and `in`, the prefixes
and suffixes in `startsWith`, `endsWith` and `glob` are checked, and the events of examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from interlock.kinds import KNOWN_KINDS, meant_kind
from invariants.cel.ast import Call, Comparison, Constant, ListOf, Name, Node, walk
from invariants.cel.known_lists import list_name
from invariants.check.checked import CheckedSpec
from invariants.check.safety import atoms_of
from invariants.formula.ast import Constant as Literal
from invariants.model.errors import Fault, Place
from invariants.spec.model import Example, InvariantSpec

CLOSENESS_MIN: Final = 0.85
"""Chosen: `tool.request` is close to `tool.requested`; `session.stopped` is close to nothing."""

_FAMILIES: Final = {f"{kind.split('.')[0]}." for kind in KNOWN_KINDS if "." in kind}
_BEGINNINGS: Final = KNOWN_KINDS | _FAMILIES | {family[:-1] for family in _FAMILIES}
_LAST_WORDS: Final = {kind.rsplit(".", 1)[-1] for kind in KNOWN_KINDS}
_ENDS: Final = KNOWN_KINDS | _LAST_WORDS | {f".{word}" for word in _LAST_WORDS}


class _Asked(NamedTuple):
    """A literal that is compared with a kind, or with its beginning or end."""

    text: str
    place: Place
    part: str = ""
    """`beginning` or `end`, or empty for the whole kind."""


def kind_faults(specs: Iterable[CheckedSpec]) -> Iterator[Fault]:
    """Errors for misspelled kinds, warnings for kinds that are close to a known one."""
    for spec in specs:
        for declared in spec.declared:
            for expression in declared.expressions:
                for asked in _asked_in(expression.node, spec.lists):
                    yield from _faults(spec.file, f"`{declared.name}` expects", asked)
        for invariant in spec.invariants:
            for asked in _matched_in(spec, invariant):
                yield from _faults(spec.file, f"`{invariant.id}` expects", asked)
            for example in invariant.examples:
                for asked in _shown_in(example):
                    yield from _faults(spec.file, f"`{example.name}` has an event of", asked)


def _matched_in(spec: CheckedSpec, invariant: InvariantSpec) -> Iterator[_Asked]:
    """Literals of a formula that match a value which is the kind: `p(k="tool.request")`."""
    kinds = {
        (predicate.name, name)
        for predicate in spec.predicates
        for name, value in predicate.values
        if isinstance(value.node, Name) and value.node.name == "kind"
    }
    for atom in atoms_of(invariant.formula):
        for name, term in atom.arguments:
            is_kind = (atom.predicate, name) in kinds
            if is_kind and isinstance(term, Literal) and isinstance(term.value, str):
                yield _Asked(term.value, atom.place)


def _shown_in(example: Example) -> Iterator[_Asked]:
    """Each kind of an example once, so that a long trace does not repeat its faults."""
    for kind in dict.fromkeys(event.get("kind", "") for event in example.events):
        yield _Asked(kind, example.place)


def _asked_in(node: Node, lists: Mapping[str, tuple[Any, ...]]) -> Iterator[_Asked]:
    for part in walk(node):
        match part:
            case Comparison("==" | "!=", Name("kind"), Constant(str() as text, place)):
                yield _Asked(text, place)
            case Comparison("==" | "!=", Constant(str() as text, place), Name("kind")):
                yield _Asked(text, place)
            case Comparison("in", Name("kind"), among):
                yield from _elements(among, lists)
            case Call("startsWith", _, (Name("kind"), Constant(str() as text, place))):
                yield _Asked(text, place, "beginning")
            case Call("endsWith", _, (Name("kind"), Constant(str() as text, place))):
                yield _Asked(text, place, "end")
            case Call("glob", _, (Constant(str() as text, place), Name("kind"))):
                yield _of_pattern(text, place)
            case Call("glob_any", _, (among, Name("kind"))):
                yield from (_of_pattern(one.text, one.place) for one in _elements(among, lists))
            case _:
                pass


def _elements(among: Node, lists: Mapping[str, tuple[Any, ...]]) -> Iterator[_Asked]:
    if isinstance(among, ListOf):
        for element in among.elements:
            if isinstance(element, Constant) and isinstance(element.value, str):
                yield _Asked(element.value, element.place)
        return
    for item in lists.get(list_name(among) or "", ()):
        if isinstance(item, str):
            yield _Asked(item, among.place)


def _of_pattern(pattern: str, place: Place) -> _Asked:
    """The certain part of a pattern: all of it, its prefix, or its suffix."""
    fixed = pattern.replace("?", "*")
    if "*" not in fixed:
        return _Asked(pattern, place)
    if beginning := fixed.split("*", 1)[0]:
        return _Asked(beginning, place, "beginning")
    return _Asked(fixed.rsplit("*", 1)[-1], place, "end")


def _faults(file: str, says: str, asked: _Asked) -> Iterator[Fault]:
    shown = f"`{asked.text[:60]}`"
    if asked.part:
        near = _near_part(asked)
        word = "begin" if asked.part == "beginning" else "end"
        message = f"{says} kinds that {word} with {shown}, and no kind of Interlock does"
        mend = f"write `{near}`, unless the kinds are your own"
    elif asked.text in KNOWN_KINDS:
        return
    elif meant := meant_kind(asked.text):
        message = f"{says} the kind {shown}, which no event can have"
        yield Fault(file, asked.place, "E417", message, f"write `{meant}`")
        return
    else:
        near = next(iter(get_close_matches(asked.text[:60], KNOWN_KINDS, 1, CLOSENESS_MIN)), "")
        message = f"{says} the kind {shown}, which Interlock does not define"
        mend = f"write `{near}`, unless the kind is your own"
    if near:
        yield Fault(file, asked.place, "W506", message, mend, "warning")


def _near_part(asked: _Asked) -> str:
    """The prefix or suffix of a known kind that is close; empty if one has exactly this, or
    none.
    """
    is_beginning = asked.part == "beginning"
    has_it = str.startswith if is_beginning else str.endswith
    if any(has_it(kind, asked.text) for kind in KNOWN_KINDS):
        return ""
    known = _BEGINNINGS if is_beginning else _ENDS
    return next(iter(get_close_matches(asked.text[:60], known, 1, CLOSENESS_MIN)), "")
