"""Every small formula on every small trace: machine and reference agree.

All formulas over the predicates `a` and `b` with at most three operators, in both forms (`never`,
`always`), on all two-valued traces of up to five events and all three-valued ones of up to three:

- *past*: `not and or implies iff previous once once[1s] historically since`, three operators;
- *windows*: the same with windows that start at 0 and later on every operator, two operators;
- *future*: `always: P implies F` and `never: P and not F`, windows on F, three operators; each
  trace also with an end of its session, and every verdict compared after every event.

Formulas are taken up to swapping `a` with `b` and up to the order of `and`, `or` and `iff`.
Prefixes of a trace are judged on the way. `make laws` takes all, `make test` the smaller ones on
shorter traces, and of the others one in so many, by a checksum of its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product
from zlib import crc32

import pytest

from invariants.compile.automaton import compile_invariant
from invariants.formula.ast import (
    UNBOUNDED,
    Atom,
    Binary,
    Formula,
    Not,
    Temporal,
    Until,
    Window,
)
from invariants.formula.format import format_formula
from invariants.model.fact import Fact, Truth
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import Witness
from invariants.reference import judge
from invariants.runtime.machine_state import State
from invariants.runtime.stepper import Stepper
from invariants.spec.model import InvariantSpec
from tests.laws.census import nodes_of
from tests.laws.conftest import CASES, CASES_SHORT, IS_LONG
from tests.laws.result import EXHAUSTIVE
from tests.support.cases import write_case
from tests.support.engines import Verdicts, make_invariant, make_moment

SECOND_NS = 1_000_000_000
# Chosen: the short run takes a quarter of a minute, and the shortest one a few seconds.
FEWER = max(1, CASES_SHORT // CASES)
ONE_IN = {"past": 800 * FEWER, "windows": 100 * FEWER, "future": 120 * FEWER}
A, B = Atom("a"), Atom("b")
FULL, UP_TO, FROM = UNBOUNDED, Window(0, SECOND_NS), Window(SECOND_NS, 2 * SECOND_NS)
GAPS_NS = (0, 0, SECOND_NS, 2 * SECOND_NS, SECOND_NS)  # Ages 0 to 4, and at once 0 and 1.
TWO_VALUED, THREE_VALUED = (Truth.FALSE, Truth.TRUE), tuple(Truth)
Windows = tuple[Window, ...]
Letters = tuple[dict[str, Fact], ...]


# Formulas.


@cache
def formulas(operators: int, windows: Windows, once_windows: Windows) -> tuple[Formula, ...]:
    """All closed formulas about the past with exactly so many operators."""
    if operators == 0:
        return (A, B)
    found: list[Formula] = []
    for body in formulas(operators - 1, windows, once_windows):
        found.append(Not(body))
        found += (Temporal("once", window, body) for window in once_windows)
        found += (Temporal("historically", window, body) for window in windows)
        found += (Temporal("previous", window, body) for window in windows)
    for size in range(operators):
        lefts = formulas(size, windows, once_windows)
        for left, right in product(lefts, formulas(operators - 1 - size, windows, once_windows)):
            found.append(Binary("implies", left, right))
            found += (Until("since", window, left, right) for window in windows)
            if format_formula(left) <= format_formula(right):
                found += (Binary("and", left, right), Binary("or", left, right))
                found.append(Binary("iff", left, right))
    return tuple(found)


def past(operators: int) -> Iterator[InvariantSpec]:
    return in_both_forms(formulas(operators, (FULL,), (FULL, UP_TO)))


def windows(operators: int) -> Iterator[InvariantSpec]:
    return in_both_forms(formulas(operators, *[(FULL, UP_TO, FROM)] * 2))


def in_both_forms(chosen: Iterable[Formula]) -> Iterator[InvariantSpec]:
    """`never: not f` is `always: f` by definition, and the other way round: those are left out."""
    for formula in chosen:
        if begins_with_a(formula) and not isinstance(formula, Not):
            yield make_invariant("never", formula)
            yield make_invariant("always", formula)


def future(operators: int) -> Iterator[InvariantSpec]:
    """`implies` and the future operator are two; `and not` and it are three."""
    rest = operators - 2
    for size in range(max(rest + 1, 0)):
        for trigger in past_formulas(size):
            for ahead in futures(rest - size):
                formula = Binary("implies", trigger, ahead)
                if begins_with_a(formula):
                    yield make_invariant("always", formula)
    if rest == 1:
        for trigger, ahead in product(past_formulas(0), futures(0)):
            formula = Binary("and", trigger, Not(ahead))
            if begins_with_a(formula):
                yield make_invariant("never", formula)


def past_formulas(operators: int) -> tuple[Formula, ...]:
    return formulas(operators, (FULL,), (FULL, UP_TO))


def futures(operators: int) -> Iterator[Formula]:
    """A future operator over formulas with so many operators."""
    for window in (FULL, UP_TO, FROM):
        for body in past_formulas(operators):
            yield Temporal("next", window, body)
            yield Temporal("eventually", window, body)
            yield Temporal("always", window, body)
        for size in range(operators + 1):
            for left, right in product(past_formulas(size), past_formulas(operators - size)):
                yield Until("until", window, left, right)


def begins_with_a(formula: Formula) -> bool:
    """Of two formulas that differ only in swapping `a` with `b`, the one that names `a` first."""
    return next(node for node in nodes_of(formula) if isinstance(node, Atom)) == A


# Traces.


def letters_of(invariant: InvariantSpec, truths: Iterable[Truth]) -> Letters:
    """Every event that differs in what the formula names."""
    atoms = {node.predicate for node in nodes_of(invariant.formula) if isinstance(node, Atom)}
    letters = []
    for values in product(truths, repeat=len(atoms)):
        named = zip(sorted(atoms), values, strict=True)
        letters.append({name: Fact(truth, {}) for name, truth in named if truth != Truth.FALSE})
    return tuple(letters)


class Walk:
    """The tree of all traces of one invariant; the machine's state is shared by what begins alike.

    Without future the verdict of an event never changes, so each is compared once, where it is the
    last of its trace; with future all verdicts are compared after every event.
    """

    def __init__(self, invariant: InvariantSpec, letters: Letters, *, has_future: bool) -> None:
        self.invariant = invariant
        self.letters = letters
        self.has_future = has_future
        self.automaton: Stepper = compile_invariant(invariant)
        self.traces_count = 0

    def begin(self, events_count: int) -> int:
        """Compare all traces of up to so many events; returns how many there were."""
        self.go(self.automaton.initial(), [], {}, events_count)
        return self.traces_count

    def go(self, state: State, trace: list[TracePoint], told: Verdicts, left: int) -> None:
        self.compare(trace, told)
        if self.has_future:
            for letter in (self.letters[0], self.letters[-1]):
                end = self.moment(trace, letter, is_end=True)
                _, after = self.step(state, end, told)
                self.compare([*trace, end], after)
        if left:
            for letter in self.letters:
                here = self.moment(trace, letter)
                following, after = self.step(state, here, told)
                self.go(following, [*trace, here], after, left - 1)

    def moment(
        self, trace: list[TracePoint], letter: dict[str, Fact], *, is_end: bool = False
    ) -> TracePoint:
        before_ns = trace[-1].time_ns if trace else 0
        gap_ns = GAPS_NS[len(trace) % len(GAPS_NS)]
        return make_moment(len(trace), before_ns + gap_ns, letter, is_session_end=is_end)

    def step(self, state: State, here: TracePoint, told: Verdicts) -> tuple[State, Verdicts]:
        following, verdicts = self.automaton.step(state, here, is_verbose=True)
        news: Verdicts = {(v.anchor.position, v.binding): v.kind for v in verdicts}
        return following, told | news if self.has_future else news

    def compare(self, trace: list[TracePoint], told: Verdicts) -> None:
        self.traces_count += 1
        first = 0 if self.has_future or not trace else len(trace) - 1
        meant = judge(self.invariant, trace, first=first)
        if told != meant:
            whole = judge(self.invariant, trace)
            pytest.fail(write_case("found by exhaustion", self.invariant, trace, whole))


FAMILIES = {"past": past, "windows": windows, "future": future}
OPERATORS_MAX = {"past": 3, "windows": 2, "future": 3}
WHOLE_MAX = OPERATORS_MAX if IS_LONG else {"past": 2, "windows": 1, "future": 2}
LENGTHS, LENGTHS_SHORT = (5, 3), (3, 2)  # Of two-valued and of three-valued traces.
PARTS = {"past": 4, "windows": 1, "future": 2} if IS_LONG else dict.fromkeys(FAMILIES, 1)
"""In how many tests a family is taken, so that several processes can share it."""


@pytest.mark.parametrize(
    ("family", "part"), [(family, part) for family in FAMILIES for part in range(PARTS[family])]
)
def test_every_small_formula(
    family: str, part: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On every trace both tell the same verdict of every event."""
    without_witnesses(monkeypatch)
    invariants_count = traces_count = 0
    for operators in range(OPERATORS_MAX[family] + 1):
        is_whole = operators <= WHOLE_MAX[family]
        lengths = LENGTHS_SHORT if is_whole and not IS_LONG else LENGTHS
        for invariant in FAMILIES[family](operators):
            checksum = crc32(f"{invariant.form}: {invariant.formula_source.text}".encode())
            if checksum % PARTS[family] != part or (
                not is_whole and checksum // PARTS[family] % ONE_IN[family]
            ):
                continue
            invariants_count += 1
            for truths, length in zip((TWO_VALUED, THREE_VALUED), lengths, strict=True):
                letters = letters_of(invariant, truths)
                walk = Walk(invariant, letters, has_future=family == "future")
                traces_count += walk.begin(length)
    assert invariants_count
    counts = {"invariants_count": invariants_count, "traces_count": traces_count}
    request.node.user_properties.append((EXHAUSTIVE, {"law": family, **counts}))


def without_witnesses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts alone are compared here, and their grounds take most of the machine's time."""
    monkeypatch.setattr("invariants.runtime.stepper.witness_of", lambda *_: Witness())
