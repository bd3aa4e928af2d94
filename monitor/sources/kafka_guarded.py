"""A Kafka client whose own faults come out as errors of Kafka.

The library raises more than its documented errors: a `KeyError` from `end_offsets` after a topic
was deleted, an `AttributeError` from a connection that is gone. To a caller that is one matter: the
client could not say. Each call of a public method is therefore guarded, and what such a fault
raises becomes the door's `ClientFaultError`, which counts as passing like a broker that does not
answer. Our own faults stay what they are: only what comes from the library's code is turned.

Attributes that begin with `_` are given through as they are, for the places that rest on them.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

FAULTS: Final = (
    LookupError, ValueError, TypeError, AttributeError, AssertionError, RuntimeError,
    ArithmeticError, EOFError, struct.error, zlib.error,
)  # fmt: skip
"""What the library was seen to raise, or may, besides its own errors. Not `OSError`: callers know
what to do with it."""

UNGUARDED: Final = frozenset({"poll"})
"""Its faults may be over the content of a batch, which the source finds and passes over."""


class GuardedClient:
    """Stands in front of a client of the library; `fault` makes the error that is raised."""

    def __init__(self, client: Any, fault: Callable[[str], Exception]) -> None:
        self._guarded_client = client
        self._guarded_fault = fault

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._guarded_client, name)
        if name.startswith("_") or name in UNGUARDED or not callable(found):
            return found

        @functools.wraps(found)
        def call(*args: Any, **named: Any) -> Any:
            try:
                return found(*args, **named)
            except FAULTS as error:
                if not is_of_the_library(error.__traceback__):
                    raise
                raise self._guarded_fault(f"{type(error).__name__} in `{name}`") from error

        return call


def is_of_the_library(trace: TracebackType | None) -> bool:
    """Whether an error was raised by the library's code, or by what that called."""
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).split(".")[0] == "kafka":
            return True
        trace = trace.tb_next
    return False
