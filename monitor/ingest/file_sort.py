"""`--sort`: a finished file in the order of its events instead of its lines.

Each session is ordered by `seq`; an event without a number is placed by its time. Several sessions,
and events of equal time, are ordered by time and then by line. A number takes precedence over a
time: an event is never placed before those that its session numbered before it.

Input: a source of one finished file. Output: the same records, once all of them were read. The
whole file is held in memory, up to `SORT_BYTES_MAX`; a larger one is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from invariants.model.errors import ConfigError
from monitor.ingest.read_record import read_record
from monitor.ingest.rejected import Rejected
from monitor.transport.base import Poll, Record, Stream
from monitor.transport.file.reader import FileSource

SORT_BYTES_MAX: Final = 512 * 1024 * 1024
"""Chosen: text that is held at once, each record counted with `RECORD_BYTES` more."""
NO_TIME: Final = 2**63
"""After every time that an event can have."""
RECORD_BYTES: Final = 1_000
"""Measured: a record and its place among the others, besides its text."""


class LineKey(NamedTuple):
    """The sort key of a line.

    `ts_ns` is None for a rejected record, and for a time later than now.
    """

    session: str
    seq: int | None
    ts_ns: int | None


def sorted_lines(places: Sequence[LineKey]) -> list[int]:
    """The numbers of the lines (from 0) in the order of their events.

    A record without a time stays with the event before it.

    Examples
    --------
    >>> sorted_lines([LineKey("s", 1, 20), LineKey("s", None, 15), LineKey("s", 0, 10)])
    [2, 1, 0]
    """
    keys: list[tuple[int, int, int]] = [(0, 0, 0)] * len(places)
    numbered: dict[str, list[int]] = {}
    reached_ns = 0
    for line, place in enumerate(places):
        reached_ns = reached_ns if place.ts_ns is None else place.ts_ns
        keys[line] = (reached_ns, line, 0)
        if place.seq is not None:
            numbered.setdefault(place.session, []).append(line)
    for lines in numbered.values():
        lines.sort(key=lambda line: places[line].seq or 0)
        time_ns = latest = 0
        for rank, line in enumerate(lines):
            before_ns, time_ns = time_ns, max(time_ns, places[line].ts_ns or 0)
            # Those of one time share the place of their last line, so that they stay in order.
            latest = max(latest, line) if time_ns == before_ns else line
            keys[line] = (time_ns, latest, rank)
    return sorted(range(len(places)), key=keys.__getitem__)


class SortedSource:
    """See the module.

    Raises
    ------
    ConfigError
        By `poll`: the file is too large. By `resume`: the store holds a position in it.
    """

    def __init__(self, source: FileSource, latest_ns: Callable[[], int] = lambda: NO_TIME) -> None:
        self._source = source
        self._latest_ns = latest_ns
        self._records: list[Record] = []
        self._places: list[LineKey] = []
        self._lines: dict[int, int] = {}
        self._bytes_count = 0
        self._order: list[int] | None = None
        self._given_count = 0

    def resume(self, positions: Mapping[Stream, int]) -> None:
        if self._source.begin_of(positions):
            raise ConfigError(
                "`--sort` reads a file from its start, and the state directory contains a position "
                "in it; name another `--state-dir`, or none"
            )
        self._source.resume(positions)

    def poll(self, timeout_s: float, records_max: int) -> Poll:
        if self._order is None:
            poll = self._source.poll(timeout_s, records_max)
            for record in poll.records:
                self._take(record)
            if not poll.is_finished:
                return msgspec.structs.replace(poll, records=())
            self._order = sorted_lines(self._places)
            self._places = []
        else:
            poll = self._source.poll(0, records_max)
        begin = self._given_count
        chosen = self._order[begin : begin + records_max]
        self._given_count += len(chosen)
        return msgspec.structs.replace(
            poll,
            records=tuple(self._records[number] for number in chosen),
            is_finished=self._given_count == len(self._order),
        )

    def commit(self, positions: Mapping[Stream, int]) -> None:
        """No other component needs this."""

    def close(self) -> None:
        self._source.close()

    @property
    def first_lines(self) -> list[bytes]:
        """The beginning of the text."""
        return self._source.first_lines

    def line_of(self, offset: int) -> int | None:
        """Which line, from 1, begins at an offset."""
        return self._lines.get(offset)

    def _take(self, record: Record) -> None:
        self._bytes_count += len(record.value) + RECORD_BYTES
        if self._bytes_count > SORT_BYTES_MAX:
            raise ConfigError(
                f"`--sort` holds the whole file in memory, and this file is too large (more "
                f"than {SORT_BYTES_MAX // 1024**2} MiB at line {len(self._records) + 1}); split "
                "it by session, or sort it beforehand and omit `--sort`"
            )
        line = self._source.line_of(record.origin.offset)
        if line is not None:
            self._lines[record.origin.offset] = line
        content = read_record(record)
        self._records.append(record)
        if isinstance(content, Rejected):
            self._places.append(LineKey("", None, None))
        else:
            # One that is stamped 2099 would send all that its session numbered after it to the end.
            is_known = content.ts_ns <= self._latest_ns()
            ts_ns = content.ts_ns if is_known else None
            self._places.append(LineKey(content.session, content.seq, ts_ns))


def open_file(
    path: str, *, is_sorted: bool, latest_ns: Callable[[], int]
) -> FileSource | SortedSource:
    """A finished file as a source; times after `latest_ns` are not used as times.

    Raises ConfigError if it cannot be opened.
    """
    source = FileSource(path)
    return SortedSource(source, latest_ns) if is_sorted else source
