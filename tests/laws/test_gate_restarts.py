"""A gate that is killed answers like one that is not; nothing is answered twice differently.

Cases are drawn by seed (`tests/support/asked.py`), and so are the moments of the kills
(`tests/support/killed.py`). A failure shows the case.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Final

from monitor.gate.wire import Answer
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.asked import PRINCIPALS, Case, Played, draw_case
from tests.support.killed import Moments, killed, reopened, survived

CASES_HERE: Final = max(40, CASES // 10)
Answers = dict[str, Answer | None]


def answers_of(played: Played) -> Answers:
    """What a retry of each request gets."""
    found: Answers = {}
    for act in played.case.acts:
        if act.what == "ask":
            request = f"r-{act.number}"
            who = PRINCIPALS[act.session]
            found[request] = played.here.gate.answer(who, act.session, request)
    return found


def log_of(played: Played) -> list[dict[str, Any]]:
    """The records, without the name of the gate: each state has its own, and operators sign it."""
    records = played.here.records()
    for record in records:
        del record["gate"]["name"]
        record["gate"].pop("exception", None)
    return records


def undisturbed(case: Case, folder: Path) -> tuple[list[Answer | None], Answers, Any]:
    """What a gate answers, at first and in the end, and its log."""
    played = Played(folder, case)
    played.begin()
    first = [played.act(act) for act in case.acts]
    last, log = answers_of(played), log_of(played)
    played.close()
    return first, last, log


def test_a_killed_gate_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    """`killed(case) == undisturbed(case)`: the answers, those of retries, and every byte of the log
    but the gate's name; with kills before and after each write of the log and each commit of the
    store, in recoveries, and before the answer arrives.
    """
    met: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        case, random = draw_case(seed), Random(seed)
        first, last, log = undisturbed(case, tmp_path / f"{seed}")
        moments = Moments(random, random.choice((0.02, 0.1, 0.3)))
        played = Played(tmp_path / f"killed-{seed}", case)
        played.begin()
        what = case.shown()
        with killed(moments):
            for act, expected in zip(case.acts, first, strict=True):
                answer = survived(played, act, moments)
                if act.what == "ask" or answer is not None:
                    assert answer == expected, f"{act}\n{what}"
        reopened(played)
        assert answers_of(played) == last, what
        assert log_of(played) == log, what
        played.close()
        met += moments.met
    print(dict(met))
    assert len(met) == 7, "at every place"
