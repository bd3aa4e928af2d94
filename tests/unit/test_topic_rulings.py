"""Decisions that come by topics, against a gate in this process."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.gate.topic_rulings import AT_A_TIME_MAX, ruling_on
from monitor.gate.wire import HeldCall
from tests.support.gate import GateHere


class Source:
    """Implements `RulingSource`, without topics."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, bytes]] = deque()

    def peek(self) -> tuple[str, bytes] | None:
        return self.waiting[0] if self.waiting else None

    def drop(self) -> None:
        self.waiting.popleft()

    def put(self, operator: str, ruling: Any) -> None:
        content = ruling if isinstance(ruling, bytes) else msgspec.json.encode(ruling)
        self.waiting.append((operator, content))


class Place(GateHere):
    """A gate whose operators, `ana` and `ben`, have topics."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.source = Source()
        self.gate._rulings = self.source

    def hold(self, session: str = "s-1") -> HeldCall:
        """A call of `bot` that waits."""
        answer = self.ask("pay", session=session, args={"amount": 5}, request="r1")
        assert answer.approval is not None
        return self.gate._book.held[answer.approval.id]

    def decision(self, held: HeldCall) -> str:
        answer = self.gate.answer(held.principal, held.session, held.request)
        assert answer is not None
        return answer.decision


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("principal", "b"), ("session", "s-2"), ("call", "c-9"), ("args_digest", "0" * 32)],
)
def test_a_decision_names_the_whole_call(
    place: Place, name: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Else it is for another call, whatever its approval is."""
    held = place.hold()
    place.hold("s-2")
    ruling = msgspec.to_builtins(ruling_on(held, "grant", ""))
    place.source.put("ana", {**ruling, name: value})
    with caplog.at_level(logging.WARNING):
        place.gate.tick()
    assert place.decision(held) == "hold"
    (record,) = caplog.records
    assert "names another call" in str(record.__dict__["interlock_fields"])
    place.source.put("ana", ruling)
    place.gate.tick()
    assert place.decision(held) == "allow"


def test_what_cannot_be_taken_is_passed_over(place: Place) -> None:
    """Other versions, more fields, no JSON; other gates' calls; people who may not decide."""
    held = place.hold()
    ruling = msgspec.to_builtins(ruling_on(held, "grant", ""))
    for wrong in (b"", b"{", b"\xff", b"[" * 10_000, {**ruling, "v": 2}, {**ruling, "args": {}}):
        place.source.put("ana", wrong)
    place.source.put("ana", {**ruling, "approval": "a-0"})
    place.source.put("bot", ruling)
    place.source.put("eve", ruling)
    place.gate.tick()
    assert not place.source.waiting
    assert place.decision(held) == "hold"
    place.source.put("ben", ruling_on(held, "deny", "no"))
    place.source.put("ana", ruling)
    place.gate.tick()
    assert place.decision(held) == "deny", "the first decision counts"
    kinds = [record["kind"] for record in place.records()]
    assert kinds.count("approval.denied") == 1
    assert "approval.granted" not in kinds


def test_a_gate_that_cannot_write_takes_the_decision_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be lost otherwise: nobody sends it again."""
    held = place.hold()
    place.source.put("ana", ruling_on(held, "grant", ""))
    log: Any = place.gate._recorder._log

    def full(session: str, value: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(log, "append", full)
        place.gate.tick()
    assert place.decision(held) == "hold"
    place.gate.tick()
    assert place.decision(held) == "allow"


def test_decisions_of_a_tick_are_bounded(place: Place) -> None:
    """Agents wait meanwhile; the rest comes with the next tick."""
    for _ in range(AT_A_TIME_MAX + 1):
        place.source.put("ana", b"{")
    place.gate.tick()
    assert len(place.source.waiting) == 1
    place.gate.tick()
    assert not place.source.waiting
