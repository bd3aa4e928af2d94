"""The records that a gate's log has behind the last checkpoint, and the proof that none is missing.

    records_behind(log, place, book) -> each record, and the line that it is

A part of the past that is missing would make the gate say that all is well: a secret was read in
it, or a call was denied. So the log must reach its last checkpoint and its end mark, no file may be
missing between them, and the records of each session must have consecutive numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from invariants.model.errors import ConfigError
from monitor.gate.book import Book
from monitor.gate.log import GateLog, LogPlace
from monitor.gate.note import Line, read_line
from monitor.presentation import visible
from monitor.trace_key import TraceKey

MEND: Final = "restore the log, or begin with another `state_dir`"
NAME_CHARS_MAX: Final = 100


def records_behind(log: GateLog, place: LogPlace, book: Book) -> Iterator[tuple[bytes, Line]]:
    """Each record behind a checkpoint; the caller notes it in the book before it takes the next.

    Raises
    ------
    ConfigError
        A part of the log is missing or damaged: with its place, and what to do.
    OSError
        A file cannot be read.
    """
    if not log.has(place):
        raise ConfigError(f"the gate's log ends before its state does ({_at(log, place)}): {MEND}")
    missing = log.missing_file(place)
    if missing:
        raise ConfigError(f"the gate's log lacks the file `{missing}`: {MEND}")
    end = log.marked_end()
    if end is not None and not log.has(end):
        raise ConfigError(
            f"the gate's log ends before the last record that was written ({_at(log, end)}): {MEND}"
        )
    for begin, value in log.read_from(place):
        yield value, _checked(log, begin, value, book)


def _checked(log: GateLog, begin: LogPlace, value: bytes, book: Book) -> Line:
    """The line, if it is the next one of its session."""
    try:
        line = read_line(value)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"a record of the gate's log is damaged ({_at(log, begin)}: {error}): {MEND}"
        ) from None
    expected = book.row(TraceKey(line.principal, line.session)).seq
    if line.seq != expected:
        raise ConfigError(
            f"records of the gate's log are missing or were changed ({_at(log, begin)}): session "
            f"`{visible(line.session, NAME_CHARS_MAX)}` goes on with number {line.seq}, and "
            f"{expected} is next: {MEND}"
        )
    return line


def _at(log: GateLog, place: LogPlace) -> str:
    return f"file `{log.file_of(place)}`, byte {place.offset}"
