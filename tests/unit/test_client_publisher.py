"""The sending thread and its queue: order, limits, trouble, closing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from interlock.clock import Clock
from interlock.publisher import EventPublisher, QueueLimits
from interlock.transport.base import Message, Transport
from tests.support.client_transports import Failing, Keeping

MILLISECOND = 1_000_000


def limits(events_max: int = 100, block_ms: int = 0) -> QueueLimits:
    return QueueLimits(
        events_max=events_max,
        bytes_max=10**6,
        block_ns_max=block_ms * MILLISECOND,
        linger_ns=0,
        heartbeat_ns=3_600_000 * MILLISECOND,
    )


@pytest.fixture
def make() -> Iterator[Callable[..., EventPublisher]]:
    made: list[EventPublisher] = []

    def build(transport: Transport, settings: QueueLimits | None = None) -> EventPublisher:
        publisher = EventPublisher(
            lambda: transport, settings or limits(), Clock(), lambda: None, lambda *_: None
        )
        made.append(publisher)
        return publisher

    yield build
    for publisher in made:
        publisher.close(0.5)


def add(publisher: EventPublisher, kind: str, text: str) -> None:
    publisher.add(kind, len(text), lambda: Message("s", text.encode()))


def texts(transport: Keeping) -> list[str]:
    return [message.value.decode() for message in transport.kept]


def test_what_is_added_is_sent_in_order(make: Callable[..., EventPublisher]) -> None:
    """Every event once, in the order in which it was numbered."""
    transport = Keeping()
    publisher = make(transport)
    for n in range(500):
        add(publisher, "tool.requested", str(n))
        assert publisher.flush(5)
    assert texts(transport) == [str(n) for n in range(500)]
    assert publisher.stats().published == 500


def test_numbers_have_the_order_of_sending_among_threads(
    make: Callable[..., EventPublisher],
) -> None:
    """Threads that publish at once never swap the order of their numbers."""
    transport = Keeping()
    publisher = make(transport, limits(events_max=100_000))
    numbers = iter(range(10**6))

    def numbered() -> Message:
        return Message("s", str(next(numbers)).encode())

    def work() -> None:
        for _ in range(300):
            publisher.add("file.read", 4, numbered)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert publisher.flush(10)
    assert texts(transport) == [str(n) for n in range(2400)]


def test_a_full_queue_sheds_after_numbering(make: Callable[..., EventPublisher]) -> None:
    """A drop is a visible gap: every event had its number, and drops are counted by kind."""
    transport = Keeping()
    transport.gate.clear()
    publisher = make(transport, limits(events_max=2))
    numbers = iter(range(100))
    add(publisher, "tool.requested", "in flight")
    assert transport.entered.wait(5)
    for kind in ("heartbeat", "my.kind", "tool.requested", "tool.requested"):
        publisher.add(kind, 1, lambda: Message("s", str(next(numbers)).encode()))
    stats = publisher.stats()
    assert stats.dropped == {"heartbeat": 1, "other": 1}
    assert stats.waiting_events == 3
    transport.gate.set()
    assert publisher.flush(5)
    assert texts(transport) == ["in flight", "2", "3"]


def test_a_full_queue_holds_the_caller_no_longer_than_its_limit(
    make: Callable[..., EventPublisher],
) -> None:
    """It waits for room up to the limit, then sheds."""
    transport = Keeping()
    transport.gate.clear()
    publisher = make(transport, limits(events_max=1, block_ms=50))
    add(publisher, "file.read", "in flight")
    assert transport.entered.wait(5)
    add(publisher, "file.read", "waiting")
    add(publisher, "file.read", "one too many")  # Returns, although the gate stays shut.
    assert publisher.stats().dropped == {"other": 1}
    transport.gate.set()


def test_room_that_comes_in_time_saves_the_event(make: Callable[..., EventPublisher]) -> None:
    """A slow transport slows the agent a little rather than losing events."""
    transport = Keeping()
    transport.gate.clear()
    publisher = make(transport, limits(events_max=1, block_ms=10_000))
    add(publisher, "file.read", "1")
    assert transport.entered.wait(5)
    add(publisher, "file.read", "2")
    threading.Timer(0.02, transport.gate.set).start()
    add(publisher, "file.read", "3")
    assert publisher.flush(5)
    assert texts(transport) == ["1", "2", "3"]
    assert publisher.stats().dropped == {}


def test_trouble_is_counted_and_only_the_undelivered_is_sent_again(
    make: Callable[..., EventPublisher],
) -> None:
    """What a failed batch did deliver comes once; health returns with delivery."""
    transport = Failing(failures=2, delivered_each=0)
    publisher = make(transport)
    add(publisher, "file.read", "1")
    for n in (2, 3):
        add(publisher, "file.read", str(n))
    assert publisher.flush(10)
    assert sorted(texts(transport)) == ["1", "2", "3"]
    stats = publisher.stats()
    assert (stats.published, stats.errors, stats.is_healthy) == (3, 2, True)


def test_what_no_broker_takes_holds_up_nothing(make: Callable[..., EventPublisher]) -> None:
    """One poisoned event is dropped and counted; the others arrive."""
    transport = Failing(failures=0)
    publisher = make(transport)
    for text in ("1", "never", "2"):
        add(publisher, "file.read", text)
    assert publisher.flush(5)
    stats = publisher.stats()
    assert texts(transport) == ["1", "2"]
    assert (stats.published, stats.refused_by_broker, stats.dropped) == (2, 1, {"other": 1})


def test_while_the_transport_is_down_nobody_waits_for_it(
    make: Callable[..., EventPublisher],
) -> None:
    """Waiting would help nobody: the queue sheds at once."""
    transport = Failing(failures=10**9, delivered_each=0)
    publisher = make(transport, limits(events_max=1, block_ms=600_000))
    add(publisher, "file.read", "1")
    add(publisher, "file.read", "2")
    for n in range(20):  # Would outlast the patience for a test if they waited.
        add(publisher, "file.read", str(n))
    stats = publisher.stats()
    assert not stats.is_healthy
    assert stats.last_error == "broker away"


def test_a_transport_that_cannot_be_opened_is_trouble_and_no_error() -> None:
    """The agent never sees it; closing says what was not delivered."""

    def refuse() -> Transport:
        raise OSError(13, "Permission denied")

    publisher = EventPublisher(refuse, limits(), Clock(), lambda: None, lambda *_: None)
    add(publisher, "file.read", "1")
    assert not publisher.flush(0.05)
    publisher.close(0.05)
    stats = publisher.stats()
    assert stats.waiting_events == 1
    assert stats.last_error == "Permission denied"
    assert not stats.is_healthy


def test_closing_delivers_what_waits_and_counts_what_comes_later(
    make: Callable[..., EventPublisher],
) -> None:
    """After closing an event is numbered and counted as dropped; closing twice is no fault."""
    transport = Keeping()
    publisher = make(transport)
    for n in range(50):
        add(publisher, "file.read", str(n))
    publisher.close(5)
    publisher.close(5)
    add(publisher, "tool.requested", "late")
    assert len(transport.kept) == 50
    assert transport.is_closed
    stats = publisher.stats()
    assert stats.dropped == {"tool.requested": 1}
    assert stats.waiting_events == 0
    assert stats.is_healthy


def test_closing_ends_in_time_however_stuck_the_transport_is(
    make: Callable[..., EventPublisher],
) -> None:
    """The end of the agent is not held up past the limit."""
    transport = Keeping()
    transport.gate.clear()
    publisher = make(transport)
    add(publisher, "file.read", "1")
    assert transport.entered.wait(5)
    publisher.close(0.05)  # Returns, although the gate stays shut.
    assert publisher.stats().waiting_events == 1
    transport.gate.set()


def test_a_forked_child_starts_empty(make: Callable[..., EventPublisher]) -> None:
    """What waited is the parent's to send; the parent's transport is left alone, not closed."""
    transport = Keeping()
    publisher = make(transport)
    add(publisher, "file.read", "1")
    assert publisher.flush(5)
    publisher.close(5)
    transport.is_closed = False
    publisher.after_fork_in_child()
    assert transport.is_abandoned
    assert not transport.is_closed
    assert publisher.stats().published == 0
    add(publisher, "file.read", "2")
    assert publisher.flush(5)


class Late(Failing):
    """Refuses what says `never`, once the gate is open."""

    def send(self, batch: Sequence[Message]) -> None:
        self.entered.set()
        assert self.gate.wait(30)
        super().send(batch)


def test_who_waits_for_an_event_waits_for_those_before_it(
    make: Callable[..., EventPublisher],
) -> None:
    """And not for those after it; an event that was shed or refused is not waited for."""
    transport = Late(failures=0)
    transport.gate.clear()
    publisher = make(transport)
    places = [publisher.add("file.read", 5, lambda: Message("s", b"never")) for _ in range(3)]
    assert places == [1, 2, 3]
    assert not publisher.wait_until_sent(1, 0.01, is_once=False)
    transport.gate.set()
    assert publisher.wait_until_sent(3, 30, is_once=False)
    assert publisher.stats().refused_by_broker == 3
    publisher.close(5)
    assert publisher.add("file.read", 1, lambda: Message("s", b"x")) == 0


def test_an_impatient_wait_ends_with_a_failed_attempt(make: Callable[..., EventPublisher]) -> None:
    """However long it might have lasted; the event is sent later."""
    transport = Failing(failures=10**9, delivered_each=0)
    publisher = make(transport)
    place = publisher.add("file.read", 1, lambda: Message("s", b"x"))
    assert not publisher.wait_until_sent(place, 30, is_once=True)
    assert publisher.is_away
    transport.failures_left = 0
    assert publisher.wait_until_sent(place, 30, is_once=False)
    assert not publisher.is_away


def test_lost_events_are_reported_with_the_reason() -> None:
    """Those that were shed, refused, or came after the end."""
    lost: list[tuple[str, str, str]] = []
    transport = Late(failures=0)
    publisher = EventPublisher(
        lambda: transport,
        limits(events_max=1),
        Clock(),
        lambda: None,
        lambda kind, message, reason: lost.append((kind, message.key, reason)),
    )
    transport.gate.clear()
    publisher.add("file.read", 5, lambda: Message("refused", b"never"))
    assert transport.entered.wait(30)
    for key in ("shed", "kept"):
        publisher.add("file.read", 1, lambda key=key: Message(key, b"x"))
    transport.gate.set()
    publisher.close(30)
    publisher.add("heartbeat", 1, lambda: Message("late", b"x"))
    assert [key for _, key, _ in lost] == ["shed", "refused", "late"]
    assert [reason for _, _, reason in lost] == [
        "the queue of unsent events was full",
        "too large",
        "the client was closed",
    ]
