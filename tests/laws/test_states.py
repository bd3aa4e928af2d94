"""A state written down and read back is the state that was written, to the last field.

Stronger than that it gives the same verdicts: what no verdict of this run needs is there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from invariants.compiling import compile_invariant
from invariants.fifo import Fifo
from invariants.formula.format import format_formula
from invariants.limits import DEFAULT_LIMITS, Limits
from invariants.moment import Moment
from invariants.report import Report
from invariants.state import StateError, decode_state, encode_state
from tests.laws.census import Census
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.formulas import choose_invariant, choose_run

TIGHT = Limits(slices_max=1, window_entries_max=2, pending_max=2, bindings_max=3)


def plain(held: object) -> object:
    """A state as data that are equal exactly when it means the same: a queue is its items."""
    if isinstance(held, Fifo):
        return [plain(item) for item in held.items()], held.length, plain(held.newest)
    if isinstance(held, Mapping):
        return {key: plain(value) for key, value in held.items()}
    if isinstance(held, tuple | list):
        return [plain(item) for item in held]
    return held


@pytest.mark.parametrize("limits", [DEFAULT_LIMITS, TIGHT], ids=["roomy", "tight"])
def test_what_is_read_back_is_what_was_written(limits: Limits, census: Census) -> None:
    """After every step of random runs, with values, lists, doubts and losses of all sorts."""
    census.law = "states_roomy" if limits is DEFAULT_LIMITS else "states_tight"
    for seed, drawn, run in census.cases(CASES, FIRST_SEED, has_overflow=True):
        report: Report = Random(seed).choice(("every", "first", "edge"))
        invariant = replace(drawn, report=report)
        automaton = compile_invariant(invariant, limits)
        state = automaton.initial()
        for step in run:
            if isinstance(step, Moment):
                state, _ = automaton.step(state, step)
            else:
                state, _ = automaton.tick(state, step)
            back = decode_state(automaton, encode_state(automaton, state))
            what = f"seed {seed}, {format_formula(invariant.formula)}"
            assert plain(back) == plain(state), what


def test_damaged_bytes_are_an_error() -> None:
    """Whatever became of the bytes: either they are a state, or StateError says that not."""
    refused = 0
    for seed in range(FIRST_SEED, FIRST_SEED + CASES // 8):
        random = Random(seed)
        automaton = compile_invariant(choose_invariant(random.choice))
        state = automaton.initial()
        for step in choose_run(random.choice):
            if isinstance(step, Moment):
                state, _ = automaton.step(state, step)
        written = encode_state(automaton, state)
        for damaged in (damage(written, random), written[: random.randrange(len(written))], b""):
            try:
                decode_state(automaton, damaged)
            except StateError:
                refused += 1
    assert refused > CASES // 8


def damage(written: bytes, random: Random) -> bytes:
    """The same bytes but for one."""
    place = random.randrange(len(written))
    return written[:place] + random.randbytes(1) + written[place + 1 :]


def test_another_version_is_refused() -> None:
    """Bytes of an older or newer program are never read as if they were ours."""
    automaton = compile_invariant(choose_invariant(Random(0).choice))
    written = encode_state(automaton, automaton.initial())
    version: Any = written[1]
    for other in (version - 1, version + 1):
        with pytest.raises(StateError, match=f"version {other}"):
            decode_state(automaton, written[:1] + bytes([other]) + written[2:])
