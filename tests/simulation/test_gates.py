"""Two gates that are killed, and agents that hear nothing: nothing runs that may not.

`INTERLOCK_SIMULATION_SEED=N` runs that seed alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from monitor.gate import decider, judgement
from monitor.gate.claims import FileClaims
from monitor.gate.gate import Gate
from monitor.gate.note import Line
from monitor.gate.recorder import Recorder
from tests.simulation.gates import simulate_gates
from tests.simulation.ledger import WrongError

ASKED = os.environ.get("INTERLOCK_SIMULATION_SEED", "")
SEEDS = [int(ASKED)] if ASKED else list(range(60))
SEEDS_TO_CATCH = 60


def test_what_runs_is_allowed_and_recorded_once(
    tmp_path: Path, left_out: Callable[[str], None]
) -> None:
    """Each decision in the logs is that of the definition, each call that ran is there, no request
    is answered twice differently or runs twice, and a monitor finds what the gates found.
    """
    if not ASKED:
        left_out(f"simulation of gates with more than {len(SEEDS)} seeds")
    counts: Counter[str] = Counter()
    for seed in SEEDS:
        (tmp_path / f"{seed}").mkdir()
        try:
            counts += simulate_gates(seed, tmp_path / f"{seed}")
        except WrongError as error:
            pytest.fail(f"INTERLOCK_SIMULATION_SEED={seed}: {error}")
    print(dict(counts))
    if not ASKED:
        met = ("hold", "deny", "allow", "wrong gate", "lost answers", "gate is down", "findings")
        assert all(counts[one] > 10 for one in met)


def _allows_all(kernel: Any, request: Any) -> judgement.Judgement:
    judged = judgement.judge(kernel, request)
    return judged._replace(decision="allow", enforced=[])


def _only_noted(self: Recorder, value: bytes, line: Line) -> None:
    self.book.apply(line)


@contextmanager
def _of(owner: Any, name: str, wrong: Any) -> Iterator[None]:
    with patch.object(owner, name, wrong):
        yield


PLANTS: dict[str, Callable[[], Any]] = {
    "a gate that allows everything": lambda: _of(decider, "judge", _allows_all),
    "a log that no start judges": lambda: _of(Recorder, "take_again", _only_noted),
    "sessions that any gate takes": lambda: _of(FileClaims, "take", lambda self, key: None),
    "grants that are left": lambda: _of(Gate, "complete", lambda self: None),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_planted_bugs_are_caught(plant: str, tmp_path: Path) -> None:
    """Else the other test would prove little."""
    for seed in range(SEEDS_TO_CATCH):
        (tmp_path / f"{seed}").mkdir()
        try:
            with PLANTS[plant]():
                simulate_gates(seed, tmp_path / f"{seed}")
        except WrongError:
            return
    pytest.fail(f"{plant}: not found in {SEEDS_TO_CATCH} seeds")
