"""A client whose principal has had too much recorded: refused, and never opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock import Client, ClientOptions, NoGate
from tests.support.gate_served import ServedGate

SHARE = ("--principal-bytes-per-hour", "1000000")


def test_without_a_share_no_call_is_made(tmp_path: Path) -> None:
    """Not even with `fail="open"`: an agent could open the gate for itself by a flood."""
    gate = ServedGate(tmp_path / "g", more=SHARE)
    gate.start()
    # A wait that is longer than the deadline is not begun.
    options = ClientOptions(fail="open", ask_s_max=10, linger_ms=0)
    try:
        with Client(gate=f"unix:{gate.socket}", options=options) as client:
            session = client.session("s-1")
            assert session.call("search", lambda: 1) == 1
            assert client.flush(30)
            for number in range(2):
                note = {"note": "x" * 700_000}
                assert gate.ask(f"flood-{number}", "search", args=note).status == 200
            for name in ("s-1", "s-2"):
                with pytest.raises(NoGate, match="429"):
                    client.session(name).call("search", pytest.fail)
            assert client.stats().unasked == 0
    finally:
        gate.end()
    assert [record["session"] for record in gate.records()].count("s-2") == 0
    requested = [r for r in gate.records() if r["kind"] == "tool.requested"]
    assert [r["session"] for r in requested] == ["s-1", "flood-0", "flood-1"]
