"""The thread that sends a client's events, and the bounded queue before it.

`add` numbers an event and queues it. It waits for room at most `block_ns_max`, and not at all while
the transport is down, when waiting cannot help. Events that do not fit are shed by rank
(`buffer.py`) after they were numbered, so that the monitor sees a gap. One condition guards all
state; only the sending thread uses the transport.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from .buffer import Buffer, Waiting
from .clock import Clock
from .transport.base import Message, Transport, Undelivered

BATCH_EVENTS_MAX: Final = 1_000
BATCH_BYTES_MAX: Final = 1024 * 1024
"""Chosen: after a failure one batch may be sent twice, so it stays small."""

RETRY_FIRST_S: Final = 0.05
RETRY_LONGEST_S: Final = 5.0

_COUNTED_KINDS: Final = frozenset({
    "heartbeat", "message.assistant", "message.user", "session.started", "session.ended",
    "tool.requested", "tool.completed", "tool.failed", "tool.denied", "approval.requested",
})  # fmt: skip
"""Drops of other kinds are counted as `other`: kinds are text, and counts must stay few."""


@dataclass(frozen=True, slots=True)
class Stats:
    """The outcome of a client's events, as counts since the process began (or was forked).

    `dropped`: numbered and not sent, by kind. `waiting_events` and `waiting_bytes`: still to be
    sent. `unserialisable`: values that JSON cannot represent. `oversize`: events whose arguments
    did not fit. `cut`: events with a truncated result or text. `view_age_s`: None without a control
    view. `asked`: calls that a gate was asked about; `unanswered`: those without its answer;
    `unasked`: those of them that were made all the same.
    """

    published: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    refused_by_broker: int = 0
    waiting_events: int = 0
    waiting_bytes: int = 0
    errors: int = 0
    last_error: str = ""
    is_healthy: bool = True
    unserialisable: int = 0
    oversize: int = 0
    cut: int = 0
    control_errors: int = 0
    control_unreadable: int = 0
    view_age_s: float | None = None
    asked: int = 0
    unanswered: int = 0
    unasked: int = 0


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much may wait, how long a caller may be held, how long events are gathered.

    With `is_one_key` a batch contains events of one session.
    """

    events_max: int
    bytes_max: int
    block_ns_max: int
    linger_ns: int
    heartbeat_ns: int
    is_one_key: bool = False


class EventPublisher:
    """See the module.

    `on_heartbeat` is called by the sending thread every `heartbeat_ns`; `on_lost`, under the lock,
    with the kind, the message and the reason for each event that will never be delivered.
    """

    def __init__(
        self,
        open_transport: Callable[[], Transport],
        limits: QueueLimits,
        clock: Clock,
        on_heartbeat: Callable[[], None],
        on_lost: Callable[[str, Message, str], None],
    ) -> None:
        self._open_transport = open_transport
        self._limits = limits
        self._clock = clock
        self._on_heartbeat = on_heartbeat
        self._on_lost = on_lost
        self._transport: Transport | None = None
        self._reset()

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._buffer = Buffer(self._limits.events_max, self._limits.bytes_max)
        self._thread: threading.Thread | None = None
        self._in_flight: tuple[int, int] = (0, 0)
        self._published = 0
        self._refused = 0
        self._errors = 0
        self.last_error = ""
        self._is_healthy = True
        self._dropped: dict[str, int] = {}
        self._unsent_since_ns: int | None = None
        self._settled_to = 0
        self._is_barred = False
        self.is_away = False
        self._awaiting_count = 0
        self._is_hastening = False
        self._is_closed = False
        self._gives_up = False
        self._has_ended = False

    def add(self, kind: str, size: int, numbered: Callable[[], Message]) -> int:
        """Number an event of about `size` bytes and queue it. Returns its place in the queue, from
        1, or 0 if the publisher is closed.

        `numbered` is called once, under the lock: the order of numbers is the order of sending.
        """
        with self._changed:
            self._wait_for_room(size)
            event = Waiting(kind, numbered())
            if self._is_closed:
                self._count_drop(event, "the client was closed")
                return 0
            if self._unsent_since_ns is None:
                self._unsent_since_ns = self._clock.monotonic_ns()
            for shed in self._buffer.append(event):
                self._count_drop(shed, "the queue of unsent events was full")
            if self._thread is None:
                self._start()
            self._changed.notify_all()
            return self._buffer.last_place

    def unsent_ns(self) -> int:
        """How long events have been given and none delivered; 0 while they arrive. Takes no lock.

        An event that no broker takes counts as not delivered: a broker that takes none hides the
        agent as well as one that is away. The next delivery sets the time back.
        """
        since_ns = self._unsent_since_ns
        return 0 if since_ns is None else self._clock.monotonic_ns() - since_ns

    def hasten(self) -> None:
        """The client is closing: from now on, callers do not wait for room."""
        with self._changed:
            self._is_hastening = True
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all added events are sent; False if this takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting_count(), timeout_s)

    def wait_until_sent(self, place: int, timeout_s: float, *, is_once: bool) -> bool:
        """Wait until the event at `place` and all before it are delivered, refused or shed.

        False if this takes longer, or if the transport says that it will, or (with `is_once`) if an
        attempt fails. Events are not gathered meanwhile.
        """
        if place <= self._settled_to:
            return True
        with self._changed:
            self._awaiting_count += 1
            self._changed.notify_all()
            failed_count = self._errors if is_once else sys.maxsize
            try:
                self._changed.wait_for(
                    lambda: (
                        self._is_settled(place)
                        or self._is_barred
                        or self._is_closed
                        or self._errors > failed_count
                    ),
                    timeout_s,
                )
                return self._is_settled(place)
            finally:
                self._awaiting_count -= 1

    def close(self, timeout_s: float) -> None:
        """Send waiting events for at most `timeout_s`; then the thread ends. Safe to call twice."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            thread = self._thread
            if thread is None or thread is threading.current_thread():
                return
            # Not `join`: a signal's handler may close while its thread holds the lock, and waiting
            # here lets go of it, however often it is held.
            self._changed.wait_for(lambda: self._has_ended or not thread.is_alive(), timeout_s)
            self._gives_up = True
            self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        """Start empty: the parent sends the waiting events, and its thread does not exist here."""
        if self._transport is not None:
            self._transport.abandon()
            self._transport = None
        self._reset()

    def stats(self) -> Stats:
        with self._changed:
            in_flight_events, in_flight_bytes = self._in_flight
            return Stats(
                published=self._published,
                dropped=dict(self._dropped),
                refused_by_broker=self._refused,
                waiting_events=len(self._buffer) + in_flight_events,
                waiting_bytes=self._buffer.bytes_count + in_flight_bytes,
                errors=self._errors,
                last_error=self.last_error,
                is_healthy=self._is_healthy and not self._has_died(),
            )

    def _has_died(self) -> bool:
        """A thread that ended unexpectedly hit a bug of Interlock: it sends nothing more."""
        return self._thread is not None and not self._thread.is_alive() and not self._is_closed

    def _is_settled(self, place: int) -> bool:
        return place <= self._settled_to or not self._waiting_count()

    def _waiting_count(self) -> int:
        return len(self._buffer) + self._in_flight[0]

    def _wait_for_room(self, size: int) -> None:
        if self._buffer.has_room_for(size) or threading.current_thread() is self._thread:
            return
        self._changed.wait_for(
            lambda: (
                self._buffer.has_room_for(size)
                or not self._is_healthy
                or self._is_hastening
                or self._is_closed
            ),
            self._limits.block_ns_max / 1e9,
        )

    def _count_drop(self, event: Waiting, reason: str) -> None:
        kind = event.kind if event.kind in _COUNTED_KINDS else "other"
        self._dropped[kind] = self._dropped.get(kind, 0) + 1
        self._on_lost(event.kind, event.message, reason)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="interlock-publisher", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # No thread can be had (the interpreter is ending, or a limit): the event waits.
            self._note_trouble(str(error))
            return
        self._thread = thread

    def _run(self) -> None:
        heartbeat_due_ns = self._clock.monotonic_ns() + self._limits.heartbeat_ns
        while (batch := self._next_batch(heartbeat_due_ns)) is not None:
            if batch:
                self._deliver(batch)
            if self._clock.monotonic_ns() >= heartbeat_due_ns:
                self._on_heartbeat()
                heartbeat_due_ns = self._clock.monotonic_ns() + self._limits.heartbeat_ns
        if self._transport is not None:
            self._transport.close()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def _next_batch(self, heartbeat_due_ns: int) -> list[Waiting] | None:
        """The next events; an empty list when a heartbeat is due; None when all is over."""
        with self._changed:
            if not len(self._buffer) and not self._is_closed:
                idle_ns = heartbeat_due_ns - self._clock.monotonic_ns()
                self._changed.wait(max(0, idle_ns) / 1e9)
            if self._gives_up or (self._is_closed and not len(self._buffer)):
                return None
            if len(self._buffer) and self._limits.linger_ns:
                self._changed.wait_for(self._is_batch_full, self._limits.linger_ns / 1e9)
            batch = self._buffer.take(
                BATCH_EVENTS_MAX, BATCH_BYTES_MAX, is_one_key=self._limits.is_one_key
            )
            self._in_flight = (len(batch), sum(event.size for event in batch))
            self._changed.notify_all()
            return batch

    def _is_batch_full(self) -> bool:
        is_hurried = self._is_closed or self._awaiting_count > 0
        return is_hurried or len(self._buffer) >= BATCH_EVENTS_MAX

    def _deliver(self, batch: list[Waiting]) -> None:
        """Send until all is delivered, refused for good, or the client gives up."""
        pause_s = RETRY_FIRST_S
        while batch:
            undelivered, refused_count, after_s = self._try_to_send(batch)
            delivered_count = len(batch) - len(undelivered) - refused_count
            with self._changed:
                self._published += delivered_count
                self._in_flight = (len(undelivered), sum(event.size for event in undelivered))
                if not undelivered:
                    self._is_healthy, self.last_error = True, ""
                    self._is_barred = self.is_away = False
                    self._settled_to = self._buffer.taken_to
                if delivered_count:
                    is_waiting = self._waiting_count() > 0
                    self._unsent_since_ns = self._clock.monotonic_ns() if is_waiting else None
                self._changed.notify_all()
                if undelivered:
                    self._pause(pause_s, after_s)
                if self._gives_up:
                    return
            batch = undelivered
            pause_s = min(2 * pause_s, RETRY_LONGEST_S)

    def _pause(self, pause_s: float, after_s: float) -> None:
        """Before the next attempt; short while somebody waits, unless the receiver asked for it."""
        if after_s:
            self._changed.wait_for(lambda: self._gives_up, max(pause_s, after_s))
        elif not self._changed.wait_for(
            lambda: self._gives_up or self._awaiting_count > 0, pause_s
        ):
            return
        self._changed.wait_for(lambda: self._gives_up, RETRY_FIRST_S)

    def _try_to_send(self, batch: list[Waiting]) -> tuple[list[Waiting], int, float]:
        """One attempt; returns the events to send again, the number that will never be sent, and
        the least pause that the receiver asked for.
        """
        try:
            if self._transport is None:
                self._transport = self._open_transport()
            self._transport.send([event.message for event in batch])
        except Undelivered as trouble:
            with self._changed:
                self._note_trouble(str(trouble))
                self._is_barred = trouble.is_lasting
                self.is_away = not trouble.is_answer
                for position in trouble.refused:
                    self._count_drop(batch[position], str(trouble))
                self._refused += len(trouble.refused)
            retry = [batch[position] for position in trouble.retry]
            return retry, len(trouble.refused), min(trouble.after_s, RETRY_LONGEST_S)
        except OSError as error:
            with self._changed:
                self._note_trouble(error.strerror or type(error).__name__)
                self.is_away = True
            return batch, 0, 0.0
        return [], 0, 0.0

    def _note_trouble(self, reason: str) -> None:
        self._errors += 1
        self._is_healthy = False
        self.last_error = reason[:200]
        self._changed.notify_all()
