"""A share of `make gate-fuzz`: hostile requests open nothing and crash nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.gate_fuzz.__main__ import lines
from tests.gate_fuzz.attack import Tally, judge_records, run
from tests.gate_fuzz.requests import TAINTED, hostile

SHARE, WHOLE = 1_500, 1_000_000
"""Chosen: a few seconds."""


def test_a_share_opens_nothing_and_crashes_nothing(
    tmp_path: Path, left_out: Callable[[str], None]
) -> None:
    """Whatever is sent; an honest agent is answered rightly afterwards."""
    tally = Tally()
    run(tmp_path / "g", 0, range(SHARE), tally)
    assert not tally.faults, "\n".join(lines(tally, 0, 0))
    assert tally.sent.total() == SHARE and tally.honest_count > 0
    answered = {group for group, _ in tally.statuses}
    assert answered == set(tally.sent) - {"half-open connections"}
    left_out(f"{WHOLE - SHARE} of {WHOLE} hostile requests: `make gate-fuzz`")


def test_a_seed_gives_the_same_requests() -> None:
    """A fault can be looked at again by its index."""
    assert [hostile(3, n) for n in range(50)] == [hostile(3, n) for n in range(50)]
    assert [hostile(3, n) for n in range(50)] != [hostile(4, n) for n in range(50)]


def test_what_was_opened_is_a_fault() -> None:
    """The judge of the log sees each way."""
    asked = {"kind": "tool.requested", "session": "honest", "principal": "a", "tool": "read_file"}
    assert judge_records([asked], 0) == []
    post = {"kind": "tool.requested", "session": TAINTED, "principal": "b", "tool": "http.post"}
    grant = {"kind": "approval.granted", "session": "s", "principal": "b"}
    nobody = {"kind": "heartbeat", "session": "s", "principal": "mallory"}
    for record in (post, grant, nobody, asked):
        assert len(judge_records([asked, record], 0)) == 1
