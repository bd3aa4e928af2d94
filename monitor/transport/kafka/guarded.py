"""A Kafka client whose internal errors are raised as errors of Kafka.

The library raises more than its documented errors: a `KeyError` from `end_offsets` after a topic
was deleted, an `AttributeError` from a closed connection. For a caller these are the same: the
client could not answer. Each call of a public method is therefore guarded, and such an error
becomes the door's `ClientFaultError`, which counts as transient, like a broker that does not
answer. Errors of our own code are unchanged: only those from the library's code are converted.
Attributes that begin with `_` are passed through unchanged, for the code that relies on them.
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
"""Exceptions that the library raises, or may raise, besides its own errors. Not `OSError`: callers
handle it."""

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
    """True if an error was raised by the library's code, or by code that it called."""
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).split(".")[0] == "kafka":
            return True
        trace = trace.tb_next
    return False
