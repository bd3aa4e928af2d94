"""What guard answers: by what the control topic says, and where it says nothing."""

from __future__ import annotations

import pickle
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock import (
    Client,
    ClientOptions,
    Killed,
    NoView,
    Quarantined,
    Refused,
    Session,
    SessionOver,
    SettingError,
    guard,
)
from interlock.clock import Clock
from interlock.control_record import ControlState
from interlock.control_view import ControlFollower
from tests.support.control_writer import ControlWriter, published


@pytest.fixture
def control(tmp_path: Path) -> ControlWriter:
    return ControlWriter(tmp_path)


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[Any]:
    made: list[Client] = []

    def make(**settings: Any) -> Client:
        made.append(Client(f"log:{tmp_path}", ClientOptions(**settings), agent="bot"))
        return made[-1]

    yield make
    for client in made:
        client.close()


def refusal_of(session: Session, tool: str = "t") -> Refused | None:
    try:
        guard(session, tool)
    except Refused as refused:
        return refused
    return None


def wait_for_refusal(session: Session, tool: str = "t") -> Refused:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if (refused := refusal_of(session, tool)) is not None:
            return refused
    raise AssertionError("the control record was never seen")


def test_with_a_fresh_view_that_says_nothing_calls_pass(
    clients: Any, control: ControlWriter
) -> None:
    """The first call waits for the view and then passes."""
    control.beat()
    assert refusal_of(clients().session("s1")) is None


@pytest.mark.parametrize(
    "key",
    ["session:s1", "session:parent", "session:grandparent", "principal:team", "agent:bot",
     "tool:t", "global"],
)  # fmt: skip
@pytest.mark.parametrize(("state", "kind"), [("quarantined", Quarantined), ("killed", Killed)])
def test_whatever_the_session_belongs_to_stops_it(
    clients: Any, control: ControlWriter, key: str, state: ControlState, kind: type[Refused]
) -> None:
    """Session, ancestors, principal, agent, tool and global are each enough."""
    control.beat()
    control.put(key, state, incident="f-1")
    client = clients(principal="team")
    parent = client.session("parent", parent=client.session("grandparent"))
    refused = refusal_of(client.session("s1", parent=parent))
    assert type(refused) is kind
    assert (refused.state, refused.key, refused.incident) == (state, key, "f-1")
    assert key in str(refused)


@pytest.mark.parametrize("key", ["session:s2", "agent:other", "tool:other", "principal:other"])
def test_what_concerns_others_stops_nobody_else(
    clients: Any, control: ControlWriter, key: str
) -> None:
    """A kill of another session, agent, tool or principal is theirs alone."""
    control.beat()
    control.put(key, "killed")
    assert refusal_of(clients().session("s1")) is None


def test_the_next_call_is_refused_and_a_release_lets_through(
    clients: Any, control: ControlWriter
) -> None:
    """The state is followed while the session runs, in both directions."""
    control.beat()
    session = clients().session("s1")
    assert refusal_of(session) is None
    control.put("session:s1", "killed")
    assert isinstance(wait_for_refusal(session), Killed)
    control.put("session:s1", "active")
    deadline = time.monotonic() + 10
    while refusal_of(session) is not None and time.monotonic() < deadline:
        pass
    assert refusal_of(session) is None


def test_a_lineage_from_another_process_is_obeyed(clients: Any, control: ControlWriter) -> None:
    """A child given its parent's whole lineage obeys the grandparent too."""
    control.beat()
    control.put("session:grandparent", "killed")
    client = clients()
    told = client.session("parent", parent="grandparent").lineage
    child = client.session("child", parent=told)
    assert child.parent == "parent"
    assert isinstance(refusal_of(child), Killed)


@pytest.mark.parametrize(
    ("settings", "tool", "is_refused"),
    [
        ({}, "t", True),
        ({"fail": "open"}, "t", False),
        ({"fail": "open", "irreversible_tools": ["pay"]}, "pay", True),
        ({"fail": "open", "irreversible_tools": ["pay"]}, "t", False),
        ({"before_view": "allow"}, "t", False),
        ({"before_view": "allow", "irreversible_tools": ["pay"]}, "pay", True),
        ({"before_view": "refuse"}, "t", True),
        ({"before_view": "refuse", "fail": "open"}, "t", True),
    ],
)
def test_before_any_view_the_settings_answer(
    clients: Any, settings: dict[str, Any], tool: str, is_refused: bool
) -> None:
    """By default nothing passes before a monitor was heard; irreversible tools never do."""
    refused = refusal_of(clients(wait_s_max=0.05, **settings).session("s1"), tool)
    assert isinstance(refused, NoView) is is_refused
    assert (refused is None) is not is_refused


def test_waiting_for_a_view_is_paid_once(clients: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a monitor and with `fail="open"`, the second call does not wait again."""
    waited_s: list[float] = []
    real = ControlFollower.wait_until_usable

    def counted(follower: ControlFollower, timeout_s: float, *more: Any) -> bool:
        waited_s.append(timeout_s)
        return real(follower, timeout_s, *more)

    monkeypatch.setattr(ControlFollower, "wait_until_usable", counted)
    session = clients(wait_s_max=0.3, fail="open").session("s1")
    assert refusal_of(session) is None
    first_s = sum(waited_s)
    assert first_s > 0
    for _ in range(20):
        assert refusal_of(session) is None
    assert sum(waited_s) == first_s


@pytest.mark.parametrize(
    ("settings", "tool", "is_refused"),
    [
        ({}, "t", True),
        ({"fail": "open"}, "t", False),
        ({"fail": "open", "irreversible_tools": ["pay"]}, "pay", True),
        ({"before_view": "allow"}, "t", True),
        ({"before_view": "refuse", "fail": "open"}, "t", False),
    ],
)
def test_a_view_too_old_is_answered_as_fail_says(
    clients: Any, control: ControlWriter, settings: dict[str, Any], tool: str, is_refused: bool
) -> None:
    """Once there was a view, `fail` decides alone; `before_view` has no say any more."""
    offset = [0]
    clock = Clock(time.time_ns, lambda: time.monotonic_ns() + offset[0])
    client = clients(clock=clock, view_age_s_max=5, **settings)
    control.beat()
    session = client.session("s1")
    session.start()
    assert client._connection.judge.follower.wait_until_usable(5)
    assert refusal_of(session, tool) is None
    offset[0] = 6 * 10**9
    refused = refusal_of(session, tool)
    assert isinstance(refused, NoView) is is_refused


def test_what_an_old_view_says_against_a_session_still_holds(
    clients: Any, control: ControlWriter
) -> None:
    """`fail="open"` opens to the unknown, never to what is known to be stopped."""
    control.put("session:s1", "killed")
    client = clients(fail="open", before_view="allow")
    assert isinstance(wait_for_refusal(client.session("s1")), Killed)


def test_without_control_guard_refuses_nothing(clients: Any, control: ControlWriter) -> None:
    """`control=False` publishes only, and starts no reader."""
    control.put("session:s1", "killed")
    client = clients(control=False)
    assert refusal_of(client.session("s1")) is None
    assert client.stats().view_age_s is None


def test_a_refused_call_is_not_made_and_told_as_denied(
    clients: Any, control: ControlWriter, tmp_path: Path
) -> None:
    """The function does not run; `tool.denied` is published, and no `tool.requested`."""
    control.beat()
    control.put("session:s1", "quarantined", incident="f-9")
    client = clients()
    ran: list[str] = []
    with client.session("s1") as session, pytest.raises(Quarantined):
        session.call("send", ran.append, object="x")
    client.close()
    events = published(tmp_path)
    assert ran == []
    assert [e["kind"] for e in events] == ["session.started", "tool.denied", "session.ended"]
    assert events[1]["args"] == {"object": "x"}
    assert "f-9" in str(events[1]["error"])


def test_an_ended_session_makes_no_calls(clients: Any, control: ControlWriter) -> None:
    """What no invariant would see is not done."""
    control.beat()
    with clients().session("s1") as session:
        session.guard("t")
    with pytest.raises(SessionOver):
        session.guard("t")


def test_a_closed_client_does_not_answer_from_memory_for_long(
    clients: Any, control: ControlWriter
) -> None:
    """Nobody follows the topic any more, so the view ages and calls are refused."""
    offset = [0]
    client = clients(clock=Clock(time.time_ns, lambda: time.monotonic_ns() + offset[0]))
    control.beat()
    session = client.session("s1")
    assert refusal_of(session) is None
    client._connection.judge.follower.stop(5)
    offset[0] = 60 * 10**9
    assert isinstance(refusal_of(session), NoView)


def test_a_refusal_survives_a_process_pool() -> None:
    """It comes out of a pickle with all that it said."""
    refused = Killed("t", "because", key="session:s", incident="f-1")
    again = pickle.loads(pickle.dumps(refused))
    assert type(again) is Killed
    assert (again.tool, str(again), again.key, again.incident) == (
        "t", "because", "session:s", "f-1",
    )  # fmt: skip


def test_guard_is_a_look_into_memory(clients: Any, control: ControlWriter) -> None:
    """With a fresh view an answer is a few dozen calls of functions, none of which may wait."""
    control.beat()
    session = clients(view_age_s_max=600).session("s1", parent=["p1", "p2"])
    session.guard("t")
    called: list[str] = []

    def note(frame: Any, event: str, argument: Any) -> None:
        if event in ("call", "c_call"):
            called.append(frame.f_code.co_name if event == "call" else argument.__name__)

    sys.setprofile(note)
    try:
        session.guard("t")
    finally:
        sys.setprofile(None)
    assert 0 < len(called) < 100
    assert not {"open", "stat", "read", "write", "wait", "sleep", "select", "send"} & {*called}


def test_who_waits_until_judged_knows_of_the_stop(
    clients: Any, control: ControlWriter, tmp_path: Path
) -> None:
    """All that was published is on the disk, and what the monitor said to it is in the view."""
    control.beat()
    client = clients(linger_ms=5_000)
    session = client.session("s1")
    session.user_message("hello")
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(client.wait_until_judged(60)))
    waiting.start()
    while len(published(tmp_path)) < 2:
        time.sleep(0.01)
    assert waiting.is_alive(), "the heartbeat is older than the message"
    control.put("session:s1", "quarantined")
    while waiting.is_alive():
        control.beat()
        waiting.join(0.05)
    assert answers == [True]
    assert isinstance(refusal_of(session), Quarantined)


def test_without_a_monitor_nothing_is_judged(clients: Any, tmp_path: Path) -> None:
    """False, and neither an error nor a yes."""
    client = clients()
    client.session("s1").user_message("hello")
    assert not client.wait_until_judged(0.1)
    with pytest.raises(SettingError, match="control"):
        clients(control=False).wait_until_judged(0.1)


def test_what_cannot_be_delivered_is_not_judged(
    clients: Any, control: ControlWriter, tmp_path: Path
) -> None:
    """However fresh the heartbeat: it is for what arrived."""
    (tmp_path / "agent.events").write_text("in the way")
    client = clients()
    client.session("s1").user_message("hello")
    control.beat()
    assert not client.wait_until_judged(0.1)
