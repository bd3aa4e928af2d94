"""The relevance of an event of one kind and tool, and the facts of the predicates for it.

An event has one budget of steps over all predicates (docs/cel.md, Bounds): each predicate that kind
and tool do not decide is evaluated, whether or not formulas need it, and the costs are added up. A
sum does not depend on the order, so neither does the exhaustion of the budget. Once it is
exhausted, each of these predicates is unknown, and its named values can be any value.

The facts of an event are a vector: the predicates that invariants use are numbered over all files
(`planning.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from ..model.fact import NO_FACT, Fact, Truth
from ..model.limits import STEPS_MAX, STEPS_OF_PREDICATE
from ..model.verdict import Verdict
from ..taint.event_view import EventView
from .machine_state import Route
from .predicate import PLAIN_TRUE, Predicate

PLANS_MAX: Final = 4_096
"""Chosen: (kind, tool) pairs whose plan is remembered; agents choose names of tools, so the one
that was not used for longest is forgotten. Names have at most 512 characters each."""

ROUTES_MAX: Final = 16_384
"""Chosen: routes that are remembered; one is a few hundred bytes."""

Read = Callable[[EventView], Fact]
Facts = Mapping[str, Fact]
Vector = Sequence[Fact]
"""The facts of an event, by the numbers of their predicates."""

KnownTruths = tuple[bool | None, ...]
"""Of predicates at an event: false, true without any value, or None where a value, or a doubt,
matters too."""

Concerned = tuple[tuple[int, Route], ...]
"""The invariants that an event can concern, each with the part that the event has to pass."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The part that all kinds and tools share which decide the same predicates in the same way.

    Invented names of tools have few shapes.
    """

    live: tuple[tuple[int, Read], ...]
    """The predicates that must be evaluated."""
    doubts: tuple[tuple[int, Fact], ...]
    """Their facts at an event whose budget is spent."""
    known: KnownTruths
    """The truth of the others, among None for these."""
    concerned: Concerned
    steps_max: int
    """The budget of such an event."""
    is_end: bool
    """True if such an event is the end of the trace."""


class Plan(NamedTuple):
    """The relevance of an event of one kind and tool."""

    shape: Shape
    settled: Vector
    """The facts of all predicates, among `NO_FACT` for those that must be evaluated."""
    showing: tuple[int, ...]
    """The sources that may be shown something, by their places in the program."""
    of_call: dict[int, Any]
    """Values of parts of expressions that depend on the kind and tool alone, as they are found."""

    @property
    def concerned(self) -> Concerned:
        """The invariants that such an event can concern."""
        return self.shape.concerned

    @property
    def steps_max(self) -> int:
        """The budget of such an event."""
        return self.shape.steps_max

    @property
    def live_count(self) -> int:
        """The number of predicates that must be evaluated."""
        return len(self.shape.live)

    def facts(self, view: EventView) -> list[Fact]:
        """The facts of the predicates for an event.

        The view's `steps_left` is negative afterwards if the budget was exhausted.
        """
        shape = self.shape
        view.allot(shape.steps_max)
        view.of_call = self.of_call
        facts = list(self.settled)
        for number, read in shape.live:
            facts[number] = read(view)
            if view.steps_left < 0:
                for doubtful, fact in shape.doubts:
                    facts[doubtful] = fact
                break
        return facts


LIVE_TRUTHS: Final[KnownTruths] = (False, True, None)


def live_truths(shape: Shape, facts: Vector) -> bytes:
    """The known truths of the predicates that were evaluated, as places in `LIVE_TRUTHS`."""
    return bytes(
        [
            0 if fact is NO_FACT else 1 if fact is PLAIN_TRUE else 2
            for fact in [facts[number] for number, _ in shape.live]
        ]
    )


def doubt_of(predicate: Predicate) -> Fact:
    """The fact of an event whose budget is spent: true or not, of any values, as a list of which
    nothing was kept.
    """
    names = predicate.value_names
    return Fact(Truth.UNKNOWN, dict.fromkeys(names, ()), overflowing=frozenset(names))


def budget(predicates_count: int) -> int:
    """The steps for one event, given the number of predicates that its kind does not decide."""
    return STEPS_MAX + STEPS_OF_PREDICATE * predicates_count


def is_told(before_count: int, count: int) -> bool:
    """True if losses are reported: the first, the tenth, the hundredth and so on of a scope.

    So a flood makes only a few findings, and the last one contains the total.
    """
    return count > before_count and (not before_count or len(str(count)) > len(str(before_count)))


def doubted(
    verdicts: Sequence[tuple[int, Verdict]], position: int, steps_max: int
) -> list[tuple[int, Verdict]]:
    """The verdicts of an event whose budget was exhausted, with the reason.

    An invariant is in doubt about the whole event. That is reported once, not for each binding: as
    a violation if `on_unknown` requires it.
    """
    reason = f"judging the event takes more than {steps_max} steps"
    others: list[tuple[int, Verdict]] = []
    doubts: dict[int, Verdict] = {}
    for index, verdict in verdicts:
        is_certain = verdict.kind == "violated" and not verdict.is_escalated
        if verdict.anchor.position != position or is_certain:
            others.append((index, verdict))
        elif index not in doubts or verdict.is_escalated > doubts[index].is_escalated:
            doubts[index] = replace(verdict, reason=reason)
    return [*others, *doubts.items()]
