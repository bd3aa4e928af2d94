"""CEL text -> `CheckedExpression`: parsed and typed, once.

The one way into this package. Digests, references and the compiled form are derived from its nodes,
and its text is not read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from ..model.errors import Fault, Place
from ..model.source_text import SourceText
from ..values.value import INT_MAX, INT_MIN
from .ast import Node, free_names, walk
from .check import check
from .data_functions import NO_SOURCES, SourcePlaces
from .functions import Type
from .known_lists import list_name
from .lexer import Places, SyntaxFault
from .parser import parse
from .references import References, references_of

_MEND: Final = "write texts, truth values, or numbers within int64"


class CheckedExpression(msgspec.Struct, frozen=True):
    """An expression without an error.

    `type` is the certain part of its type; `fields` are the names of the event that it reads, and
    `lists`; `sources` are those whose memories it queries (`only_from` queries all of the file).
    """

    source: SourceText
    node: Node
    type: Type
    references: References
    fields: frozenset[str]
    sources: frozenset[str]

    @property
    def text(self) -> str:
        """As its author wrote it."""
        return self.source.text

    @property
    def place(self) -> Place:
        """That of its first character."""
        return self.source.place


def check_expression(
    source: SourceText,
    *,
    file: str,
    lists: Mapping[str, Sequence[Any]],
    sources: SourcePlaces = NO_SOURCES,
) -> tuple[CheckedExpression | None, list[Fault]]:
    """The expression, and all its faults and warnings (codes: `check.py`); None after an error."""
    try:
        node = parse(source)
    except SyntaxFault as met:
        place = Places(source).at(met.offset)
        return None, [Fault(file, place, met.code, met.message, met.mend)]
    values = {name: list(elements) for name, elements in lists.items()}
    if strange := _faulty_lists(node, file, values):
        return None, strange
    type_, faults = check(node, file=file, lists=values, sources=sources)
    if any(fault.severity == "error" for fault in faults):
        return None, faults
    named = references_of(node)
    expression = CheckedExpression(
        source=source,
        node=node,
        type=type_,
        references=named,
        fields=frozenset(name.name for name in free_names(node)),
        sources=frozenset(sources) if named.sources is None else named.sources,
    )
    return expression, faults


def known_expression(node: Node, sources: SourcePlaces) -> CheckedExpression:
    """The expression of a node that was checked before; it has no text."""
    named = references_of(node)
    return CheckedExpression(
        source=SourceText("", Place()),
        node=node,
        type="any",
        references=named,
        fields=frozenset(name.name for name in free_names(node)),
        sources=frozenset(sources) if named.sources is None else named.sources,
    )


def _faulty_lists(node: Node, file: str, lists: Mapping[str, list[Any]]) -> list[Fault]:
    """A fault if `node` names a list with elements other than CEL's plain values."""
    named = ((part, list_name(part)) for part in walk(node))
    return [
        Fault(
            file, part.place, "E108", f"the list `{name}` contains a value that is not plain", _MEND
        )
        for part, name in named
        if name is not None and not all(map(_is_value, lists.get(name, ())))
    ]


def _is_value(element: Any) -> bool:
    if type(element) is int:
        return INT_MIN <= element <= INT_MAX
    return element is None or type(element) in (bool, float, str)
