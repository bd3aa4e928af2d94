"""The control topic of a log directory, read completely, as a `ControlReader`.

There is no order between writers here: `LogOrder` decides which record is in force, for agents too.
If a monitor considered another record to be in force than they do, it would not repeat a stop that
they regard as released.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from interlock.control_record import (
    RECORD_BYTES_MAX,
    ControlRecord,
    LogOrder,
    RecordOrder,
    RecordPlace,
)

from ...clock import SystemClock
from ...topics import CONTROL
from ..base import ControlEntry, Notice, Stream
from .layout import from_line, parse_file_name
from .lines import Line
from .reader import INTERVAL_S, checked_directory
from .tail import FILES_MAX, LogTail

CLOCK: Final = SystemClock()
LINES_MAX: Final = 10_000


class LogDirControlReader:
    """See the module. `notices` collects the problems."""

    def __init__(
        self,
        directory: Path | str,
        topic: str = CONTROL,
        *,
        sleep: Callable[[float], object] = time.sleep,
        now_ns: Callable[[], int] = CLOCK.now_ns,
    ) -> None:
        self._tail = LogTail(checked_directory(directory), (topic,))
        self._order = LogOrder()
        self._sleep = sleep
        self._now_ns = now_ns
        self.notices: list[Notice] = []

    def read_to_end(self, timeout_s: float) -> list[ControlEntry]:
        """All complete lines that exist now (all content on the disk is read, however long it
        takes).
        """
        return self._take()

    def poll(self, timeout_s: float) -> list[ControlEntry]:
        left_s = timeout_s
        while True:
            entries = self._take()
            if entries or left_s <= 0:
                return entries
            pause_s = min(INTERVAL_S, left_s)
            self._sleep(pause_s)
            left_s -= pause_s

    def close(self) -> None:
        """Nothing is held open between two polls."""

    def _take(self) -> list[ControlEntry]:
        _, notices = self._tail.find()
        self._tail.place({})
        found: list[tuple[RecordOrder, ControlEntry]] = []
        while True:
            lines, more = self._tail.read(LINES_MAX)
            notices += more
            found += [placed for stream, line in lines for placed in self._placed(stream, line)]
            if not lines and not more and not self._tail.is_moving:
                break
        self.notices = (self.notices + notices)[-FILES_MAX:]
        found.sort(key=lambda placed: placed[0])
        return [entry for order, entry in found if self._order.is_later(entry[0], order)]

    def _placed(self, stream: Stream, line: Line) -> list[tuple[RecordOrder, ControlEntry]]:
        """The record with its order; empty for lines that readers ignore (tombstones, invalid
        records).
        """
        key, value, _ = from_line(stream.topic, line.value)
        if key is None or len(line.value) > RECORD_BYTES_MAX:
            return []
        try:
            record = msgspec.json.decode(value, type=ControlRecord)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return []
        name = key.decode("utf-8", "replace")
        writer, number = parse_file_name(stream.partition) or ("", 0)
        place = RecordPlace(writer, self._tail.files[stream].readings_count, number, line.offset)
        order = self._order.of(name, record, place, self._now_ns())
        return [] if order is None else [(order, (name, value))]
