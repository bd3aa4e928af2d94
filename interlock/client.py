"""The agent's connection to Interlock: its settings, its threads, its sessions.

One client per process is enough, for any number of sessions and threads. It opens nothing before
the first event or call. Forks and the end of the interpreter are handled here, once for all
clients.
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
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Final, TypeVar

from .admission import BeforeView, Fail, Policy
from .clock import Clock
from .control_feed import ControlFeed, LogControlFeed
from .control_record import CLOCKS_APART_NS_MAX
from .control_view import ControlFollower
from .errors import SettingError
from .event_json import Draft
from .publisher import Limits, Publisher, Stats
from .recorded_event import recorded_event
from .session import Session, checked_ancestor, checked_name, checked_session_id
from .transport import (
    CONTROL_TOPIC,
    LogTarget,
    Message,
    Target,
    Transport,
    Whereabouts,
    open_transport,
    parse_target,
    principal_of,
    shard_of,
)
from .watermarks import Shard

EXIT_TIMEOUT_S: Final = 2.0
"""How long the end of the interpreter may be held up for events that still wait."""

ANCESTORS_MAX: Final = 32

N = TypeVar("N", bound=str)

_OPTIONS: Final = ("security_", "sasl_", "ssl_", "client_id", "api_version")


class Client:
    """Publishes events, follows the control topic, answers `guard`.

    Parameters
    ----------
    target : `kafka://HOST:PORT[,HOST:PORT]/agent.events` or `log:DIRECTORY`.
    agent, user, tenant : identities that every event states.
    principal : who the monitor takes this sender for; by default NAME of `agent.events.NAME`.
    control : False to publish only; `guard` then refuses nothing.
    block_ms_max : how long publishing one event may hold the agent while the queue is full.
    buffer_events_max, buffer_bytes_max : how much may wait; past it events are shed.
    linger_ms : how long events are gathered before they are sent.
    heartbeat_s : a running session without events for so long sends a sign of life.
    fail : what `guard` answers when its view is too old: `closed` refuses.
    irreversible_tools : refused without a fresh view whatever `fail` and `before_view` say.
    unsent_s_max : how long events may be undelivered before `guard` answers as `fail` says.
    view_age_s_max : the age from which a view is too old; several heartbeats of the monitor.
    before_view : before the first view: `wait` (then as `fail` says), `refuse` or `allow`.
    wait_s_max : how long `wait` waits.
    control_poll_ms : how often a log directory is looked at for control records.
    path_args : arguments that are paths, as `path` or `read_file.path`: published resolved.
    kafka_options : `security_*`, `sasl_*`, `ssl_*`, `client_id` of the Kafka connection.

    Raises
    ------
    SettingError
        For a setting that cannot be used.
    """

    def __init__(
        self,
        target: str,
        *,
        agent: str = "",
        user: str = "",
        tenant: str = "",
        principal: str = "",
        control: bool = True,
        block_ms_max: float = 50,
        buffer_events_max: int = 10_000,
        buffer_bytes_max: int = 64 * 1024 * 1024,
        linger_ms: float = 2,
        heartbeat_s: float = 10,
        fail: Fail = "closed",
        irreversible_tools: Iterable[str] = (),
        view_age_s_max: float = 15,
        unsent_s_max: float = 15,
        before_view: BeforeView = "wait",
        wait_s_max: float = 30,
        control_poll_ms: float = 10,
        path_args: Iterable[str] = (),
        kafka_options: Mapping[str, object] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._target: Target = parse_target(target)
        self._kafka_options = _checked_options(kafka_options or {})
        self.whereabouts = Whereabouts()
        self._control_poll_s = _within("control_poll_ms", control_poll_ms, 1, 1_000) / 1e3
        self.clock = clock or Clock()
        self.path_args = _names("path_args", path_args)
        self.identity = {
            "agent": checked_name(agent, "agent"),
            "user": checked_name(user, "user"),
            "tenant": checked_name(tenant, "tenant"),
        }
        self.principal = checked_name(principal or principal_of(self._target), "principal")
        self.control_keys = _control_keys(agent, self.principal)
        self.policy = Policy(
            fail=_one_of("fail", fail, ("open", "closed")),
            before_view=_one_of("before_view", before_view, ("wait", "refuse", "allow")),
            wait_s_max=_within("wait_s_max", wait_s_max, 0, 600),
            unsent_ns_max=int(_within("unsent_s_max", unsent_s_max, 0.1, 86_400) * 1e9),
            irreversible_tools=_names("irreversible_tools", irreversible_tools),
        )
        self._heartbeat_ns = int(_within("heartbeat_s", heartbeat_s, 0.01, 86_400) * 1e9)
        limits = Limits(
            events_max=int(_within("buffer_events_max", buffer_events_max, 1, 10**7)),
            bytes_max=int(_within("buffer_bytes_max", buffer_bytes_max, 2**20, 2**34)),
            block_ns_max=int(_within("block_ms_max", block_ms_max, 0, 60_000) * 1e6),
            linger_ns=int(_within("linger_ms", linger_ms, 0, 10_000) * 1e6),
            # Half, so that a session is silent for one and a half periods at most.
            heartbeat_ns=max(1, self._heartbeat_ns // 2),
        )
        self._publisher = Publisher(self._open_transport, limits, self.clock, self._send_heartbeats)
        age_ns_max = int(_within("view_age_s_max", view_age_s_max, 0.1, 86_400) * 1e9)
        self.follower: ControlFollower | None = None
        if control:
            self.follower = ControlFollower(self._open_feed, self.clock, age_ns_max=age_ns_max)
        self._forget()
        _clients.add(self)

    def _forget(self) -> None:
        # A signal's handler may close the client while this thread holds the lock.
        self._lock = threading.RLock()
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self.is_closed = False
        self._unserialisable = 0
        self._oversize = 0
        self._cut = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def session(
        self,
        session_id: str | None = None,
        *,
        parent: Session | str | Iterable[str] | None = None,
    ) -> Session:
        """A session, to be used as a context manager; its id is random unless given.

        `parent` is the session that starts this one, or its id, or its whole `lineage` if it runs
        in another process: an id alone does not identify its own parents. An id means a session of
        the same principal; `NAME/ID` is one of another principal.
        """
        own_id = uuid.uuid4().hex if session_id is None else checked_session_id(session_id)
        session = Session(self, own_id, _lineage(parent))
        with self._lock:
            self._sessions.add(session)
        return session

    @property
    def healthy(self) -> bool:
        """False from the first trouble with the transport until events are delivered again."""
        return self._publisher.stats().is_healthy

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

        A resulting stop is then known here, and `guard` refuses: wait before an irreversible
        action. The wait lasts as long as the monitor is behind, plus up to one of its heartbeats.
        Events that were shed (`stats().dropped`) are never judged. SettingError for
        `control=False`.
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

        It is safe to call this twice; later calls are refused (`SessionOver`). In the result,
        `waiting_events` were not delivered and `dropped` were shed.
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

    def shard(self, session_id: str) -> Shard | None:
        """The shard of a session's events; None until it is known."""
        return shard_of(self._target, self.whereabouts, session_id)

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

    def publish_recorded(self, event: bytes | Mapping[str, object]) -> None:
        """Publish an event that was recorded elsewhere, unchanged; for backfills and tests.

        It uses the same queue, batches, key and partition as every event. Events that do not fit
        into the queue are shed: publish a long recording with `block_ms_max=60_000`, and check
        `stats().dropped`. A monitor accepts its times only with `trust_ts`.

        Raises
        ------
        SettingError
            It is not an event within the limits of docs/events.md.
        """
        kind, message = recorded_event(event)
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

    def _running_sessions(self) -> list[Session]:
        with self._lock:
            sessions = list(self._sessions)
        return [session for session in sessions if session.is_running]

    def _send_heartbeats(self) -> None:
        now_ns = self.clock.monotonic_ns()
        for session in self._running_sessions():
            if now_ns - session.last_event_ns >= self._heartbeat_ns:
                session.heartbeat()

    def _open_transport(self) -> Transport:
        return open_transport(self._target, self._kafka_options, self.whereabouts)

    def _open_feed(self) -> ControlFeed:
        match self._target:
            case LogTarget(directory=directory):
                return LogControlFeed(
                    directory / CONTROL_TOPIC,
                    poll_s=self._control_poll_s,
                    wall_ns=self.clock.wall_ns,
                )
        from .transport_kafka import KafkaControlFeed

        return KafkaControlFeed(self._target.bootstrap, self._kafka_options)


def _lineage(parent: Session | str | Iterable[str] | None) -> tuple[str, ...]:
    match parent:
        case None:
            return ()
        case Session():
            names: tuple[str, ...] = parent.lineage
        case str():
            names = (parent,)
        case _:
            names = tuple(parent)
    if len(names) > ANCESTORS_MAX:
        raise SettingError(f"`parent`: more than {ANCESTORS_MAX} ancestors")
    return tuple(checked_ancestor(name) for name in names)


def _control_keys(agent: str, principal: str) -> tuple[str, ...]:
    named = (("principal", principal), ("agent", agent))
    return tuple(f"{kind}:{name}" for kind, name in named if name)


def _checked_options(options: Mapping[str, object]) -> Mapping[str, object]:
    for name in options:
        if not str(name).startswith(_OPTIONS):
            raise SettingError(f"`kafka_options`: no option `{str(name)[:40]}`; see docs/agents.md")
    return dict(options)


def _within(name: str, value: float, least: float, greatest: float) -> float:
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and least <= value <= greatest
    ):
        return value
    raise SettingError(f"`{name}`: expected a number from {least:g} to {greatest:g}")


def _one_of(name: str, value: N, choices: tuple[str, ...]) -> N:
    if value in choices:
        return value
    raise SettingError(f"`{name}`: expected one of {', '.join(f'`{c}`' for c in choices)}")


def _names(name: str, values: Iterable[str]) -> frozenset[str]:
    if isinstance(values, str):
        raise SettingError(f"`{name}`: expected a list of names, not a single text")
    return frozenset(checked_name(value, name) for value in values)


_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for client in list(_clients):
        client.after_fork_in_child()


def _close_all() -> None:
    for client in list(_clients):
        client.close(EXIT_TIMEOUT_S)


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
