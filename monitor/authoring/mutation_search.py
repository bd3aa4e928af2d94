"""Searches for a shortest trace that distinguishes mutants from their invariant.

Input: invariants over one file, the first of them the original, and events from which traces are
built. Output: for each of the others, a trace after which its verdicts differ from those of the
original, if one was found. Method: all traces of one and two events, then repetitions, then the
examples with an event removed, inserted or delayed, then three events, then events that lack a
value, then random traces, until `STEPS_MAX` events were processed. A result is shortened as long as
the verdicts still differ. States are immutable, so that traces with a common prefix share it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, product
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from invariants.model.event import SECOND_NS, UNSTATED, Event, Identity
from invariants.runtime.program import Program
from invariants.runtime.scope_program import Progress, ScopeProgram
from invariants.taint.event_view import EventView
from monitor.authoring.examples import NoEventError, Trial

STEPS_MAX: Final = 15_000  # Chosen: about a second for an invariant with ten mutants.
WORK_MAX: Final = 300_000  # Chosen: memories stepped, some five seconds; many mutants get fewer.
STEPS_MIN: Final = 100
KINDS_MAX: Final = 16  # Chosen: sorts of events from which traces are built.
GAPS_MAX: Final = 5
REPEATS_MAX: Final = 40  # Chosen: beyond the bounds of most counts.
RANDOM_LENGTH_MAX: Final = 8

Content = Mapping[str, Any]
"""The fields of an event but its session, time, id and number."""


class Step(NamedTuple):
    """One more event, some time after the one before."""

    event: Event
    content: Content
    gap_ns: int


Trace = tuple[Step, ...]
_Told = frozenset[tuple[int, str]]


class _Point(NamedTuple):
    """The end of a trace so far, and the verdicts of each invariant along it."""

    progress: Progress
    time_ns: int
    trace: Trace
    told: tuple[_Told, ...]
    firsts: Mapping[str, Identity] = {}
    """The first scope values that each session stated."""


class OutOfStepsError(Exception):
    """The budget is spent."""


def distinguish(
    trial: Trial,
    examples: Sequence[Sequence[tuple[Content, int]]],
    others: Sequence[Content],
    gaps_ns: Sequence[int],
) -> dict[int, Trace]:
    """For each invariant after the first that was distinguished, by its number, a trace.

    `examples` are events with the time since the previous one, `others` are further useful events;
    `gaps_ns` are useful delays.
    """
    # All of them are about the same sort of scope, and all events here are of one such.
    search = _Search(trial.program.wider[0] if trial.program.wider else trial.program.session)
    own = [content for example in examples for content, _ in example]
    kinds = _kinds(trial, [*own, *chain.from_iterable(map(_varied, own)), *others])
    lacking = _kinds(trial, [*own, *chain.from_iterable(map(_lacking, own))])
    gaps = list(dict.fromkeys((SECOND_NS, *gaps_ns)))[:GAPS_MAX]
    known = [_steps(trial, example) for example in examples]
    random = Random(0)  # noqa: S311 - the same search every time, and no secret
    try:
        search.breadth_first(kinds, gaps, 2)
        search.run_all(
            chain(_repeated(kinds, gaps), _edited(known, kinds, gaps), product(kinds, repeat=3))
        )
        # Events without a value last: most mutants differ on them, and they are the least
        # informative.
        search.breadth_first(lacking, gaps[:1], 2)
        search.run_all(_random([*kinds, *lacking], gaps, random))
    except OutOfStepsError:
        pass
    shortened = {}
    for number, trace in search.found.items():
        search.steps_count = 0
        shortened[number] = search.shortened(number, trace)
    return shortened


class _Search:
    """The results so far, and the remaining cost."""

    def __init__(self, program: ScopeProgram) -> None:
        self.program = program
        self.steps_count = 0
        memories_count = sum(1 + compiled.memories_count for compiled in program.invariants)
        self.steps_max = max(min(STEPS_MAX, WORK_MAX // memories_count), STEPS_MIN)
        self.wanted = set(range(1, len(program.invariants)))
        self.found: dict[int, Trace] = {}
        nothing: _Told = frozenset()
        self.start = _Point(program.initial, 0, (), (nothing,) * len(program.invariants))

    def step(self, point: _Point, step: Step) -> _Point:
        if self.steps_count >= self.steps_max:
            raise OutOfStepsError
        self.steps_count += 1
        time_ns = point.time_ns + step.gap_ns if point.trace else 0
        session = step.event.session
        first = point.firsts.get(session, UNSTATED).after(step.event.record)
        event = msgspec.structs.replace(
            step.event, id=f"e{len(point.trace)}", time_ns=time_ns, first=first
        )
        judged = self.program.step(point.progress, event)
        told = list(point.told)
        for index, verdict in judged.verdicts:
            told[index] |= {(verdict.anchor.position, verdict.kind)}
        firsts = {**point.firsts, session: first}
        return _Point(judged.progress, time_ns, (*point.trace, step), tuple(told), firsts)

    def note(self, point: _Point) -> None:
        for number in [n for n in self.wanted if point.told[n] != point.told[0]]:
            self.found[number] = point.trace
            self.wanted.discard(number)

    def run(self, trace: Sequence[Step]) -> None:
        """Follow one trace, and record the mutants that each of its events distinguishes."""
        point = self.start
        for step in trace:
            point = self.step(point, step)
            self.note(point)

    def run_all(self, traces: Iterator[Sequence[Step]]) -> None:
        """Follow traces until every mutant is distinguished."""
        while self.wanted and (trace := next(traces, None)) is not None:
            self.run(trace)

    def breadth_first(self, kinds: Sequence[Step], gaps: Sequence[int], length: int) -> None:
        """All traces of some length; a trace that changes nothing is not extended."""
        points = [self.start] if self.wanted else []
        for number in range(length):
            following: list[_Point] = []
            for point in points:
                for step in kinds:
                    for gap_ns in gaps if number else gaps[:1]:
                        after = self.step(point, step._replace(gap_ns=gap_ns))
                        self.note(after)
                        following.append(after)
                        if not self.wanted:
                            return
            points = following

    def differs(self, number: int, trace: Trace) -> bool:
        point = self.start
        for step in trace:
            point = self.step(point, step)
        return point.told[number] != point.told[0]

    def shortened(self, number: int, trace: Trace) -> Trace:
        """Without the events that are not needed."""
        try:
            index = 0
            while index < len(trace):
                shorter = _without(trace, index)
                if shorter and self.differs(number, shorter):
                    trace = shorter
                else:
                    index += 1
        except OutOfStepsError:
            pass
        return trace


def _without(trace: Trace, index: int) -> Trace:
    """Without one event; those behind it keep their times."""
    rest = trace[index + 1 :]
    if rest and index:
        rest = (rest[0]._replace(gap_ns=rest[0].gap_ns + trace[index].gap_ns), *rest[1:])
    return (*trace[:index], *rest)


def _kinds(trial: Trial, contents: Sequence[Content]) -> list[Step]:
    """One event for each combination of predicates, and one that satisfies none."""
    found: dict[str, Step] = {}
    extra: list[Content] = [{"kind": "session.ended"}, {"kind": "message.user"}]
    for content in [*contents, *extra]:
        step = _step(trial, content, SECOND_NS)
        if step is not None:
            found.setdefault(_facts(trial.program, step.event), step)
    wanted = list(found.values())
    # These two events are cheap, and show the effect of an end, or of an unrelated event.
    return wanted if len(wanted) <= KINDS_MAX else [*wanted[: KINDS_MAX - 2], *wanted[-2:]]


def _facts(program: Program, event: Event) -> str:
    """The facts of an event for the predicates that the invariants use."""
    names = {name for c in program.invariants for name in c.predicates}
    view = EventView(event)
    facts = {name: repr(program.session.predicates[0][name].fact(view)) for name in sorted(names)}
    return f"{facts} {event.kind == 'session.ended'}"


def _varied(content: Content) -> Iterator[Content]:
    """The same event with one of its values changed."""
    arguments: Mapping[str, Any] = content.get("args") or {}
    for key, value in arguments.items():
        if isinstance(value, str):
            yield {**content, "args": {**arguments, key: f"{value}2"}}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield {**content, "args": {**arguments, key: value + 1}}
    for key in ("tool", "call", "agent", "user"):
        if isinstance(content.get(key), str):
            yield {**content, key: f"{content[key]}2"}


def _lacking(content: Content) -> Iterator[Content]:
    """The same event without one of its values."""
    arguments: Mapping[str, Any] = content.get("args") or {}
    for key in arguments:
        yield {**content, "args": {k: v for k, v in arguments.items() if k != key}}
    for key in ("call", "agent", "user"):
        if key in content:
            yield {k: v for k, v in content.items() if k != key}


def _step(trial: Trial, content: Content, gap_ns: int) -> Step | None:
    try:
        event = trial.event(0, {"session": "example", "ts": 0, "seq": 0, **content})
    except NoEventError:
        return None
    return Step(event, content, gap_ns)


def _steps(trial: Trial, example: Sequence[tuple[Content, int]]) -> list[Step]:
    steps = (_step(trial, content, gap_ns) for content, gap_ns in example)
    return [step for step in steps if step is not None]


def _edited(
    known: Sequence[Sequence[Step]], kinds: Sequence[Step], gaps: Sequence[int]
) -> Iterator[Sequence[Step]]:
    """Each example with one event removed, delayed, or inserted; the shortest ones first."""
    for trace in sorted(known, key=len):
        for index, step in enumerate(trace):
            yield [*trace[:index], *trace[index + 1 :]]
            for gap_ns in gaps:
                yield [*trace[:index], step._replace(gap_ns=gap_ns), *trace[index + 1 :]]
        for index in range(len(trace) + 1):
            for other in kinds:
                yield [*trace[:index], other, *trace[index:]]


def _repeated(kinds: Sequence[Step], gaps: Sequence[int]) -> Iterator[Sequence[Step]]:
    """One event many times at one moment, the first of them some time before; two in turn."""
    for step in kinds:
        for gap_ns in (0, *gaps):
            at_once = [step._replace(gap_ns=0)] * REPEATS_MAX
            yield [step, step._replace(gap_ns=gap_ns), *at_once]
    for one in kinds:
        for other in kinds:
            yield [one, other] * (RANDOM_LENGTH_MAX // 2)


def _random(kinds: Sequence[Step], gaps: Sequence[int], random: Random) -> Iterator[Sequence[Step]]:
    """Traces without end; the budget ends them."""
    while kinds:
        length = random.randint(3, RANDOM_LENGTH_MAX)
        yield [
            random.choice(kinds)._replace(gap_ns=random.choice([*gaps, 0])) for _ in range(length)
        ]
