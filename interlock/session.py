"""One run of one agent on one task, as its user sees it."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from .calls import ToolCall, recorded, run
from .errors import SessionOver, SettingError
from .event_json import Arguments, arguments, draft
from .kinds import meant_kind
from .names import checked_name
from .ports import Requested, SessionPort

P = ParamSpec("P")
T = TypeVar("T")


class Session:
    """Made by `Client.session()`; a context manager. Safe to use from many threads.

    In a forked child, a published session continues under a new id, with the old one as its parent:
    two processes cannot share one sequence of numbers. A gate numbers the events itself, so there
    it remains the same session, and the child does not end it.
    """

    def __init__(
        self,
        connection: SessionPort,
        session_id: str,
        ancestors: tuple[str, ...],
        *,
        is_resumable: bool = False,
    ) -> None:
        self._connection = connection
        self._is_resumable = is_resumable
        self._starting = threading.RLock()
        self._identify(session_id, ancestors)

    def _identify(self, session_id: str, ancestors: tuple[str, ...]) -> None:
        self.id = session_id
        self.ancestors = ancestors
        self._link = self._connection.link(session_id, ancestors)
        self._is_started = False
        self._is_over = False

    def __repr__(self) -> str:
        return f"Session({self.id!r})"

    @property
    def parent(self) -> str:
        """The id of the session that started this one, or `""`."""
        return self.ancestors[0] if self.ancestors else ""

    @property
    def lineage(self) -> tuple[str, ...]:
        """This session and its ancestors, nearest first: pass it to a child in another process."""
        return (self.id, *self.ancestors)

    @property
    def path_args(self) -> frozenset[str]:
        return self._connection.path_args

    @property
    def is_running(self) -> bool:
        return self._is_started and not self._is_over

    @property
    def last_event_ns(self) -> int:
        """When the last event was queued, by the monotonic clock."""
        return self._link.last_event_ns

    def __enter__(self) -> Session:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_resumable:
            self.end(error=kind.__name__ if kind is not None else "")

    def start(self) -> None:
        """Publish `session.started`, once; the first event or call does so by itself."""
        with self._starting:
            if self._is_started:
                return
            self._connection.begin()
            self._link.start()
            # Last, so that no other thread's event comes before.
            self._is_started = True

    def end(self, error: str = "") -> None:
        """Publish `session.ended`, once: it is the session's last event."""
        with self._starting:
            if not self.is_running:
                return
            self._is_over = True
            self.publish("session.ended", error=error)

    def close(self) -> None:
        """The client closes: end the session, unless another process continues it."""
        if not self._is_resumable:
            self.end(error="client closed")

    def emit(
        self,
        kind: str,
        *,
        tool: str = "",
        call: str = "",
        args: Mapping[str, object] | None = None,
        result: object = None,
        error: str = "",
        text: str = "",
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Publish one event. Failures of the transport are counted, never raised.

        Raises
        ------
        SettingError
            `kind`, `tool` or `call` is not a valid name, or the gate itself records the kind.
        """
        if not checked_name(kind, "kind"):
            raise SettingError("`kind` is empty")
        kind = meant_kind(kind) or kind
        self._link.check_kind(kind)
        self.start()
        told = None if args is None else arguments(args)
        self.publish(
            kind,
            tool=tool,
            call=call,
            args=told,
            result=result,
            error=error,
            text=text,
            attributes=attributes,
        )

    def user_message(self, text: str) -> None:
        """The user's message, published before the model answers it."""
        self.emit("message.user", text=text)

    def assistant_message(self, text: str) -> None:
        """The model's message."""
        self.emit("message.assistant", text=text)

    def heartbeat(self) -> None:
        """A sign of life; the client sends one by itself after a time without events."""
        # The lock is held while the session starts or ends: that is heartbeat enough, and a
        # heartbeat must not follow the end.
        if self._starting.acquire(blocking=False):
            try:
                if self.is_running:
                    self.publish("heartbeat")
            finally:
                self._starting.release()

    def tool(self, tool: str, /, **args: object) -> ToolCall:
        """One call as a `with` (or `async with`) block; set its `result` before leaving."""
        return ToolCall(self, tool, args)

    def call(self, tool: str, function: Callable[..., T], /, **args: Any) -> T:
        """Guard or ask, run `function(**args)`, publish the outcome; errors pass through.

        Raises
        ------
        Refused
            The function was not run.
        """
        return run(self.tool(tool, **args), function)

    async def call_async(
        self, tool: str, function: Callable[..., Awaitable[T]], /, **args: Any
    ) -> T:
        """As `call`, for an `async` function; waiting for an answer blocks no other task."""
        return await self.tool(tool, **args).run_async(function)

    def tool_call(self, tool: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Decorate a function, plain or `async`: each call of it is guarded and published."""

        def decorate(function: Callable[P, T]) -> Callable[P, T]:
            return recorded(self, tool, function)

        return decorate

    def guard(self, tool: str) -> None:
        """See `interlock.guard`. Cost: a few microseconds if the view is fresh."""
        self._check_open(tool)
        self._link.admit(tool)

    async def guard_async(self, tool: str) -> None:
        """Like `guard`; if it has to wait, it does so in a thread."""
        self._check_open(tool)
        await self._link.admit_async(tool)

    def request(self, call: Requested) -> Mapping[str, object] | None:
        """Before a call: raise `Refused`, or announce it; see `ToolCall`, which calls this."""
        self._check_open(call.tool)
        return self._link.request(call)

    async def request_async(self, call: Requested) -> Mapping[str, object] | None:
        """Like `request`; waiting blocks no other task."""
        self._check_open(call.tool)
        return await self._link.request_async(call)

    def resume(self, call: Requested) -> None:
        """Raise `Refused` if the session was stopped since `call` was announced."""
        self._check_open(call.tool)
        self._link.resume(call)

    async def resume_async(self, call: Requested) -> None:
        """Like `resume`; waiting blocks no other task."""
        self._check_open(call.tool)
        await self._link.resume_async(call)

    def publish(
        self,
        kind: str,
        *,
        tool: str = "",
        call: str = "",
        args: Arguments | None = None,
        result: object = None,
        error: str = "",
        text: str = "",
        attributes: Mapping[str, object] | None = None,
    ) -> bool:
        """Publish an event whose arguments were converted; does not start the session.

        False if the client is closed, so that no monitor will see it.
        """
        event = draft(
            kind,
            identity=self._link.identity,
            tool=checked_name(tool, "tool"),
            call=checked_name(call, "call"),
            args=args,
            result=result,
            error=error,
            text=text,
            attributes=attributes,
        )
        return self._link.publish(event)

    def after_fork_in_child(self, new_id: str) -> None:
        """Continue under `new_id`: as a child of the session that this was, if it is another."""
        was_over = self._is_over
        self._starting = threading.RLock()
        if new_id == self.id:
            self._is_resumable = True
            self._identify(new_id, self.ancestors)
        else:
            self._identify(new_id, self.lineage)
        self._is_over = was_over

    def _check_open(self, tool: str) -> None:
        """Start the session if it is new; SessionOver if it, or the client, has ended."""
        if self._is_over:
            raise SessionOver(f"`{tool}` refused: session `{self.id}` has ended")
        if self._connection.is_closed:
            raise SessionOver(f"`{tool}` refused: the client was closed")
        if not self._is_started:
            self.start()
