"""Protocols: the connection, its judge and its links, as sessions and calls see them, and back.

A *judge* decides about the calls of a client: a monitor behind a stream of events, whose control
records the client follows (`stream.py`), or a gate that is asked before each call (`gate/`). A
*link* connects one session to the judge. Sessions and calls know nothing else of either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from .clock import Clock
from .event_json import Arguments, Draft
from .publisher import Stats
from .transport.base import Message, Transport


class Requested(Protocol):
    """A tool call that is about to be made; `id` ties its request and its outcome together."""

    @property
    def tool(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def attributes(self) -> Mapping[str, object]: ...

    @property
    def is_deferred(self) -> bool:
        """True if a held call is left with the operators, and `Held` is raised at once."""

    def renew_id(self) -> bool:
        """Take another id, as this one was used before; False if it must stay as it is."""

    def told(self) -> Arguments:
        """Its arguments as they are published: converted once, when first needed."""


class Link(Protocol):
    """One session's connection to its judge: what is done before a call, and with each event."""

    @property
    def identity(self) -> Mapping[str, str]:
        """The names that every event of the session states."""

    @property
    def last_event_ns(self) -> int:
        """When the last event was queued, by the monotonic clock."""

    def start(self) -> None:
        """The first event of the session."""

    def check_kind(self, kind: str) -> None:
        """SettingError for a kind of event that only the judge records."""

    def publish(self, event: Draft) -> bool:
        """Queue an event; False if the client is closed, so that nobody will see it."""

    def admit(self, tool: str) -> None:
        """Raise `Refused` if the next call of `tool` may not be made; publishes nothing."""

    async def admit_async(self, tool: str) -> None:
        """Like `admit`; waiting blocks no other task."""

    def request(self, call: Requested) -> Mapping[str, object] | None:
        """Before a call: raise `Refused`, or announce it. Returns arguments to use in place of its
        own, if an operator approved the call with others.
        """

    async def request_async(self, call: Requested) -> Mapping[str, object] | None:
        """Like `request`; waiting blocks no other task."""

    def resume(self, call: Requested) -> None:
        """A lazy object begins that an announced call returned: raise `Refused`, or nothing."""

    async def resume_async(self, call: Requested) -> None:
        """Like `resume`; waiting blocks no other task."""


class Queue(Protocol):
    """A client's connection, as its links and its judge see it."""

    @property
    def clock(self) -> Clock: ...

    @property
    def is_closed(self) -> bool: ...

    @property
    def last_error(self) -> str:
        """The last trouble with the transport, until events are delivered again."""

    @property
    def is_away(self) -> bool:
        """True if that trouble was that nobody answered."""

    def unsent_ns(self) -> int:
        """How long events have waited and none was delivered; 0 while they arrive."""

    def publish(self, event: Draft, message: Callable[[], Message]) -> int:
        """Queue an event, whose `message` is made under the queue's lock. Returns its place in the
        queue, from 1, or 0 once the client is closed.
        """

    def flush(self, timeout_s: float) -> bool:
        """Wait until all queued events are delivered; False if this takes longer."""

    def wait_until_sent(self, place: int, timeout_s: float, *, is_once: bool) -> bool:
        """Wait until the event at `place` and all before it are delivered, refused or shed.

        With `is_once`, at most until an attempt has failed.
        """


class Judge(Protocol):
    """The judge of a client's calls, and the way to it.

    `is_gate`: it numbers the events itself, so that processes can share a session, and it accepts
    events of one session at a time.
    """

    is_gate: bool

    def link(self, queue: Queue, session_id: str, ancestors: tuple[str, ...]) -> Link:
        """Connect a session."""

    def open_transport(self) -> Transport:
        """The transport for queued events; OSError if it cannot be opened now."""

    def begin(self) -> None:
        """A session starts in this process."""

    def lost(self, kind: str, message: Message, reason: str) -> None:
        """An event will never be delivered. Called under the queue's lock."""

    def checked_recording(self) -> None:
        """SettingError if recorded events cannot be published this way."""

    def wait_until_judged(self, queue: Queue, timeout_s: float) -> bool:
        """Wait until everything published so far is judged; False if this takes longer."""

    def relay_hook(self, query: str, content: bytes, timeout_s: float) -> bytes:
        """Hand the input of a hook on, and give its output. SettingError, NoGate."""

    def stats(self, stats: Stats) -> Stats:
        """The client's counts, with the judge's own."""

    def stop(self, timeout_s: float) -> None:
        """End waiting, and the threads; returns after `timeout_s` at the latest."""

    def after_fork_in_child(self) -> None:
        """Begin anew: own threads, own connections."""


class SessionPort(Protocol):
    """A client's connection, as its sessions see it."""

    @property
    def path_args(self) -> frozenset[str]: ...

    @property
    def is_closed(self) -> bool: ...

    def begin(self) -> None:
        """A session starts in this process."""

    def link(self, session_id: str, ancestors: tuple[str, ...]) -> Link:
        """Connect a session to the judge."""


class Attached(Protocol):
    """A session, as its client's connection sees it."""

    @property
    def id(self) -> str: ...

    @property
    def is_running(self) -> bool: ...

    @property
    def last_event_ns(self) -> int: ...

    def heartbeat(self) -> None:
        """A sign of life."""

    def close(self) -> None:
        """The client closes: end the session, unless another process continues it."""

    def after_fork_in_child(self, new_id: str) -> None:
        """Continue under `new_id`: as a child of the session that this was, if it is another."""


class Caller(Protocol):
    """A session, as its calls see it."""

    @property
    def path_args(self) -> frozenset[str]: ...

    @property
    def is_running(self) -> bool: ...

    def start(self) -> None:
        """Publish the session's start, once."""

    def request(self, call: Requested) -> Mapping[str, object] | None:
        """As `Link.request`; SessionOver if the session has ended."""

    async def request_async(self, call: Requested) -> Mapping[str, object] | None:
        """As `Link.request_async`; SessionOver if the session has ended."""

    def resume(self, call: Requested) -> None:
        """As `Link.resume`; SessionOver if the session has ended."""

    async def resume_async(self, call: Requested) -> None:
        """As `Link.resume_async`; SessionOver if the session has ended."""

    def publish(
        self,
        kind: str,
        *,
        tool: str = "",
        call: str = "",
        args: Arguments | None = None,
        result: object = None,
        error: str = "",
        attributes: Mapping[str, object] | None = None,
    ) -> bool:
        """Publish an event; False if no monitor will see it."""
