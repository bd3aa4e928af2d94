"""A log directory's source for tests: a clock of its own, opened, and read until it is empty."""

from __future__ import annotations

from pathlib import Path

from monitor.transport.base import Notice, Record, Stream
from monitor.transport.logdir.reader import LogDirSource

START_NS = 1_700_000_000_000_000_000


class Clock:
    """Time that moves by a millisecond whenever it is looked at, and by sleeping."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.slept: list[float] = []

    def __call__(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += int(seconds * 1e9)


def opened(
    directory: Path, positions: dict[Stream, int] | None = None, clock: Clock | None = None
) -> LogDirSource:
    """A source that has been through its first poll and knows the store's positions."""
    clock = clock or Clock()
    source = LogDirSource(directory, now_ns=clock, sleep=clock.sleep)
    source.resume(positions or {})
    source.poll(0, 10)
    source.resume(positions or {})
    return source


def drained(source: LogDirSource, records_max: int = 100) -> tuple[list[Record], list[Notice]]:
    """All records and notices until a poll brings nothing; new files are resumed at once."""
    records: list[Record] = []
    notices: list[Notice] = []
    while True:
        poll = source.poll(0, records_max)
        records += poll.records
        notices += poll.notices
        if poll.gained:
            source.resume({})
        elif not poll.records and not poll.notices:
            return records, notices


def values(records: list[Record]) -> list[bytes]:
    return [record.value for record in records]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
