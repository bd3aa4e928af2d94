"""`CheckedExpression` -> `Expression`: prepared for evaluation on every event.

An evaluation never raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ..taint.event_view import EventView, SpentError
from ..values.value import CelError, Failure
from .checked import CheckedExpression
from .common import KNOWN_NAMES, CommonParts
from .data_functions import NO_SOURCES, SourcePlaces
from .evaluate import Prepared, prepare
from .fold import Folding, KindAndTool, Leaf, fold

_SPENT: Final = CelError("the event has no steps left for its evaluation")


class Expression(msgspec.Struct, frozen=True):
    """A compiled expression, and the checked one that it was made of."""

    checked: CheckedExpression
    is_settled_by_call: bool
    """True if its value is the same at every event of one kind and tool."""
    _prepared: Prepared
    _folding: Folding
    leaves: tuple[Leaf, ...]
    """The parts on which `fold` depends."""

    def evaluate(self, view: EventView | KindAndTool) -> Any:
        """The CEL value at an event (see `values/value.py`), or a `CelError`; never raises.

        The kind and tool alone will do where `is_settled_by_call`.

        Cost: linear in the text, and in the steps that the event has left for it and all others.
        """
        try:
            value = self._prepared.evaluator(view)
        except Failure as failure:
            value = CelError(failure.reason)
        except SpentError:
            return _SPENT
        return value if view.steps_left >= 0 else _SPENT

    def truth(self, view: EventView) -> bool | None:
        """The truth value at an event; None for a failure, another value, or too many steps."""
        try:
            value = self._prepared.evaluator(view)
        except (Failure, SpentError):
            return None
        is_truth = (value is True or value is False) and view.steps_left >= 0
        return value if is_truth else None

    def fold(self, call: KindAndTool) -> bool | None:
        """The truth value at *every* event of that kind and tool, or None if it may vary."""
        return self._folding(call)


def compile_expression(
    checked: CheckedExpression,
    *,
    lists: Mapping[str, list[Any]],
    digest_key: bytes,
    sources: SourcePlaces = NO_SOURCES,
    common: CommonParts | None = None,
) -> Expression:
    """Prepare one expression; `sources` gives the place of each source in the program, `common` the
    parts that occur in other expressions too.
    """
    leaves: list[Leaf] = []
    prepared = prepare(checked.node, lists, digest_key, sources, common)
    return Expression(
        checked=checked,
        is_settled_by_call=checked.fields <= KNOWN_NAMES and not prepared.counts_steps,
        _prepared=prepared,
        _folding=fold(checked.node, lists, common, leaves),
        leaves=tuple(leaves),
    )
