"""One client's connection: its threads, its queue, its sessions; the judge decides the rest.

Forks and the end of the interpreter are handled here, once for all clients.
"""

from __future__ import annotations

import atexit
import dataclasses
import os
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from typing import Final

from .event_json import Draft
from .options import ClientOptions
from .ports import Attached, Judge, Link
from .publisher import EventPublisher, Stats
from .transport.base import Message

EXIT_TIMEOUT_S: Final = 2.0
"""How long the end of the interpreter may be held up for events that still wait."""


class Connection:
    """Delivers the events of sessions to `judge`. It opens nothing before the first event."""

    def __init__(self, judge: Judge, options: ClientOptions) -> None:
        self.judge = judge
        self._heartbeat_ns = options.heartbeat_ns
        self._block_s_max = options.block_ms_max / 1e3
        self.clock = options.clock
        self.path_args = frozenset(options.path_args)
        limits = dataclasses.replace(options.limits(), is_one_key=judge.is_gate)
        self._publisher = EventPublisher(
            judge.open_transport, limits, self.clock, self._send_heartbeats, judge.lost
        )
        self._forget()
        _connections.add(self)

    def _forget(self) -> None:
        # A signal's handler may close the client while this thread holds the lock.
        self._lock = threading.RLock()
        self._sessions: weakref.WeakSet[Attached] = weakref.WeakSet()
        self.is_closed = False
        self._unserialisable = 0
        self._oversize = 0
        self._cut = 0

    def attach(self, session: Attached) -> None:
        """A session publishes here from now on."""
        with self._lock:
            self._sessions.add(session)

    def link(self, session_id: str, ancestors: tuple[str, ...]) -> Link:
        """Connect a session to the judge."""
        return self.judge.link(self, session_id, ancestors)

    def stats(self) -> Stats:
        """Counts since the process began (or was forked)."""
        return self.judge.stats(
            dataclasses.replace(
                self._publisher.stats(),
                unserialisable=self._unserialisable,
                oversize=self._oversize,
                cut=self._cut,
            )
        )

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until published events are delivered; False if this takes longer."""
        return self._publisher.flush(timeout_s)

    def wait_until_sent(self, place: int, timeout_s: float, *, is_once: bool) -> bool:
        """Wait until the event at `place` and all before it are delivered, refused or shed."""
        return self._publisher.wait_until_sent(place, timeout_s, is_once=is_once)

    def wait_until_judged(self, timeout_s: float = 60.0) -> bool:
        """Wait until everything published so far is judged; False after `timeout_s`."""
        return self.judge.wait_until_judged(self, timeout_s)

    def close(self, timeout_s: float = 5.0) -> Stats:
        """End running sessions, deliver events for at most `timeout_s`, and stop the threads.

        Safe to call twice.
        """
        deadline_ns = time.monotonic_ns() + int(timeout_s * 1e9)
        # First, so that no call begins that the judge would not see.
        self.is_closed = True
        self._publisher.hasten()
        for session in self._running_sessions():
            session.close()
        self.judge.stop(0)
        self._publisher.close(timeout_s)
        self.judge.stop(max(0, deadline_ns - time.monotonic_ns()) / 1e9)
        return self.stats()

    def begin(self) -> None:
        """A session starts in this process: the judge begins, and the end is arranged for."""
        _finish_before_multiprocessing_does()
        self.judge.begin()

    @property
    def last_error(self) -> str:
        """The last trouble with the transport, until events are delivered again."""
        return self._publisher.last_error

    @property
    def is_away(self) -> bool:
        """True if that trouble was that nobody answered."""
        return self._publisher.is_away

    def unsent_ns(self) -> int:
        """How long events have waited and none was delivered; 0 while they arrive."""
        return self._publisher.unsent_ns()

    def publish(self, event: Draft, message: Callable[[], Message]) -> int:
        """Queue an event, whose `message` is made under the queue's lock. Returns its place in the
        queue, from 1, or 0 once closed.
        """
        if event.unserialisable_count or event.is_oversize or event.is_cut:
            with self._lock:
                self._unserialisable += event.unserialisable_count
                self._oversize += event.is_oversize
                self._cut += event.is_cut
        return self._publisher.add(event.kind, len(event.rest), message)

    def publish_recorded(self, kind: str, message: Message) -> None:
        """Queue an event of another process, which has its number."""
        self.judge.checked_recording()
        _finish_before_multiprocessing_does()
        self._publisher.add(kind, len(message.value), lambda: message)

    def before_fork(self) -> None:
        """Deliver what was told before the fork: a gate must not judge the child's calls before."""
        if self.judge.is_gate:
            self._publisher.flush(self._block_s_max)

    def after_fork_in_child(self) -> None:
        """Begin anew in this process: own threads, own files, own sessions, nothing waiting."""
        sessions = list(self._sessions)
        self._forget()
        self._publisher.after_fork_in_child()
        self.judge.after_fork_in_child()
        for session in sessions:
            # Two processes cannot share one sequence of numbers, unless a gate gives them.
            session.after_fork_in_child(session.id if self.judge.is_gate else uuid.uuid4().hex)
            self._sessions.add(session)

    def _running_sessions(self) -> list[Attached]:
        with self._lock:
            sessions = list(self._sessions)
        return [session for session in sessions if session.is_running]

    def _send_heartbeats(self) -> None:
        now_ns = self.clock.monotonic_ns()
        for session in self._running_sessions():
            if now_ns - session.last_event_ns >= self._heartbeat_ns:
                session.heartbeat()


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


def _before_fork() -> None:
    for connection in list(_connections):
        connection.before_fork()


def _after_fork_in_child() -> None:
    for connection in list(_connections):
        connection.after_fork_in_child()


def _close_all() -> None:
    for connection in list(_connections):
        connection.close(EXIT_TIMEOUT_S)


def _finish_before_multiprocessing_does() -> None:
    """Children of `multiprocessing` end without `atexit`; they have a list of their own."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and _finishing_in != [os.getpid()]:
        _finishing_in[:] = [os.getpid()]
        util.Finalize(None, _close_all, exitpriority=10)


_finishing_in: list[int] = []
"""The process in which that was arranged."""

atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
