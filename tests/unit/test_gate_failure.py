"""An error of ours ends the gate: no answer, no checkpoint of a state that may be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from monitor.gate.gate import Gate
from monitor.gate_server import handler
from tests.support.gate_in_thread import ServedHere, asking, read_reply, status


def _fail(*_: Any, **__: Any) -> NoReturn:
    raise ZeroDivisionError("a bug")


def test_an_error_of_the_core_ends_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits gets no answer; the next start reads the log."""
    with pytest.raises(ZeroDivisionError), ServedHere(tmp_path) as server:
        assert status(read_reply(server.connect(asking("s")))) == 200
        monkeypatch.setattr(Gate, "ask", _fail)
        assert status(read_reply(server.connect(asking("s")))) == 0
        server.ended()
    monkeypatch.undo()
    with ServedHere(tmp_path) as server:
        assert b'"seq":2' in read_reply(server.connect(asking("s")))


def test_an_error_of_the_server_ends_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its request gets 503."""
    with pytest.raises(ZeroDivisionError), ServedHere(tmp_path) as server:
        monkeypatch.setattr(handler, "find_page", _fail)
        reply = read_reply(server.connect(asking("s")))
        assert status(reply) == 503 and b'"not_ready"' in reply and b"a bug" not in reply
        server.ended()
