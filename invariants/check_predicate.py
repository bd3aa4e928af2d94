"""One predicate's CEL compiled for its faults, and the warning about numbers in it (W505)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from .cel.ast import Calculation, Call, Constant, Index, Name, Node, Select, children
from .cel.lexer import SyntaxFault
from .cel.parser import parse
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
    for source in sources:
        yield from _lint_numbers(source, spec.file)


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


def _lint_numbers(source: Source, file: str) -> Iterator[Fault]:
    try:
        root = parse(source.text, Place(1, 1))
    except SyntaxFault:
        return  # Told as an error already.
    pending: list[Node] = [root]
    while pending:
        node = pending.pop()
        pending += children(node)
        place = source.place_at(offset_of(source.text, node.place))
        if isinstance(node, Call) and node.function == "double":
            message = "`double(x)` takes text such as `NaN` and `1e400` for a number"
            yield Fault(file, place, "W505", message, "write `number(x)`", "warning")
        elif isinstance(node, Calculation) and _is_of_event(node):
            message = (
                f"`{node.operator}` errs where one side is a whole number and the other is not"
            )
            mend = "compare the values one by one, or use an aggregate such as `sum(p.v)`"
            yield Fault(file, place, "W505", message, mend, "warning")


def _is_of_event(node: Calculation) -> bool:
    sides = (node.left, node.right)
    if any(isinstance(side, Constant) and isinstance(side.value, str) for side in sides):
        return False  # It joins text, and that errs only where the other side is no text.
    return any(_is_json(side) for side in sides)


def _is_json(node: Node) -> bool:
    """Does the value come from JSON, where a number may be an int or a double?"""
    if isinstance(node, Call):
        return node.function == "number"
    while isinstance(node, Select | Index):
        node = node.operand
    return isinstance(node, Name) and node.name in ("args", "result", "attributes")
