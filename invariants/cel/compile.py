"""CEL text -> `Expression`: parsed, checked, and prepared for evaluation on every event.

The one entry point of this package. Faults are `SpecError`; an evaluation never raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..errors import Fault, SpecError
from ..event import EventView, SpentError
from ..spec import Source
from .asked import NO_SOURCES, SourcePlaces
from .ast import Node, free_names, walk
from .check import check
from .evaluate import prepare
from .fields import Evaluator
from .fold import KNOWN_NAMES, Folding, KindAndTool, fold
from .functions import Type
from .known_lists import list_name
from .lexer import Places, SyntaxFault
from .parser import parse
from .references import references_of
from .values import INT_MAX, INT_MIN, CelError, Failure

_MEND: Final = "write texts, truth values, or numbers within int64"


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    `fields` are the names of the event that it reads, and `lists`; `type` is the certain part of
    its type; `warnings` are for the author.
    """

    text: str
    fields: frozenset[str]
    type: Type
    warnings: tuple[Fault, ...]
    is_settled_by_call: bool
    """True if its value is the same at every event of one kind and tool."""
    sources: frozenset[str]
    """The sources whose memories it queries; `only_from` queries all of the file."""
    functions: frozenset[str]
    """The functions that it calls."""
    _evaluator: Evaluator
    _folding: Folding

    def evaluate(self, view: EventView | KindAndTool) -> Any:
        """The CEL value at an event (see `values.py`), or a `CelError`; never raises.

        The kind and tool alone will do where `is_settled_by_call`.

        Cost: linear in the text, and in the steps that the event has left for it and all others.
        """
        try:
            return self._evaluator(view)
        except Failure as failure:
            return CelError(failure.reason)
        except SpentError:
            return CelError("the event has no steps left for its evaluation")

    def fold(self, kind: str, tool: str) -> bool | None:
        """The truth value at *every* event of that kind and tool, or None if it may vary."""
        return self._folding(KindAndTool(kind, tool))


def compile_expression(
    source: Source,
    *,
    file: str,
    lists: Mapping[str, Sequence[Any]],
    digest_key: bytes,
    sources: SourcePlaces = NO_SOURCES,
) -> Expression:
    """Compile one expression; raises SpecError with all its faults (codes: `check.py`)."""
    node = _parsed(source, file)
    values = {name: list(elements) for name, elements in lists.items()}
    if strange := _faulty_lists(node, file, values):
        raise SpecError(strange)
    kind, faults = check(node, file=file, lists=values, sources=sources)
    if any(fault.severity == "error" for fault in faults):
        raise SpecError(faults)
    prepared = prepare(node, values, digest_key, sources)
    fields = frozenset(name.name for name in free_names(node))
    named = references_of(node)
    return Expression(
        text=source.text,
        fields=fields,
        type=kind,
        warnings=tuple(faults),
        is_settled_by_call=fields <= KNOWN_NAMES and not prepared.counts_steps,
        sources=frozenset(sources) if named.sources is None else named.sources,
        functions=named.functions,
        _evaluator=prepared.evaluator,
        _folding=fold(node, values),
    )


def _parsed(source: Source, file: str) -> Node:
    try:
        return parse(source)
    except SyntaxFault as met:
        place = Places(source).at(met.offset)
        raise SpecError([Fault(file, place, met.code, met.message, met.mend)]) from None


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
