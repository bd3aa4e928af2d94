"""A state written down and read back means what the written one meant, and its bytes say so.

Bytes are canonical: whatever happened before, states that mean the same from now on are the same
bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import msgspec
import pytest

from invariants.codec.state import StateError, decode_state, encode_state, named_positions
from invariants.compile.automaton import compile_invariant
from invariants.formula.ast import (
    UNBOUNDED,
    Atom,
    Binary,
    Formula,
    Temporal,
    Until,
    Variable,
    Window,
)
from invariants.formula.format import format_formula
from invariants.model.fact import Fact, Truth
from invariants.model.limits import DEFAULT_LIMITS, Limits
from invariants.model.report import Report
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import Verdict
from invariants.operators.contract import EARLIEST_NS, Birth
from invariants.runtime.birth import born
from invariants.runtime.machine_state import State
from invariants.runtime.stepper import Stepper
from invariants.runtime.unsure_time import unsure_state
from invariants.spec.model import Per
from tests.laws.census import Census, nodes_of
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.engines import make_invariant, make_moment
from tests.support.formulas import choose_invariant, choose_run
from tests.support.states import positions_named, read_back

TIGHT = Limits(slices_max=1, window_entries_max=2, pending_max=2, bindings_max=3)


@pytest.mark.parametrize("limits", [DEFAULT_LIMITS, TIGHT], ids=["roomy", "tight"])
def test_what_is_read_back_means_what_was_written(limits: Limits, census: Census) -> None:
    """With restarts at random steps, verdicts and bytes are those of a run without any.

    With values, lists, doubts and losses of all sorts.
    """
    census.law = "states_roomy" if limits is DEFAULT_LIMITS else "states_tight"
    for seed, drawn, run in census.cases(CASES, FIRST_SEED, has_overflow=True):
        random = Random(seed)
        report: Report = random.choice(("every", "first", "edge"))
        invariant = replace(drawn, report=report)
        automaton = compile_invariant(invariant, limits)
        straight = restarted = automaton.initial()
        now_ns = 0
        for step in run:
            if isinstance(step, TracePoint):
                now_ns = step.time_ns
                straight, one = automaton.step(straight, step)
                restarted, other = automaton.step(restarted, step)
            else:
                straight, one = automaton.tick(straight, step)
                restarted, other = automaton.tick(restarted, step)
            what = f"seed {seed}, {format_formula(invariant.formula)}"
            assert list(one) == list(other), what
            written = encode_state(automaton, straight, now_ns)
            assert encode_state(automaton, restarted, now_ns) == written, what
            if random.random() < 0.5:
                restarted = read_back(automaton, restarted, now_ns)


@pytest.mark.parametrize("per", ["session", "agent"])
def test_doubt_about_times_is_written_too(per: Per, census: Census) -> None:
    """Where times run back the state supposes events that it has not seen; restarts as above."""
    census.law = f"states_unsure_{per}"
    for seed, drawn, run in census.cases(CASES // 2, FIRST_SEED, has_overflow=True):
        random = Random(seed)
        automaton = compile_invariant(replace(drawn, per=per))
        straight = restarted = automaton.initial()
        for step in run:
            if not isinstance(step, TracePoint):
                continue
            if step.position and random.random() < 0.4:
                birth = Birth(step.position - 1, step.time_ns, is_time_known=False)
                straight, _ = unsure_state(automaton, straight, birth, EARLIEST_NS)
                restarted, _ = unsure_state(automaton, restarted, birth, EARLIEST_NS)
            straight, one = automaton.step(straight, step)
            restarted, other = automaton.step(restarted, step)
            what = f"seed {seed}, {format_formula(drawn.formula)}"
            assert list(one) == list(other), what
            written = encode_state(automaton, straight, step.time_ns)
            assert encode_state(automaton, restarted, step.time_ns) == written, what
            if random.random() < 0.5:
                restarted = read_back(automaton, restarted, step.time_ns)


def test_a_loss_that_is_over_begins_no_other() -> None:
    """A second one, later than a window, casts no doubt on the time between; restarts as above."""
    second_ns, window = 10**9, Window(2 * 10**9, 3 * 10**9)
    body = Temporal("once", window, Atom("b", ()))
    automaton = compile_invariant(
        make_invariant("always", Binary("implies", Atom("a", ()), body)),
        Limits(window_entries_max=1),
    )
    fact = Fact(Truth.TRUE, {})
    found: Sequence[Verdict] = ()
    straight = restarted = automaton.initial()
    for place, (name, at_ns) in enumerate(
        (("b", 0), ("b", 1.5), ("b", 10), ("b", 11.5), ("a", 13.2))
    ):
        now = make_moment(place, int(at_ns * second_ns), {name: fact})
        straight, found = automaton.step(straight, now)
        restarted, other = automaton.step(read_back(automaton, restarted, now.time_ns), now)
        assert list(found) == list(other)
    assert [verdict.kind for verdict in found] == ["violated"]


def test_doubt_about_what_found_no_room_is_kept() -> None:
    """An unknown left side weakens what is supposed of a past, also if the event loses a value."""
    since = Until("since", UNBOUNDED, Atom("a", ()), Atom("p", (("v", Variable("x")),)))
    asked = Atom("q", (("v", Variable("x")),))
    automaton = compile_invariant(
        make_invariant("always", Binary("implies", asked, since), "violate")
    )
    lost = Fact(Truth.TRUE, {"v": (2,)}, overflowing=frozenset("v"))
    first = make_moment(1, 1, {"a": Fact(Truth.UNKNOWN, {}), "p": lost})
    second = make_moment(2, 2, {"a": Fact(Truth.TRUE, {}), "q": Fact(Truth.TRUE, {"v": (1,)})})
    state, _ = automaton.step(born(automaton, Birth(0, 0)), first)
    for held in (state, read_back(automaton, state, 1)):
        (verdict,) = automaton.step(held, second)[1]
        assert (verdict.kind, verdict.is_escalated) == ("violated", True)


def test_a_state_that_was_written_earlier_is_the_same_now(census: Census) -> None:
    """Bytes as of a later time do not depend on when the state was last written."""
    census.law = "states as of later"
    for seed, invariant, run in census.cases(CASES, FIRST_SEED, has_overflow=True):
        automaton = compile_invariant(invariant)
        state, now_ns = automaton.initial(), 0
        later_ns = Random(seed).choice((1, 10**9, 3 * 10**9, 10**10))
        for step in run:
            if isinstance(step, TracePoint):
                now_ns = step.time_ns
                state, _ = automaton.step(state, step)
        back = read_back(automaton, state, now_ns)
        one, other = (encode_state(automaton, held, now_ns + later_ns) for held in (back, state))
        assert one == other, f"seed {seed}, {format_formula(invariant.formula)}"


def test_what_is_over_leaves_no_trace() -> None:
    """Two pasts behind which every window has passed give the same bytes.

    But for what is remembered without a window: that a right side has ever held, the event that
    ended a `since`, and losses.
    """
    compared = 0
    for seed in range(FIRST_SEED, FIRST_SEED + 4 * CASES):
        random = Random(seed)
        invariant = choose_invariant(random.choice)
        depth_ns = depth_of(invariant.formula)
        automaton = compile_invariant(invariant)
        remembers = any(not memory.slots for memory in automaton.tables.memories)
        has_left = any(isinstance(node, Until) for node in nodes_of(invariant.formula))
        if depth_ns is None or remembers or has_left or not automaton.tables.memories:
            continue
        past = [step for step in choose_run(random.choice) if isinstance(step, TracePoint)]
        rest = [step for step in choose_run(random.choice) if isinstance(step, TracePoint)]
        if not past or not rest or any(step.is_session_end for step in past):
            continue
        begin_ns = past[-1].time_ns + depth_ns + 1
        late = [
            step._replace(position=len(past) + step.position, time_ns=begin_ns + step.time_ns)
            for step in rest
        ]
        empty = [make_moment(step.position, step.time_ns, {}) for step in past]
        one, other = state_after(automaton, [*past, *late]), state_after(automaton, [*empty, *late])
        if one.lost_count != other.lost_count:
            continue
        compared += 1
        now_ns = late[-1].time_ns
        written = encode_state(automaton, one, now_ns)
        what = f"seed {seed}, {format_formula(invariant.formula)}"
        assert written == encode_state(automaton, other, now_ns), what
        assert all(position >= len(past) for position in positions_named(written)), what
    assert compared > CASES // 8


def state_after(automaton: Stepper, trace: list[TracePoint]) -> State:
    state = automaton.initial()
    for now in trace:
        state, _ = automaton.step(state, now)
    return state


def depth_of(formula: Formula) -> int | None:
    """The windows of a formula added up, as if each stood inside another; None without an end."""
    highs = [node.high_ns for node in nodes_of(formula) if isinstance(node, Window)]
    known = [high for high in highs if high is not None]
    return sum(known) if len(known) == len(highs) else None


def test_damaged_bytes_are_an_error() -> None:
    """Whatever became of the bytes: either they are a state, or StateError says that not."""
    refused = 0
    for seed in range(FIRST_SEED, FIRST_SEED + CASES // 8):
        random = Random(seed)
        automaton = compile_invariant(choose_invariant(random.choice))
        state = automaton.initial()
        for step in choose_run(random.choice):
            if isinstance(step, TracePoint):
                state, _ = automaton.step(state, step)
        written = encode_state(automaton, state, 0)
        for damaged in (damage(written, random), written[: random.randrange(len(written))], b""):
            try:
                decode_state(automaton, damaged)
            except StateError:
                refused += 1
    assert refused > CASES // 8


STRANGE: tuple[Any, ...] = (
    *(None, True, -1, 2**63, "", 0.5, b"", [], [None], {}, {"": 1}),
    *(["int", "x"], ["int", 1], ["fraction", "0x1", "0x0"], ["fraction", 1], ["bool", "x"]),
)


def test_strange_parts_are_an_error() -> None:
    """Bytes that are a list of MessagePack, with another value at any one place."""
    refused = 0
    for seed in range(FIRST_SEED, FIRST_SEED + CASES // 8):
        random = Random(seed)
        automaton = compile_invariant(choose_invariant(random.choice))
        state = automaton.initial()
        for step in choose_run(random.choice):
            if isinstance(step, TracePoint):
                state, _ = automaton.step(state, step)
        written = msgspec.msgpack.decode(encode_state(automaton, state, 0))
        for place in places_of(written):
            damaged = msgspec.msgpack.encode(replaced(written, place, random.choice(STRANGE)))
            for read in (partial(decode_state, automaton), named_positions):
                try:
                    read(damaged)
                except StateError:
                    refused += 1
    assert refused > CASES // 8


def test_lists_without_end_are_an_error() -> None:
    """Also where nothing reads them."""
    automaton = compile_invariant(choose_invariant(Random(0).choice))
    endless = b"\x91" * 100_000
    for damaged in (endless, encode_state(automaton, automaton.initial(), 0)[:2] + endless):
        for read in (partial(decode_state, automaton), named_positions):
            with pytest.raises(StateError):
                read(damaged)


def places_of(data: Any, place: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Every place in lists of lists."""
    yield place
    if isinstance(data, list):
        for number, part in enumerate(data):
            yield from places_of(part, (*place, number))


def replaced(data: Any, place: tuple[int, ...], value: Any) -> Any:
    """The same lists with another value at one place."""
    if not place:
        return value
    first, *rest = place
    return [*data[:first], replaced(data[first], tuple(rest), value), *data[first + 1 :]]


def damage(written: bytes, random: Random) -> bytes:
    """The same bytes but for one."""
    place = random.randrange(len(written))
    return written[:place] + random.randbytes(1) + written[place + 1 :]


def test_another_version_is_refused() -> None:
    """Bytes of an older or newer program are never read as if they were ours."""
    automaton = compile_invariant(choose_invariant(Random(0).choice))
    written = encode_state(automaton, automaton.initial(), 0)
    version: Any = written[1]
    for other in (version - 1, version + 1):
        with pytest.raises(StateError, match=f"version {other}"):
            decode_state(automaton, written[:1] + bytes([other]) + written[2:])
