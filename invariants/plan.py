"""The relevance of an event of one kind and tool, and the facts of the predicates for it.

An event has one budget of steps over all predicates (docs/cel.md, Bounds): each predicate that kind
and tool do not decide is evaluated, whether or not formulas need it, and the costs are added up. A
sum does not depend on the order, so neither does the exhaustion of the budget. Once it is
exhausted, each of these predicates is unknown, and its named values can be any value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from .cel.fold import KindAndTool
from .event import EventView
from .fact import Fact, Truth
from .limits import STEPS_MAX, STEPS_OF_PREDICATE
from .machine_state import Route
from .predicate import Predicate
from .verdict import Verdict

PLANS_MAX: Final = 4_096
"""Chosen: (kind, tool) pairs whose plan is remembered; agents choose names of tools, so the one
that was not used for longest is forgotten. Names have at most 512 characters each."""

ROUTES_MAX: Final = 16_384
"""Chosen: routes that are remembered; one is a few hundred bytes."""

Read = Callable[[EventView], Fact]
Facts = Mapping[str, Fact]


class FilePlan(NamedTuple):
    """The predicates of one file: those that must be evaluated, and the facts of the others."""

    live: tuple[tuple[str, Read], ...]
    settled: dict[str, Fact]
    doubtful: dict[str, Fact]
    """All facts of an event whose budget is spent."""


class Plan(NamedTuple):
    """The relevance of an event of one kind and tool."""

    files: tuple[FilePlan, ...]
    files_concerned: tuple[int, ...]
    """The files whose invariants such an event can concern."""
    steps_max: int
    """The budget of such an event."""
    concerned: tuple[tuple[int, Route], ...]
    is_end: bool
    """True if such an event is the end of the trace."""
    has_future: bool
    """True if a verdict of one of them can be pending."""
    showing: tuple[int, ...]
    """The sources that may be shown something, by their places in the program."""
    of_call: dict[int, Any]
    """Values of parts of expressions that depend on the kind and tool alone, as they are found."""

    def facts(self, view: EventView) -> tuple[Facts, ...]:
        """The facts of the predicates of each file for an event.

        The view's `steps_left` is negative afterwards if the budget was exhausted.
        """
        view.allot(self.steps_max)
        view.of_call = self.of_call
        told: list[Facts] = []
        for live, settled, _ in self.files:
            if not live:
                told.append(settled)
                continue
            facts = dict(settled)
            for name, read in live:
                facts[name] = read(view)
                if view.steps_left < 0:
                    return tuple(file.doubtful for file in self.files)
            told.append(facts)
        return tuple(told)


def plan_of_file(
    predicates: Mapping[str, Predicate], used: frozenset[str], call: KindAndTool
) -> FilePlan:
    """The evaluation of the predicates that invariants use, for an event of that kind and tool."""
    settled: dict[str, Fact] = {}
    live: list[tuple[str, Read]] = []
    doubtful: dict[str, Fact] = {}
    for name in predicates:
        if name not in used:
            continue
        predicate = predicates[name]
        planned = predicate.planned(call)
        if isinstance(planned, Fact):
            settled[name] = doubtful[name] = planned
        else:
            live.append((name, planned))
            doubtful[name] = _doubt(predicate)
    return FilePlan(tuple(live), settled, doubtful)


def _doubt(predicate: Predicate) -> Fact:
    """True or not, of any values: as a list of which nothing was kept."""
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
