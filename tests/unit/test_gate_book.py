"""What a gate remembers of its sessions, and how much of it is in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.gate import book
from tests.support.gate import GateHere


def test_rows_beyond_their_bytes_are_in_the_store_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long answers of many sessions fill no memory, and none of them is forgotten."""
    monkeypatch.setattr(book, "ROWS_IN_MEMORY_BYTES_MAX", 20_000)
    here = GateHere(tmp_path)
    for session in map("s-{}".format, range(10)):
        here.read_secret(session=session)
        for request in map("r-{}".format, range(8)):
            here.ask("http.post", session=session, request=request)
    here.gate.tick()
    rows = here.gate._book._rows
    assert 0 < len(rows) < 10
    assert [key.session for key in rows] == [f"s-{10 - len(rows) + n}" for n in range(len(rows))]
    before = len(here.records())
    answers = [here.gate.answer("bot", f"s-{n}", "r-3") for n in range(10)]
    assert all(answer is not None and answer.decision == "deny" for answer in answers)
    assert here.ask("http.post", session="s-0", request="r-3").seq == 5
    assert len(here.records()) == before, "a retry is not asked anew"
    here.close()
