"""Held calls for which nobody waits any more: withdrawn, failed, or of a session that has ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.gate.errors import ConflictError, NotReadyError, UnknownError
from monitor.gate.wire import Answer, Ruling, Telling, Told, Withdrawal
from tests.support.gate import GateHere


@pytest.fixture
def here(tmp_path: Path) -> Iterator[GateHere]:
    gate = GateHere(tmp_path)
    yield gate
    gate.close()


def hold(here: GateHere, request: str = "r-1", session: str = "s-1") -> str:
    """The approval that a call waits for."""
    answer = here.ask("pay", session=session, args={"amount": 5}, request=request)
    assert answer.approval is not None
    return answer.approval.id


def withdraw(
    here: GateHere, request: str = "r-1", session: str = "s-1", who: str = "bot"
) -> Answer:
    return here.gate.withdraw(who, Withdrawal(session, request))


def kinds(here: GateHere) -> list[str]:
    return [record["kind"] for record in here.records()][1:]


def check_no_grant(here: GateHere, approval: str) -> None:
    with pytest.raises(UnknownError, match="withdrawn, it has expired, or its session has ended"):
        here.gate.rule("ana", approval, Ruling("grant"))
    assert approval not in {held.id for held in here.gate.held("ana")}


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_withdrawn_call_is_denied_and_cannot_be_granted(here: GateHere, is_killed: bool) -> None:
    """It is in the log; to withdraw it again gives the same answer and records nothing."""
    approval, other = hold(here), hold(here, "r-2")
    answer = withdraw(here)
    assert (answer.decision, answer.reason, answer.request) == ("deny", "withdrawn", "r-1")
    assert answer.message.startswith("This call was refused before it ran: its agent no longer")
    assert kinds(here)[2:] == ["approval.denied", "tool.denied"]
    assert withdraw(here) == answer
    here.restart(is_killed=is_killed)
    assert withdraw(here) == answer == here.gate.answer("bot", "s-1", "r-1")
    assert len(kinds(here)) == 4
    check_no_grant(here, approval)
    assert here.gate.rule("ana", other, Ruling("grant")).decision == "allow"


def test_a_call_that_was_answered_keeps_its_answer(here: GateHere) -> None:
    """A grant may come first: then the agent may make the call after all."""
    granted, _ = hold(here), hold(here, "r-2")
    here.gate.rule("ana", granted, Ruling("grant"))
    count = len(here.records())
    assert withdraw(here).decision == "allow"
    assert here.ask("search", request="r-3").decision == "allow"
    assert withdraw(here, "r-3").decision == "allow"
    assert len(here.records()) == count + 1


def test_only_its_principal_withdraws_a_call(here: GateHere) -> None:
    """Others do not even learn that there is one; nor does another session of its own."""
    approval = hold(here)
    for who, session, request in (
        ("other", "s-1", "r-1"),
        ("bot", "s-2", "r-1"),
        ("bot", "s-1", "r"),
    ):
        with pytest.raises(UnknownError, match="no such request"):
            withdraw(here, request, session, who)
    assert here.gate.rule("ana", approval, Ruling("grant")).decision == "allow"


def test_a_failed_call_waits_no_longer(here: GateHere) -> None:
    """An agent that was interrupted reports that the call was not made, and asks nothing more."""
    approval, other = hold(here), hold(here, "r-2")
    for kind, call in (("tool.failed", ""), ("tool.failed", "c-9"), ("tool.completed", "r-1")):
        here.tell(kind, tool="pay", call=call)
    assert len(here.gate.held("ana")) == 2
    here.tell("tool.failed", tool="pay", call="r-1", session="s-2")
    assert len(here.gate.held("ana")) == 2
    here.tell("tool.failed", tool="pay", call="r-1")
    assert kinds(here)[-3:] == ["approval.denied", "tool.denied", "tool.failed"]
    check_no_grant(here, approval)
    assert here.gate.rule("ana", other, Ruling("grant")).decision == "allow"


def test_the_end_of_a_session_denies_its_held_calls(here: GateHere) -> None:
    """Before the end, so that nothing comes behind it; those of other sessions go on waiting."""
    approvals = [hold(here), hold(here, "r-2")]
    other = hold(here, session="s-2")
    here.gate.tell("bot", Telling("s-1", [Told("message.user", text="x"), Told("session.ended")]))
    own = [record["kind"] for record in here.records() if record["session"] == "s-1"]
    assert own[-6:] == ["message.user", *["approval.denied", "tool.denied"] * 2, "session.ended"]
    for request in ("r-1", "r-2"):
        answer = here.gate.answer("bot", "s-1", request)
        assert answer is not None and (answer.decision, answer.reason) == ("deny", "session ended")
        assert "its session ended" in answer.message
    for approval in approvals:
        check_no_grant(here, approval)
    assert here.gate.rule("ana", other, Ruling("grant")).decision == "allow"


def test_a_call_does_not_wait_longer_than_its_session_lasts(tmp_path: Path) -> None:
    """An idle session ends, and what it has read is forgotten `linger` later."""
    minute_ns = 60_000_000_000
    overrides = {"idle_close_ns": minute_ns, "linger_ns": 0}
    here = GateHere(tmp_path, overrides=overrides)
    here.read_secret()
    approval = hold(here)
    (held,) = here.gate.held("ana")
    assert held.expires_ns == held.asked_ns + minute_ns
    here.clock.time_ns += minute_ns + 1
    with pytest.raises(ConflictError, match="has expired"):
        here.gate.rule("ana", approval, Ruling("grant"))
    here.gate.tick()
    check_no_grant(here, approval)
    here.close()


@pytest.mark.parametrize("written", range(3))
def test_a_kill_at_any_record_of_the_end_leaves_no_call_that_waits(
    here: GateHere, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """The rest follows when the end is reported again."""
    approval = hold(here)
    log, left = here.gate._recorder._log, [written]
    append = log.append

    def failing(session: str, value: bytes) -> None:
        if not left[0]:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        append(session, value)

    monkeypatch.setattr(log, "append", failing)
    end = Telling("s-1", [Told("session.ended")], "t-1")
    with pytest.raises(NotReadyError):
        here.gate.tell("bot", end)
    here.restart(is_killed=True)
    assert here.gate.tell("bot", end).seq == [4]
    assert kinds(here)[1:] == ["approval.denied", "tool.denied", "session.ended"]
    check_no_grant(here, approval)
