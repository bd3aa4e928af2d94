"""One predicate's CEL compiled for its faults (E1xx), each at its place in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from .errors import Fault, Place
from .predicate import compile_predicate
from .spec import PredicateSpec, Source, Spec

# The compiler counts lines and columns from where it is told that a text begins. Each text is
# told to begin at a line of its own multiple of this, so that a fault can be led back to its text
# and, through the text's segments, to the file: YAML may have folded or unquoted it.
_LINES_APART: Final = 1_000_000
_BEYOND: Final = Place(2**62, 1)


def check_predicate(predicate: PredicateSpec, spec: Spec) -> Iterator[Fault]:
    """Faults of `when` and of the values, each at its place in the file."""
    sources = [predicate.when, *(source for _, source in predicate.values)]
    apart = [
        Source(source.text, Place((number + 1) * _LINES_APART, 1))
        for number, source in enumerate(sources)
    ]
    names = [name for name, _ in predicate.values]
    moved = replace(
        predicate,
        when=apart[0],
        values=tuple(zip(names, apart[1:], strict=True)),
        place=_BEYOND,
    )
    _, faults = compile_predicate(moved, file=spec.file, lists=spec.lists, digest_key=b"")
    for fault in faults:
        yield replace(fault, place=_led_back(fault.place, predicate, sources))


def _led_back(place: Place, predicate: PredicateSpec, sources: list[Source]) -> Place:
    if place == _BEYOND:
        return predicate.place
    number, line = divmod(place.line, _LINES_APART)
    source = sources[number - 1]
    return source.place_at(offset_of(source.text, Place(line + 1, place.column)))


def offset_of(text: str, place: Place) -> int:
    """The offset of a place in a text whose first character is at line 1, column 1."""
    offset = 0
    for _ in range(place.line - 1):
        offset = text.find("\n", offset) + 1
    return offset + place.column - 1
