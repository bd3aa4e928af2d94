"""One run of one agent on one task: numbers its events, and calls the guard before each call."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from .admission import refusal, wait_left_s
from .calls import ToolCall, recorded, run
from .control_record import session_targets
from .errors import NoView, Refused, SessionOver, SettingError
from .event_json import Arguments, arguments, draft
from .kinds import meant_kind
from .names import checked_name
from .ports import Link
from .transport.base import Message
from .watermarks import Shard

P = ParamSpec("P")
T = TypeVar("T")


def _ancestor_keys(principal: str, name: str) -> tuple[str, ...]:
    """The control key that stops an ancestor: of the same principal, unless the name has
    another.
    """
    other, slash, session_id = name.rpartition("/")
    return session_targets(other if slash else principal, session_id)


class Session:
    """Made by `Client.session()`; a context manager. Safe to use from many threads.

    In a forked child the session continues under its own id, with the old one as its parent: two
    processes cannot share one sequence of numbers.
    """

    def __init__(self, link: Link, session_id: str, ancestors: tuple[str, ...]) -> None:
        self._link = link
        self._starting = threading.RLock()
        self._identify(session_id, ancestors)

    def _identify(self, session_id: str, ancestors: tuple[str, ...]) -> None:
        self.id = session_id
        self.ancestors = ancestors
        # One step, so that a signal in between gives no number twice.
        self._numbers = itertools.count()
        self._is_started = False
        self._is_over = False
        self.last_event_ns = 0
        self._keys = (
            *session_targets(self._link.principal, session_id),
            *(key for name in ancestors for key in _ancestor_keys(self._link.principal, name)),
            *self._link.control_keys,
        )
        self._placed: tuple[object, list[Shard | None]] = ((), [])

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
        return self._link.path_args

    @property
    def is_running(self) -> bool:
        return self._is_started and not self._is_over

    def __enter__(self) -> Session:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end(error=kind.__name__ if kind is not None else "")

    def start(self) -> None:
        """Publish `session.started`, once; the first event or call does so by itself."""
        with self._starting:
            if self._is_started:
                return
            self._link.begin()
            self.publish("session.started")
            # Last, so that no other thread's event comes before.
            self._is_started = True

    def end(self, error: str = "") -> None:
        """Publish `session.ended`, once: its `seq` is the session's last."""
        with self._starting:
            if not self.is_running:
                return
            self._is_over = True
            self.publish("session.ended", error=error)

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
            `kind`, `tool` or `call` is not a valid name.
        """
        if not checked_name(kind, "kind"):
            raise SettingError("`kind` is empty")
        kind = meant_kind(kind) or kind
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
        """Guard, publish, run `function(**args)`, publish the outcome; errors pass through.

        Raises
        ------
        Refused
            The function was not run.
        """
        return run(self.tool(tool, **args), function, args)

    async def call_async(
        self, tool: str, function: Callable[..., Awaitable[T]], /, **args: Any
    ) -> T:
        """As `call`, for an `async` function; waiting for a first view blocks no other task."""
        async with self.tool(tool, **args) as call:
            result = await function(**args)
            call.result = result
        return result

    def tool_call(self, tool: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Decorate a function, plain or `async`: each call of it is guarded and published."""

        def decorate(function: Callable[P, T]) -> Callable[P, T]:
            return recorded(self, tool, function)

        return decorate

    def guard(self, tool: str) -> None:
        """See `interlock.guard`. Cost: a few microseconds if the view is fresh."""
        answer = self._answer(tool)
        if answer is None:
            return
        if isinstance(answer, NoView) and (wait_s := self._wait_left_s()) > 0:
            assert self._link.follower is not None, "a guard answered"
            self._link.follower.wait_until_usable(wait_s, self._shards())
            answer = self._answer(tool, is_wait_over=True)
        if answer is not None:
            raise answer

    async def guard_async(self, tool: str) -> None:
        """Like `guard`; if it has to wait, it does so in a thread."""
        answer = self._answer(tool)
        if isinstance(answer, NoView) and self._wait_left_s() > 0:
            import asyncio  # A slow import, and already loaded if this runs.

            await asyncio.to_thread(self.guard, tool)
        elif answer is not None:
            raise answer

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
            identity={**self._link.identity, "parent": self.parent},
            tool=checked_name(tool, "tool"),
            call=checked_name(call, "call"),
            args=args,
            result=result,
            error=error,
            text=text,
            attributes=attributes,
        )

        def numbered() -> Message:
            seq = next(self._numbers)
            now_ns = self._link.clock.wall_ns()
            self.last_event_ns = self._link.clock.monotonic_ns()
            return Message(self.id, event.numbered(self.id, seq, now_ns))

        return self._link.publish(event, numbered)

    def after_fork_in_child(self, new_id: str) -> None:
        """Go on as a child of the session that this was."""
        was_over = self._is_over
        self._starting = threading.RLock()
        self._identify(new_id, self.lineage)
        self._is_over = was_over

    def _answer(self, tool: str, *, is_wait_over: bool = False) -> Refused | None:
        if self._is_over:
            raise SessionOver(f"`{tool}` refused: session `{self.id}` has ended")
        if self._link.is_closed:
            raise SessionOver(f"`{tool}` refused: the client was closed")
        if not self._is_started:
            self.start()
        follower = self._link.follower
        if follower is None:
            return None
        keys = (*self._keys, f"tool:{tool}")
        return refusal(
            tool,
            keys,
            follower,
            self._link.policy,
            shards=self._shards(),
            unsent_ns=self._link.unsent_ns(),
            is_wait_over=is_wait_over,
        )

    def _wait_left_s(self) -> float:
        follower = self._link.follower
        if follower is None:
            return 0.0
        return wait_left_s(follower, self._link.policy, self._shards())

    def _shards(self) -> list[Shard | None]:
        """The shards with events of this session and of its ancestors, whose stops apply to it."""
        known = self._link.places
        if self._placed[0] != known:
            self._placed = known, [self._link.shard(name) for name in self.lineage]
        return self._placed[1]
