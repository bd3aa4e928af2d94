"""The patterns, as a table of their expansions.

Input: a pattern's parts as formulas, a window, a number. Output: `never` or `always`, and the
formula that it abbreviates. The expansions are part of the language's definition (docs/language.md,
Patterns); all later stages see only the formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Final, Literal

import msgspec

from ..formula.ast import (
    UNBOUNDED,
    Aggregate,
    AggregateComparison,
    Atom,
    Binary,
    Constant,
    Formula,
    Not,
    Operator,
    SessionEnd,
    Temporal,
    Until,
    Window,
)

Form = Literal["never", "always"]


class Parts(msgspec.Struct, frozen=True):
    """The parts that an author wrote under a pattern, limited to those that it accepts."""

    formulas: Mapping[str, Formula]
    items: Sequence[Formula] = ()
    within: Window = UNBOUNDED
    times: int = 0

    def atom(self, name: str) -> Atom:
        """A part that must be a single predicate."""
        atom = self.formulas[name]
        assert isinstance(atom, Atom), "the reader refuses all else"
        return atom


class Pattern(msgspec.Struct, frozen=True):
    """The accepted parts of a pattern, and its expansion."""

    required: tuple[str, ...]
    expand: Callable[[Parts], tuple[Form, Formula]]
    optional: tuple[str, ...] = ()
    atoms: frozenset[str] = frozenset()
    """Parts that must be one predicate, since they are counted."""
    is_list: bool = False
    """Written as a list of formulas, and not by names."""


def _requires_before(parts: Parts) -> tuple[Form, Formula]:
    before = Temporal("once", parts.within, parts.formulas["precondition"])
    return "always", Binary("implies", parts.formulas["action"], before)


def _never_after(parts: Parts) -> tuple[Form, Formula]:
    action, trigger = parts.formulas["action"], parts.formulas["trigger"]
    unless = parts.formulas.get("unless")
    if unless is None:
        return "never", Binary("and", action, Temporal("once", UNBOUNDED, trigger))
    return "never", Binary("and", action, Until("since", UNBOUNDED, Not(unless), trigger))


def _at_most(parts: Parts) -> tuple[Form, Formula]:
    return "always", _count(parts.atom("event"), "<=", parts.times, parts.within)


def _responds(parts: Parts) -> tuple[Form, Formula]:
    after = Temporal("eventually", parts.within, parts.formulas["response"])
    return "always", Binary("implies", parts.formulas["trigger"], after)


def _exactly_once(parts: Parts) -> tuple[Form, Formula]:
    """Two invariants in one conjunction: at one event and binding the worse verdict counts."""
    event = parts.atom("event")
    at_event = Binary("implies", event, _count(event, "<=", 1, UNBOUNDED))
    at_end = Binary("implies", SessionEnd(), _count(event, "==", 1, UNBOUNDED))
    return "always", Binary("and", at_event, at_end)


def _mutually_exclusive(parts: Parts) -> tuple[Form, Formula]:
    a, b = parts.formulas["a"], parts.formulas["b"]
    return "never", Binary("or", _after(a, b), _after(b, a))


def _ordered(parts: Parts) -> tuple[Form, Formula]:
    early = [
        Binary("and", second, Not(Temporal("once", UNBOUNDED, first)))
        for first, second in zip(parts.items, parts.items[1:], strict=False)
    ]
    return "never", reduce(lambda left, right: Binary("or", left, right), early)


def _forbidden(parts: Parts) -> tuple[Form, Formula]:
    return "never", parts.formulas["event"]


def _after(later: Formula, earlier: Formula) -> Formula:
    return Binary("and", later, Temporal("once", UNBOUNDED, earlier))


def _count(event: Atom, operator: Operator, times: int, window: Window) -> AggregateComparison:
    return AggregateComparison(
        Aggregate("count", event, None, window, event.place),
        operator,
        Constant(times),
        event.place,
    )


EVENT: Final = frozenset({"event"})

PATTERNS: Final[Mapping[str, Pattern]] = {
    "requires_before": Pattern(("action", "precondition"), _requires_before, ("within",)),
    "never_after": Pattern(("action", "trigger"), _never_after, ("unless",)),
    "at_most": Pattern(("event", "times"), _at_most, ("within",), EVENT),
    "responds": Pattern(("trigger", "response"), _responds, ("within",)),
    "exactly_once": Pattern(("event",), _exactly_once, (), EVENT),
    "mutually_exclusive": Pattern(("a", "b"), _mutually_exclusive),
    "ordered": Pattern((), _ordered, is_list=True),
    "forbidden": Pattern(("event",), _forbidden),
}
