"""The agent's side of Interlock: publish what an agent does, and refuse calls of stopped sessions.

    from interlock import Client

    client = Client("log:/var/lib/interlock", agent="support-bot")
    with client.session() as session:
        session.call("http.get", fetch, url="https://example.org")

Importing this package loads nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .client import Client
    from .clock import Clock
    from .errors import (
        ClientError,
        Denied,
        Held,
        Killed,
        NoGate,
        NoView,
        Quarantined,
        Refused,
        SessionOver,
        SettingError,
    )
    from .options import ClientOptions
    from .publisher import Stats
    from .session import Session
    from .tools import guard, guarded

__all__ = [
    "Client",
    "ClientError",
    "ClientOptions",
    "Clock",
    "Denied",
    "Held",
    "Killed",
    "NoGate",
    "NoView",
    "Quarantined",
    "Refused",
    "Session",
    "SessionOver",
    "SettingError",
    "Stats",
    "guard",
    "guarded",
]

_HOMES: Final = {
    "Client": "client",
    "ClientError": "errors",
    "ClientOptions": "options",
    "Clock": "clock",
    "Denied": "errors",
    "Held": "errors",
    "Killed": "errors",
    "NoGate": "errors",
    "NoView": "errors",
    "Quarantined": "errors",
    "Refused": "errors",
    "Session": "session",
    "SessionOver": "errors",
    "SettingError": "errors",
    "Stats": "publisher",
    "guard": "tools",
    "guarded": "tools",
}


def __getattr__(name: str) -> object:
    """Load the module that a public name lives in, once; the name is then an ordinary one."""
    if name not in _HOMES:
        raise AttributeError(f"module `interlock` has no `{name}`")
    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
