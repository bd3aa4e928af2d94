"""One client's connection: its threads, its queue, its view of the control topic.

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
from collections.abc import Callable, Mapping
from typing import Final

from .control_feed import ControlFeed, LogControlFeed
from .control_record import CLOCKS_APART_NS_MAX
from .control_view import ControlFollower
from .errors import SettingError
from .event_json import Draft
from .options import ClientOptions
from .ports import Attached
from .publisher import EventPublisher, Stats
from .transport.base import Message, Transport, Whereabouts
from .transport.open import open_transport, shard_of
from .transport.target import CONTROL_TOPIC, LogTarget, Target, parse_target, principal_of
from .watermarks import Shard

EXIT_TIMEOUT_S: Final = 2.0
"""How long the end of the interpreter may be held up for events that still wait."""


class Connection:
    """Delivers the events of sessions, and follows the control topic for them.

    It opens nothing before the first event or call. `identity` contains the names that every event
    states.

    Raises
    ------
    SettingError
        For a target that cannot be used.
    """

    def __init__(self, target: str, identity: Mapping[str, str], options: ClientOptions) -> None:
        self._target: Target = parse_target(target)
        self._options = options
        self._whereabouts = Whereabouts()
        self.identity = identity
        self.clock = options.clock
        self.path_args = frozenset(options.path_args)
        self.policy = options.policy()
        self.principal = options.principal or principal_of(self._target)
        self.control_keys = _control_keys(identity["agent"], self.principal)
        self._publisher = EventPublisher(
            self._open_transport, options.limits(), self.clock, self._send_heartbeats
        )
        self.follower: ControlFollower | None = None
        if options.control:
            age_ns_max = int(options.view_age_s_max * 1e9)
            self.follower = ControlFollower(self._open_feed, self.clock, age_ns_max=age_ns_max)
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

    def stats(self) -> Stats:
        """Counts since the process began (or was forked)."""
        follower = self.follower
        age_ns = None if follower is None else follower.last_age_ns
        return dataclasses.replace(
            self._publisher.stats(),
            unserialisable=self._unserialisable,
            oversize=self._oversize,
            cut=self._cut,
            control_errors=0 if follower is None else follower.errors_count,
            control_unreadable=0 if follower is None else follower.unreadable_count,
            view_age_s=None if age_ns is None else age_ns / 1e9,
        )

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until published events are delivered; False if this takes longer."""
        return self._publisher.flush(timeout_s)

    def wait_until_judged(self, timeout_s: float = 60.0) -> bool:
        """Wait until the monitor has judged everything published so far; False after `timeout_s`.

        SettingError without a control topic.
        """
        if self.follower is None:
            raise SettingError("`control` is False: the client does not read the control topic")
        deadline_ns = self.clock.monotonic_ns() + int(timeout_s * 1e9)
        if not self.flush(timeout_s):
            return False
        left_s = max(0, deadline_ns - self.clock.monotonic_ns()) / 1e9
        since_ns, shard = self.clock.wall_ns() + CLOCKS_APART_NS_MAX, None
        if isinstance(self._target, LogTarget):
            # One machine has one clock. On Kafka, published events may be in any partition.
            since_ns, shard = self.clock.wall_ns(), self.shard("")
        return self.follower.wait_until_judged(since_ns, left_s, (shard,))

    def close(self, timeout_s: float = 5.0) -> Stats:
        """End running sessions, deliver events for at most `timeout_s`, and stop the threads.

        Safe to call twice.
        """
        deadline_ns = time.monotonic_ns() + int(timeout_s * 1e9)
        # First, so that no call begins that the monitor would not see.
        self.is_closed = True
        self._publisher.hasten()
        for session in self._running_sessions():
            session.end(error="client closed")
        if self.follower is not None:
            self.follower.stop(0)
        self._publisher.close(timeout_s)
        if self.follower is not None:
            self.follower.stop(max(0, deadline_ns - time.monotonic_ns()) / 1e9)
        return self.stats()

    def begin(self) -> None:
        """A session starts in this process: follow the control topic, arrange for its end."""
        _finish_before_multiprocessing_does()
        if self.follower is not None:
            self.follower.start()

    @property
    def places(self) -> tuple[int | None, int | None]:
        """Changes when `shard` may answer differently."""
        return self._whereabouts.known

    def shard(self, session_id: str) -> Shard | None:
        """The shard of a session's events; None until it is known."""
        return shard_of(self._target, self._whereabouts, session_id)

    def unsent_ns(self) -> int:
        """How long events have waited and none was delivered; 0 while they arrive."""
        return self._publisher.unsent_ns()

    def publish(self, event: Draft, numbered: Callable[[], Message]) -> bool:
        """Queue an event; `numbered` gives it its place in the session. False once closed."""
        if event.unserialisable_count or event.is_oversize or event.is_cut:
            with self._lock:
                self._unserialisable += event.unserialisable_count
                self._oversize += event.is_oversize
                self._cut += event.is_cut
        return self._publisher.add(event.kind, len(event.rest), numbered)

    def publish_recorded(self, kind: str, message: Message) -> None:
        """Queue an event of another process, which has its number."""
        _finish_before_multiprocessing_does()
        self._publisher.add(kind, len(message.value), lambda: message)

    def after_fork_in_child(self) -> None:
        """Begin anew in this process: own threads, own files, own sessions, nothing waiting."""
        sessions = list(self._sessions)
        self._forget()
        self._publisher.after_fork_in_child()
        if self.follower is not None:
            self.follower.after_fork_in_child()
        for session in sessions:
            session.after_fork_in_child(uuid.uuid4().hex)
            self._sessions.add(session)

    def _running_sessions(self) -> list[Attached]:
        with self._lock:
            sessions = list(self._sessions)
        return [session for session in sessions if session.is_running]

    def _send_heartbeats(self) -> None:
        now_ns = self.clock.monotonic_ns()
        for session in self._running_sessions():
            if now_ns - session.last_event_ns >= self._options.heartbeat_ns:
                session.heartbeat()

    def _open_transport(self) -> Transport:
        return open_transport(self._target, self._options.kafka_options, self._whereabouts)

    def _open_feed(self) -> ControlFeed:
        match self._target:
            case LogTarget(directory=directory):
                return LogControlFeed(
                    directory / CONTROL_TOPIC,
                    poll_s=self._options.control_poll_ms / 1e3,
                    wall_ns=self.clock.wall_ns,
                )
        from .transport.kafka import KafkaControlFeed

        return KafkaControlFeed(self._target.bootstrap, self._options.kafka_options)


def _control_keys(agent: str, principal: str) -> tuple[str, ...]:
    named = (("principal", principal), ("agent", agent))
    return tuple(f"{kind}:{name}" for kind, name in named if name)


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


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
    os.register_at_fork(after_in_child=_after_fork_in_child)
