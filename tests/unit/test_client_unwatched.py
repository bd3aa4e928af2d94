"""No call is made that nobody hears of: events that do not arrive, clients that were closed."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock import Client, ClientOptions, NoView, SessionOver
from interlock.clock import Clock
from interlock.publisher import EventPublisher, QueueLimits
from interlock.transport.base import Message
from tests.support.client_transports import Failing, Keeping
from tests.support.control_writer import ControlWriter, published

SECOND = 1_000_000_000


class Away:
    """A machine with a fresh control view whose events directory cannot be written."""

    def __init__(self, directory: Path) -> None:
        self.offset_ns = 0
        self.directory = directory
        self.control = ControlWriter(directory)
        self.control.beat()
        (directory / "agent.events").write_text("a file where a directory belongs")
        self.clients: list[Client] = []

    def client(self, **settings: Any) -> Client:
        clock = Clock(time.time_ns, lambda: time.monotonic_ns() + self.offset_ns)
        settings = {"view_age_s_max": 1_000, "unsent_s_max": 15, **settings}
        self.clients.append(Client(f"log:{self.directory}", ClientOptions(clock=clock, **settings)))
        return self.clients[-1]


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Away]:
    away = Away(tmp_path)
    yield away
    for client in away.clients:
        client.close(0.05)


def test_an_agent_whose_events_do_not_arrive_is_stopped(away: Away) -> None:
    """A fresh view is worth nothing where no monitor can see the calls."""
    session = away.client().session()
    session.guard("t")
    away.offset_ns = 14 * SECOND
    session.guard("t")
    away.offset_ns = 16 * SECOND
    with pytest.raises(NoView, match="unsent_s_max"):
        session.guard("t")


@pytest.mark.parametrize(
    ("settings", "tool", "is_refused"),
    [
        ({"fail": "open"}, "t", False),
        ({"fail": "open", "irreversible_tools": ["pay"]}, "pay", True),
        ({"before_view": "allow"}, "t", True),
        ({"control": False}, "pay", False),
    ],
)
def test_unseen_calls_are_answered_as_fail_says(
    away: Away, settings: dict[str, Any], tool: str, is_refused: bool
) -> None:
    """`before_view` has no say in it, and `control=False` goes on refusing nothing."""
    session = away.client(**settings).session()
    session.start()
    away.offset_ns = 16 * SECOND
    if is_refused:
        with pytest.raises(NoView):
            session.guard(tool)
    else:
        session.guard(tool)


def test_calls_pass_again_once_events_arrive(away: Away) -> None:
    """The refusal itself is told later, with everything that waited."""
    client = away.client()
    session = client.session()
    session.guard("t")
    away.offset_ns = 16 * SECOND
    with pytest.raises(NoView):
        session.call("t", lambda: 1)
    (away.directory / "agent.events").unlink()
    assert client.flush(10)
    assert session.call("t", lambda: 1) == 1
    assert client.flush(10)
    kinds = [event["kind"] for event in published(away.directory)]
    assert kinds == ["session.started", "tool.denied", "tool.requested", "tool.completed"]


def quiet(transport: Keeping, now_ns: list[int]) -> EventPublisher:
    limits = QueueLimits(100, 10**6, 0, 0, 3_600 * SECOND)
    return EventPublisher(
        lambda: transport,
        limits,
        Clock(lambda: 0, lambda: now_ns[0]),
        lambda: None,
        lambda *_: None,
    )


def add(publisher: EventPublisher, text: str) -> int:
    return publisher.add("file.read", len(text), lambda: Message("s", text.encode()))


def test_a_transport_that_hangs_is_no_better_than_one_that_fails() -> None:
    """The time counts from what was given first, and ends with a delivery."""
    transport, now_ns = Keeping(), [0]
    transport.gate.clear()
    publisher = quiet(transport, now_ns)
    assert publisher.unsent_ns() == 0
    add(publisher, "1")
    assert transport.entered.wait(5)
    now_ns[0] = 20 * SECOND
    assert publisher.unsent_ns() == 20 * SECOND
    assert publisher.stats().is_healthy
    transport.gate.set()
    assert publisher.flush(5)
    assert publisher.unsent_ns() == 0
    publisher.close(5)


def test_a_broker_that_takes_nothing_delivers_nothing() -> None:
    """What is refused for good leaves the queue empty and the agent unseen all the same."""
    now_ns = [0]
    publisher = quiet(Failing(failures=0), now_ns)
    add(publisher, "never")
    assert publisher.flush(5)
    now_ns[0] = 20 * SECOND
    assert publisher.unsent_ns() == 20 * SECOND
    add(publisher, "fine")
    assert publisher.flush(5)
    assert publisher.unsent_ns() == 0
    publisher.close(5)


@pytest.mark.parametrize("control", [True, False])
def test_a_closed_client_makes_no_calls(tmp_path: Path, control: bool) -> None:
    """Neither of sessions that ran nor of new ones: their events would be dropped."""
    ControlWriter(tmp_path).beat()
    client = Client(f"log:{tmp_path}", ClientOptions(control=control))
    sessions = [client.session(), client.session()]
    sessions[0].guard("t")
    client.close()
    ran: list[int] = []
    for session in (*sessions, client.session()):
        with pytest.raises(SessionOver):
            session.call("t", ran.append, object=1)
    assert ran == []


def test_a_call_that_closing_overtakes_is_not_made(tmp_path: Path) -> None:
    """Between the guard's answer and the event the client may be closed by another thread."""
    client = Client(f"log:{tmp_path}", ClientOptions(control=False))
    session = client.session()
    session.start()
    ran: list[int] = []
    call = session.tool("t")
    client._connection._publisher.close(5)
    with pytest.raises(SessionOver), call:
        ran.append(1)
    assert ran == []
    assert client.stats().dropped == {"tool.requested": 1}


def test_closing_does_not_wait_for_room_once_for_every_session() -> None:
    """A transport that hangs holds the end up for its time limit, not for each event."""
    transport = Keeping()
    transport.gate.clear()
    limits = QueueLimits(1, 10**6, 3_600 * SECOND, 0, 3_600 * SECOND)
    publisher = EventPublisher(lambda: transport, limits, Clock(), lambda: None, lambda *_: None)
    add(publisher, "in flight")
    assert transport.entered.wait(5)
    add(publisher, "waiting")
    held = threading.Thread(target=add, args=(publisher, "held up"))
    held.start()
    publisher.hasten()
    held.join(10)
    assert not held.is_alive()
    add(publisher, "not held up")  # Would outlast the patience for a test.
    transport.gate.set()
    publisher.close(5)


def test_a_heartbeat_never_follows_the_end(tmp_path: Path) -> None:
    """While a session is being ended, the sending thread gives no sign of life for it."""
    client = Client(f"log:{tmp_path}", ClientOptions(control=False))
    session = client.session()
    session.start()
    with session._starting:
        beating = threading.Thread(target=session.heartbeat)
        beating.start()
        beating.join(10)
        assert not beating.is_alive()
        session.end()
    session.heartbeat()
    client.close()
    assert [e["kind"] for e in published(tmp_path)] == ["session.started", "session.ended"]


def test_a_signals_handler_may_close_the_client(tmp_path: Path) -> None:
    """Also where the thread that it interrupts holds the client's own locks."""
    client = Client(f"log:{tmp_path}", ClientOptions(control=False))
    session = client.session()
    session.start()
    closing = threading.Thread(target=lambda: _close_within(client))
    closing.daemon = True
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
    assert [e["kind"] for e in published(tmp_path)] == ["session.started", "session.ended"]


def _close_within(client: Client) -> None:
    with client._connection._lock, client._connection._publisher._changed:
        client.close(5)


@pytest.mark.parametrize("error", [KeyError("x"), AttributeError("x"), struct.error("x")])
def test_no_error_of_the_library_ends_the_sight_of_the_control_topic(error: Exception) -> None:
    """Whatever it raises is trouble, after which the topic is read anew."""
    from interlock.transport.kafka import KafkaControlFeed

    class Broken:
        def poll(self, *_: object, **__: object) -> object:
            raise error

        def close(self, **_: object) -> None: ...

    feed = KafkaControlFeed("127.0.0.1:9", {})
    feed._consumer = Broken()
    feed._looked_ns = feed._asked_ns = time.monotonic_ns()
    with pytest.raises(OSError, match=type(error).__name__):
        feed.poll(0)
    assert feed._consumer is None
