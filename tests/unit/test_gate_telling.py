"""Events that are reported to a gate: a retry records nothing again; unasked calls are judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.gate.book import TELLINGS_MAX
from monitor.gate.errors import ConflictError, MalformedError, NotReadyError
from monitor.gate.wire import Telling, Told
from tests.support.gate import GateHere

EVENTS = [Told("message.user", text="a"), Told("message.user", text="b")]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[GateHere]:
    gate = GateHere(tmp_path)
    yield gate
    gate.close()


def unasked(**fields: str) -> Told:
    attributes = msgspec.Raw(b'{"interlock_unasked": true}')
    return Told("tool.requested", tool="pay", attributes=attributes, **fields)


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_retry_gets_the_same_numbers_also_after_a_kill(here: GateHere, is_killed: bool) -> None:
    """And events of equal content under another id are others."""
    first = here.gate.tell("bot", Telling("s-1", EVENTS, "r-1"))
    assert first.seq == [1, 2]
    assert here.gate.tell("bot", Telling("s-1", EVENTS, "r-1")) == first
    here.restart(is_killed=is_killed)
    assert here.gate.tell("bot", Telling("s-1", EVENTS, "r-1")) == first
    assert len(here.records()) == 3
    assert here.gate.tell("bot", Telling("s-1", EVENTS, "r-2")).seq == [3, 4]
    assert here.gate.tell("bot", Telling("s-1", EVENTS)).seq == [5, 6]
    assert here.gate.tell("bot", Telling("s-2", EVENTS, "r-1")).seq == [1, 2]


def test_a_retry_records_what_is_missing(here: GateHere, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full after the first event."""
    log = here.gate._recorder._log
    append, left = log.append, [2]  # The start of the session, and one event.

    def failing(session: str, value: bytes) -> None:
        if not left[0]:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        append(session, value)

    monkeypatch.setattr(log, "append", failing)
    with pytest.raises(NotReadyError):
        here.gate.tell("bot", Telling("s-1", EVENTS, "r-1"))
    left[0] = 9
    with pytest.raises(ConflictError, match="other events"):
        here.gate.tell("bot", Telling("s-1", [EVENTS[0], EVENTS[0]], "r-1"))
    assert here.gate.tell("bot", Telling("s-1", EVENTS, "r-1")).seq == [1, 2]
    assert [record.get("text") for record in here.records()] == [None, "a", "b"]


def test_a_retry_of_the_end_of_a_session_is_answered(here: GateHere) -> None:
    """Its first answer may have been lost; other events come too late."""
    end = Telling("s-1", [Told("session.ended")], "r-1")
    assert here.gate.tell("bot", end) == here.gate.tell("bot", end)
    with pytest.raises(ConflictError):
        here.gate.tell("bot", Telling("s-1", EVENTS, "r-2"))


def test_one_id_does_not_report_two_things(here: GateHere) -> None:
    """Other events are no retry: their sender would take them as recorded."""
    here.gate.tell("bot", Telling("s-1", EVENTS, "r-1"))
    result = Told("message.user", text="b", result=msgspec.Raw(b"1"))
    others = (EVENTS[:1], EVENTS[::-1], [*EVENTS, EVENTS[0]], [EVENTS[0], result])
    for restarts in (False, True):
        for events in others:
            with pytest.raises(ConflictError, match="other events"):
                here.gate.tell("bot", Telling("s-1", events, "r-1"))
        if not restarts:
            here.restart(is_killed=True)
    assert len(here.records()) == 3
    for request in ("x" * 129, "a\n"):
        with pytest.raises(MalformedError):
            here.gate.tell("bot", Telling("s-1", EVENTS, request))


def test_the_ids_that_are_kept_are_bounded(here: GateHere) -> None:
    """The oldest is forgotten."""
    for n in range(TELLINGS_MAX + 1):
        here.gate.tell("bot", Telling("s-1", EVENTS[:1], f"r-{n}"))
    count = len(here.records())
    here.gate.tell("bot", Telling("s-1", EVENTS[:1], "r-1"))
    assert len(here.records()) == count
    here.gate.tell("bot", Telling("s-1", EVENTS[:1], "r-0"))
    assert len(here.records()) == count + 1


def test_a_call_that_was_made_without_a_gate_can_be_reported(here: GateHere) -> None:
    """It is judged as one that has happened: recorded as requested, without an answer."""
    here.gate.tell("bot", Telling("s-1", [unasked(call="c-1")], "r-1"))
    record = here.records()[-1]
    assert (record["kind"], record["call"]) == ("tool.requested", "c-1")
    assert "decision" not in record["gate"]


def test_a_call_that_was_answered_is_not_reported_as_unasked(here: GateHere) -> None:
    """Its request is in the log: the answer was lost."""
    here.ask("search", call="c-1")
    count = len(here.records())
    with pytest.raises(ConflictError):
        here.gate.tell("bot", Telling("s-1", [unasked(call="c-1")], "r-1"))
    assert len(here.records()) == count


@pytest.mark.parametrize(
    "attributes", [b"{}", b'{"interlock_unasked": 1}', b'{"interlock_unasked": "true"}', b"[]", b""]
)
def test_a_request_is_asked_unless_it_says_that_it_was_not(
    here: GateHere, attributes: bytes
) -> None:
    """Nobody reports a request by mistake."""
    told = Told("tool.requested", tool="pay", attributes=msgspec.Raw(attributes))
    with pytest.raises(MalformedError):
        here.gate.tell("bot", Telling("s-1", [told]))
