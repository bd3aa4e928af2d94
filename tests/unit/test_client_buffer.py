"""What goes first when not everything can be kept."""

from __future__ import annotations

import contextlib
import random
import sys
from typing import Any

import pytest

from interlock.buffer import Buffer, Waiting, rank
from interlock.transport.base import Message


def event(kind: str, size: int = 1) -> Waiting:
    return Waiting(kind, Message("s", b"x" * size))


KINDS_IN_ORDER_OF_LOSS = ["heartbeat", "message.assistant", "tool.completed", "tool.requested"]


def test_the_least_telling_goes_first() -> None:
    """Heartbeats, then what the model said, then outcomes; requests last, whatever came when."""
    buffer = Buffer(4, 10**6)
    for kind in reversed(KINDS_IN_ORDER_OF_LOSS):
        assert buffer.append(event(kind)) == []
    shed = [buffer.append(event("tool.requested"))[0].kind for _ in range(4)]
    assert shed == KINDS_IN_ORDER_OF_LOSS


@pytest.mark.parametrize("kind", ["session.ended", "session.started", "approval.requested",
                                  "tool.denied", "tool.requested"])  # fmt: skip
def test_what_control_needs_outlives_everything_else(kind: str) -> None:
    """An event that says what was attempted is never shed for one that does not."""
    buffer = Buffer(1, 10**6)
    buffer.append(event(kind))
    incoming = event("file.read")
    assert buffer.append(incoming) == [incoming]
    assert [e.kind for e in buffer.take(9, 10**6)] == [kind]


def test_within_a_rank_the_oldest_goes_first() -> None:
    """Of equals the newest stay."""
    buffer = Buffer(2, 10**6)
    first, second, third = (event("tool.requested", n) for n in (1, 2, 3))
    buffer.append(first)
    buffer.append(second)
    assert buffer.append(third) == [first]
    assert buffer.take(9, 10**6) == [second, third]


def test_bytes_are_bounded_too() -> None:
    """A large event makes room for itself from several small ones."""
    buffer = Buffer(100, 10)
    for _ in range(5):
        buffer.append(event("heartbeat", 2))
    assert len(buffer.append(event("tool.requested", 7))) == 4
    assert buffer.bytes_count == 9
    assert not buffer.has_room_for(2)
    assert buffer.has_room_for(1)


def test_a_batch_holds_at_least_one_event_and_at_most_its_bytes() -> None:
    """An event larger than a batch is a batch of its own."""
    buffer = Buffer(100, 1000)
    for size in (50, 3, 3, 50):
        buffer.append(event("file.read", size))
    sizes = []
    while batch := buffer.take(10, 10):
        sizes.append([e.size for e in batch])
    assert sizes == [[50], [3, 3], [50]]


def test_order_and_counts_hold_under_any_mixture() -> None:
    """What is taken comes in the order of giving; nothing is lost but what was said to be."""
    seed = 20_251
    randomness = random.Random(seed)
    buffer = Buffer(20, 200)
    given: list[Waiting] = []
    gone: list[Waiting] = []
    taken: list[Waiting] = []
    for number in range(2_000):
        if randomness.random() < 0.6:
            new = Waiting(randomness.choice(KINDS_IN_ORDER_OF_LOSS), Message(str(number), b"x" * 7))
            given.append(new)
            gone += buffer.append(new)
        else:
            taken += buffer.take(randomness.randint(1, 5), randomness.randint(1, 30))
        assert len(buffer) <= 20
        assert buffer.bytes_count <= 200
    taken += buffer.take(10**6, 10**9)
    assert buffer.bytes_count == 0
    positions = [given.index(e) for e in taken]
    assert positions == sorted(positions), f"seed {seed}"
    assert sorted(map(given.index, gone + taken)) == list(range(len(given))), f"seed {seed}"


def test_kinds_of_the_users_own_rank_with_outcomes() -> None:
    """An unknown kind is neither first nor last to go."""
    assert rank("heartbeat") < rank("my.own.kind") == rank("tool.completed") < rank("tool.denied")


class Interrupted(BaseException):
    """What a signal's handler may raise at any line."""


@pytest.mark.parametrize("line_number", range(12))
def test_an_append_that_is_broken_off_leaves_a_queue_that_works(line_number: int) -> None:
    """Ctrl-C in the middle of it costs at most its own event: the sending thread goes on."""
    buffer = Buffer(100, 1_000)
    buffer.append(event("tool.requested"))
    lines_left = line_number

    def trace(frame: Any, kind: str, _: object) -> Any:
        nonlocal lines_left
        if frame.f_code is not Buffer.append.__code__:
            return None
        if kind == "line":
            lines_left -= 1
            if lines_left < 0:
                raise Interrupted
        return trace

    tracer_before = sys.gettrace()
    sys.settrace(trace)
    with contextlib.suppress(Interrupted):
        buffer.append(event("file.read"))
    sys.settrace(tracer_before)
    last = event("tool.requested")
    buffer.append(last)
    taken = buffer.take(100, 10**6)
    assert 2 <= len(taken) <= 3
    assert taken[-1] is last
    assert len(buffer) == buffer.bytes_count == 0
    assert buffer.append(last) == []


def test_a_batch_of_one_session_ends_before_the_next() -> None:
    """Places count from 1, in the order of the events."""
    buffer = Buffer(9, 10**6)
    for key in "aabba":
        buffer.append(Waiting("file.read", Message(key, b"x")))
    assert buffer.last_place == 5
    taken = []
    while batch := buffer.take(9, 10**6, is_one_key=True):
        taken.append(("".join(one.message.key for one in batch), buffer.taken_to))
    assert taken == [("aa", 2), ("bb", 4), ("a", 5)]
