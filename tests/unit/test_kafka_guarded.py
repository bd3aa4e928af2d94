"""Faults of the Kafka library come out as passing errors of Kafka; our own stay what they are."""

from __future__ import annotations

import types
from typing import Any

import pytest

from monitor.transport.base import Stream
from monitor.transport.kafka.client import ClientFaultError, KafkaError
from monitor.transport.kafka.ends import SILENT_S_MAX, Ends
from monitor.transport.kafka.guarded import FAULTS, GuardedClient
from monitor.transport.kafka.streams import Held

LIBRARY = """
def raising(error):
    def end_offsets(*args, **named):
        raise error
    return end_offsets
"""


def client_that_raises(error: BaseException, module: str) -> Any:
    """A client with one method, whose code belongs to `module`."""
    room: dict[str, Any] = {"__name__": module}
    exec(LIBRARY, room)
    return types.SimpleNamespace(end_offsets=room["raising"](error), _private=7)


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_a_fault_of_the_library_is_one_of_kafka(kind: type[Exception]) -> None:
    """A `KeyError` after a topic was deleted must end no monitor."""
    guarded = GuardedClient(
        client_that_raises(kind("x"), "kafka.consumer.fetcher"), ClientFaultError
    )
    with pytest.raises(ClientFaultError) as caught:
        guarded.end_offsets([])
    assert caught.value.retriable and isinstance(caught.value, KafkaError)
    assert "end_offsets" in str(caught.value)


@pytest.mark.parametrize("error", [KeyError("x"), KafkaError("x"), OSError("x")])
def test_what_is_not_the_librarys_fault_passes(error: Exception) -> None:
    """Our own mistakes, Kafka's errors and the system's are told apart by whoever calls."""
    guarded = GuardedClient(
        client_that_raises(error, "monitor.transport.kafka.consumer"), ClientFaultError
    )
    with pytest.raises(type(error)) as caught:
        guarded.end_offsets([])
    assert caught.value is error
    assert guarded._private == 7


class Brokers:
    """Answers for ends, or raises what it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def end_offsets(self, partitions: list[Any], timeout_ms: int) -> dict[Any, int]:
        if self.error is not None:
            raise self.error
        return dict.fromkeys(partitions, 9)


def test_brokers_that_are_silent_are_trouble() -> None:
    """After some questions without an answer, and until the next one."""
    now = 0.0
    ends, brokers = Ends(lambda: now, lambda: 0), Brokers()
    held = {"tp": Held(Stream("t", "0"), is_placed=True)}
    ends.ask(brokers, held)
    assert held["tp"].known_end == 9 and ends.trouble() == ""
    brokers.error = ClientFaultError("KeyError in `end_offsets`")
    now = SILENT_S_MAX
    ends.ask(brokers, held)
    assert held["tp"].known_end is None and ends.trouble() == ""
    now += 1
    assert "no broker has answered for 6 s" in ends.trouble()
    brokers.error = None
    ends.ask(brokers, held)
    assert ends.trouble() == ""


def test_who_holds_no_stream_asks_nobody() -> None:
    """A group's member without partitions says nothing of the brokers."""
    now = 0.0
    ends, brokers = Ends(lambda: now, lambda: 0), Brokers()
    brokers.error = AssertionError("was asked")
    now = 60.0
    ends.ask(brokers, {})
    assert ends.trouble() == ""


def test_a_machine_that_slept_asks_for_the_ends_anew() -> None:
    """Its monotonic clock stood still. What came meanwhile is before no end that it knows of."""
    now, wall_ns = 100.0, 1_000_000_000_000
    ends, brokers = Ends(lambda: now, lambda: wall_ns), Brokers()
    held = {"tp": Held(Stream("t", "0"), is_placed=True)}
    ends.ask(brokers, held)
    assert not ends.are_due(held)
    wall_ns += 3_600_000_000_000
    assert ends.are_due(held)
    ends.ask(brokers, held)
    assert not ends.are_due(held)
    wall_ns -= 3_600_000_000_000
    assert ends.are_due(held), "a clock that was set back"
