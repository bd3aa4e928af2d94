"""Every error that Interlock raises on purpose, and the text of a fault in a file.

    InterlockError
    ├── SpecError        an invariant file is faulty: carries every fault of every file at once
    └── ConfigError      a setting, a flag or an address is faulty

Faulty *data* is never an exception: a record that is not a valid event becomes a `Rejected` value,
and an expression that fails becomes a `CelError` value. Our own bugs are assertions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec


class Place(msgspec.Struct, frozen=True, order=True):
    """A point in a text; line and column count from 1, columns in characters."""

    line: int = 1
    column: int = 1


class Fault(msgspec.Struct, frozen=True):
    """One error or warning in a file: its place, a stable code, and a correction."""

    file: str
    place: Place
    code: str
    message: str
    mend: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """`agent.yaml:12:8: E203: actual, expected; correction`."""
        mend = f"; {self.mend}" if self.mend else ""
        mark = "" if self.severity == "error" else "warning: "
        return _on_one_line(
            f"{self.file}:{self.place.line}:{self.place.column}: "
            f"{self.code}: {mark}{self.message}{mend}"
        )


def _on_one_line(text: str) -> str:
    """`text` with escapes for characters that end a line, move a terminal's cursor, or are
    invisible.

    Messages quote the file, and so do messages of libraries: without this a pattern could forge the
    line of another fault (tests/golden/bad/cel-pattern-control.yaml).
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


class InterlockError(Exception):
    """The root of all errors that a user can fix."""


class SpecError(InterlockError):
    """One or more faults in invariant files; `faults` holds all of them, in order of place."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda f: (f.file, f.place)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ConfigError(InterlockError):
    """An unusable setting; the message contains its name and a correction."""
