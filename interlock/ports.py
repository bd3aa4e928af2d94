"""Protocols: the client as its sessions see it, and sessions as the client and calls see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from .admission import Policy
from .clock import Clock
from .control_view import ControlFollower
from .event_json import Arguments, Draft
from .transport.base import Message
from .watermarks import Shard


class Link(Protocol):
    """A client, as its sessions see it. `follower` is None without a control topic."""

    @property
    def principal(self) -> str: ...

    @property
    def control_keys(self) -> tuple[str, ...]: ...

    @property
    def identity(self) -> Mapping[str, str]: ...

    @property
    def path_args(self) -> frozenset[str]: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def follower(self) -> ControlFollower | None: ...

    @property
    def is_closed(self) -> bool: ...

    @property
    def places(self) -> tuple[int | None, int | None]:
        """Changes when `shard` may answer differently."""

    def begin(self) -> None:
        """A session starts in this process."""

    def shard(self, session_id: str) -> Shard | None:
        """The shard of a session's events; None until it is known."""

    def unsent_ns(self) -> int:
        """How long events have waited and none was delivered; 0 while they arrive."""

    def publish(self, event: Draft, numbered: Callable[[], Message]) -> bool:
        """Queue an event; `numbered` gives it its place in the session. False once closed."""


class Attached(Protocol):
    """A session, as its client sees it."""

    @property
    def is_running(self) -> bool: ...

    @property
    def last_event_ns(self) -> int: ...

    def heartbeat(self) -> None:
        """A sign of life."""

    def end(self, error: str = "") -> None:
        """Publish `session.ended`, once."""

    def after_fork_in_child(self, new_id: str) -> None:
        """Go on as a child of the session that this was."""


class Caller(Protocol):
    """A session, as its calls see it."""

    @property
    def path_args(self) -> frozenset[str]: ...

    @property
    def is_running(self) -> bool: ...

    def start(self) -> None:
        """Publish `session.started`, once."""

    def guard(self, tool: str) -> None:
        """Raise `Refused` if the next call of `tool` may not be made."""

    async def guard_async(self, tool: str) -> None:
        """Like `guard`; waiting blocks no other task."""

    def publish(
        self,
        kind: str,
        *,
        tool: str = "",
        call: str = "",
        args: Arguments | None = None,
        result: object = None,
        error: str = "",
    ) -> bool:
        """Publish an event; False if no monitor will see it."""
