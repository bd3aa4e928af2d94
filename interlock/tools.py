"""The guard as functions: `guard` before a call, `guarded` around a tool.

The file has another name than its functions: `interlock.guard` is the function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .calls import recorded
from .session import Session

P = ParamSpec("P")
T = TypeVar("T")


def guard(session: Session, tool: str) -> None:
    """Refuse the next call of `tool` if `session`, or what it belongs to, was stopped.

    Raises
    ------
    Quarantined, Killed
        The control topic has this state for the session, an ancestor, its principal, agent, the
        tool or everything.
    NoView
        The view cannot decide, or no monitor sees this client's calls, and its settings require a
        refusal then.
    SessionOver
        The session has ended, or the client was closed.
    """
    session.guard(tool)


def guarded(
    session: Session | Callable[[], Session], tool: str | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a tool: each call is guarded, published, and its outcome published.

    `session` may be a function that gives the session of the moment, for tools that are defined
    once and used in many sessions. `tool` is the function's name unless given.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        return recorded(session, tool or function.__name__, function)

    return decorate
