"""Tests mutants of invariants against the examples in their files.

Input: checked specifications. Output: for each invariant, the number of mutants that the examples
kill, and each survivor, with an example that would kill it if one was found.
`invariants/analysis/mutants.py` defines the mutants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, Final

from invariants.analysis.equivalence import mean_the_same
from invariants.analysis.event_domain import asked_by_predicates
from invariants.analysis.mutants import Mutant, mutants_of
from invariants.check.checked import CheckedSpec
from invariants.check.safety import subformulas
from invariants.formula.ast import AggregateComparison, Temporal, Until, Window
from invariants.model.event import SECOND_NS
from invariants.spec.example_times import read_time_ns
from invariants.spec.model import Example, InvariantSpec, Per
from monitor.authoring.examples import Marks, prepare_trial
from monitor.authoring.mutation_search import Content, Trace, distinguish

OTHERS_MAX: Final = 300
"""Chosen: events of the examples of other invariants that may serve in a trace."""
_PLACE_FIELDS: Final = frozenset({"session", "ts", "id", "seq"})


@dataclass(frozen=True, slots=True)
class Hint:
    """A trace at which original and mutant differ, and the verdicts of the original."""

    events: tuple[Content, ...]
    marks: Marks


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutant that all examples let pass; without a hint no difference was found."""

    mutant: Mutant
    hint: Hint | None


@dataclass(frozen=True, slots=True)
class Mutation:
    """The results for the mutants of one invariant.

    `problem` is the reason if none was tried: no examples, or examples that fail. `same_count`
    counts those left out because they provably have the same meaning; `is_cut` means that there
    were too many.
    """

    file: str
    invariant: InvariantSpec
    killed_count: int = 0
    same_count: int = 0
    survivors: tuple[Survivor, ...] = ()
    is_cut: bool = False
    problem: str = ""

    @property
    def is_passed(self) -> bool:
        """True if each mutant was killed."""
        return not self.survivors and not self.problem


def mutate(spec: CheckedSpec, invariant: InvariantSpec) -> Mutation:
    """Try every mutant of one invariant."""
    result = Mutation(spec.file, invariant)
    if not invariant.examples:
        return replace(result, problem="it has no examples, so every mutant survives")
    mutants = mutants_of(spec, invariant)
    asked = asked_by_predicates(spec)
    different = [m for m in mutants.found if not mean_the_same(invariant, m.invariant, asked)]
    trial = prepare_trial(spec, [invariant, *(mutant.invariant for mutant in different)])
    problems = [trial.problems(example) for example in invariant.examples]
    if any(row[0] for row in problems):
        return replace(result, problem="its examples fail without a mutation; fix them first")
    alive = [m for n, m in enumerate(different) if not any(row[n + 1] for row in problems)]
    return replace(
        result,
        killed_count=len(different) - len(alive),
        same_count=len(mutants.found) - len(different),
        survivors=tuple(_with_hints(spec, invariant, alive)),
        is_cut=mutants.is_cut,
    )


def _with_hints(
    spec: CheckedSpec, invariant: InvariantSpec, alive: list[Mutant]
) -> Iterator[Survivor]:
    if not alive:
        return
    trial = prepare_trial(spec, [invariant, *(mutant.invariant for mutant in alive)])
    examples = [_timed(example) for example in invariant.examples]
    elsewhere = [example for i in spec.invariants if i is not invariant for example in i.examples]
    contents = chain.from_iterable(_timed(example) for example in elsewhere)
    others = [content for content, _ in islice(contents, OTHERS_MAX)]
    found = distinguish(trial, examples, others, _gaps(invariant))
    for number, mutant in enumerate(alive, 1):
        trace = found.get(number)
        hint = _hint(trace, invariant.per) if trace is not None else None
        if hint is not None:
            # The engine has the last word: the search stepped the program alone.
            marks = trial.marks(_filled(hint))
            is_told = marks[number] != marks[0]
            yield Survivor(mutant, Hint(hint, marks[0]) if is_told else None)
        else:
            yield Survivor(mutant, None)


def _timed(example: Example) -> list[tuple[Content, int]]:
    """The events without the fields that place them, each with the time since the previous one."""
    timed: list[tuple[Content, int]] = []
    before_ns: int | None = None
    for event in example.events:
        time_ns = read_time_ns(event["ts"])
        gap_ns = 0 if before_ns is None else max(time_ns - before_ns, 0)
        content = {key: value for key, value in event.items() if key not in _PLACE_FIELDS}
        timed.append((content, gap_ns))
        before_ns = max(time_ns, before_ns or 0)
    return timed


def _gaps(invariant: InvariantSpec) -> list[int]:
    """Times at which a window ends, and those at which a wider or a later one would not."""
    gaps: list[int] = []
    for node in subformulas(invariant.formula):
        windows: list[Window] = []
        if isinstance(node, Temporal | Until):
            windows = [node.window]
        elif isinstance(node, AggregateComparison):
            windows = [aggregate.window for aggregate in node.aggregates]
        for window in windows:
            if window.high_ns is not None:
                gaps += [window.high_ns, window.high_ns + window.high_ns // 2]
                gaps += [window.low_ns // 2, window.low_ns] if window.low_ns else []
    return gaps


def _hint(trace: Trace, per: Per) -> tuple[Content, ...]:
    """The events as an author would write them: with a time unless it is a second after the
    previous event, and with the scope if it is wider than a session.
    """
    scope: Content = {} if per == "session" else {per: "example"}
    events: list[Mapping[str, Any]] = []
    time_ns = 0
    for number, step in enumerate(trace):
        time_ns += step.gap_ns if number else 0
        is_usual = not number or step.gap_ns == SECOND_NS
        content = {**step.content, **scope}
        events.append(content if is_usual else {**content, "ts": time_ns})
    return tuple(events)


def _filled(events: tuple[Content, ...]) -> list[Content]:
    """The values that the loader supplies for omitted fields of an example."""
    filled: list[Content] = []
    next_ns = 0
    for number, event in enumerate(events):
        content = {"session": "example", "ts": next_ns, "seq": number, **event}
        next_ns = content["ts"] + SECOND_NS
        filled.append(content)
    return filled
