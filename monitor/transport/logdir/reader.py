"""A log directory as a source, and as the control topic: operation without Kafka.

Input: `DIR/TOPIC/WRITER-N.jsonl` (see `log_layout`), followed as it grows. A stream is one file,
and its offsets are bytes. Arrival is the time of the source's clock, read before the files are
checked, and never decreases. It is not a security boundary unless agents run as another user with
write access only to their own directories: `warnings` reports which is the case.

It deliberately does not report `lost` when a file is removed: retention removes old files of
sessions that continue, and their state must stay.
"""

from __future__ import annotations

import contextlib
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from invariants.model.errors import ConfigError
from invariants.model.event import Origin

from ...topics import CONTROL, EVENTS, READ_TOGETHER
from ..base import Frontier, Poll, Record, Stream
from .layout import from_line
from .lines import Line
from .tail import FILES_MAX, Followed, LogTail

INTERVAL_S: Final = 0.02
"""How often an idle directory is looked at; half of it is the mean latency added to a kill."""

LOOKS_MAX: Final = 16
"""Looks in a row without a pause while a long line or an unfinished file is being passed."""


OTHERS_CAN_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class LogDirSource:
    """Follows the files of `topics`; the module's docstring contains its guarantees.

    Parameters
    ----------
    now_ns
        The clock for arrivals.
    sleep
        Waits, in seconds, between two looks at an idle directory.

    Raises
    ------
    ConfigError
        The directory does not exist.
    """

    def __init__(
        self,
        directory: Path | str,
        topics: tuple[str, ...] = READ_TOGETHER,
        *,
        now_ns: Callable[[], int],
        sleep: Callable[[float], object] = time.sleep,
        files_max: int = FILES_MAX,
    ) -> None:
        path = checked_directory(directory)
        self.warnings = boundary_warnings(path)
        self._now_ns = now_ns
        self._sleep = sleep
        self._tail = LogTail(path, topics, files_max)
        self._positions: dict[Stream, int] = {}
        self._latest_ns = 0
        self._looked_ns = 0
        self._found_after_ns: dict[Stream, int] = {}
        """For each file, the last look at which it did not exist; 0 if there was no earlier
        look.
        """
        self._found_ns: dict[Stream, int] = {}
        """Of each file, the look that found it."""
        self._promised_ns: dict[Stream, int] = {}
        """For each file, the reported time before which none of its records are ordered any
        more.
        """
        self._unread: dict[str, int] = {}
        """Of each shard with a file that is not read, the last look before there was one."""

    def recognise(self, identities: Mapping[Stream, str]) -> None:
        self._tail.recognise(identities)

    def resume(self, positions: Mapping[Stream, int]) -> None:
        self._positions.update(positions)
        self._tail.place(self._positions)

    def _take_gone(self) -> tuple[Stream, ...]:
        gone, self._tail.gone = tuple(self._tail.gone), []
        for stream in gone:
            self._positions.pop(stream, None)
        return gone

    def poll(self, timeout_s: float, records_max: int) -> Poll:
        left_s, looks_left = timeout_s, LOOKS_MAX
        while True:
            poll = self._look(records_max)
            if poll.records or poll.gained or poll.notices:
                return poll
            if self._tail.is_moving and looks_left > 0:
                looks_left -= 1
                continue
            if left_s <= 0:
                return poll
            pause_s = min(INTERVAL_S, left_s)
            self._sleep(pause_s)
            left_s -= pause_s

    def commit(self, positions: Mapping[Stream, int]) -> None:
        """No other component needs this."""

    def close(self) -> None:
        """Nothing is held open between two polls."""

    def _look(self, records_max: int) -> Poll:
        # Between these two times the files are checked one after the other: content that is found
        # was written before the second, and content that is missed, after the first.
        begin_ns = self._clock_ns()
        gained, notices = self._tail.find()
        files = self._tail.files
        self._note(gained, begin_ns)
        self._tail.waits.look(begin_ns, {f.owner for f in files.values() if not f.is_at_end})
        lines, more = self._tail.read(records_max)
        self._unread = {
            name: self._unread.get(name, self._looked_ns)
            for name in (f"{topic}/{owner}" for topic, owner in self._tail.unread)
        }
        end_ns = self._clock_ns()
        records = [_record(s, line, end_ns, self._not_before_ns(s, line)) for s, line in lines]
        self._looked_ns = begin_ns
        frontiers = {
            stream: self._frontier(followed, begin_ns)
            for stream, followed in files.items()
            if not followed.is_closed_to_us
        }
        promised = {stream: one.read_to_ns or 0 for stream, one in frontiers.items()}
        self._promised_ns = {s: promised.get(s, self._promised_ns.get(s, 0)) for s in files}
        return Poll(
            records=tuple(records),
            frontiers=frontiers,
            gained=tuple(gained),
            unread=self._unread,
            gone=self._take_gone(),
            is_whole=True,
            notices=(*notices, *more),
        )

    def _note(self, gained: Iterable[Stream], begin_ns: int) -> None:
        """When files came: since the last look."""
        files = self._tail.files
        found = self._found_after_ns | dict.fromkeys(gained, self._looked_ns)
        self._found_after_ns = {stream: ns for stream, ns in found.items() if stream in files}
        found = self._found_ns | dict.fromkeys(gained, begin_ns)
        self._found_ns = {stream: ns for stream, ns in found.items() if stream in files}

    def _not_before_ns(self, stream: Stream, line: Line) -> int:
        """Content that is found in a file arrived after the last look without further content."""
        followed = self._tail.files[stream]
        return max(self._promised_ns.get(stream, 0), self._came_after_ns(followed, line.offset))

    def _came_after_ns(self, followed: Followed, offset: int) -> int:
        """Content that existed when the file was found may be of any age."""
        came = self._found_after_ns if offset < followed.first_size else self._found_ns
        return came.get(followed.stream, 0)

    def _clock_ns(self) -> int:
        self._latest_ns = max(self._latest_ns, self._now_ns())
        return self._latest_ns

    def _frontier(self, followed: Followed, begin_ns: int) -> Frontier:
        """How far a file is known: one that is being read is waited for, as long as `Waits` allows.

        Content that existed at the first look is waited for in any case, except a line without an
        end.
        """
        stream = followed.stream
        read_to_ns = self._promised_ns.get(stream, 0)
        if followed.is_at_end:
            read_to_ns = begin_ns
        elif followed.is_caught_up or self._found_after_ns.get(stream):
            came_after_ns = self._came_after_ns(followed, followed.cursor.line_start)
            over_ns = self._tail.waits.over_ns(followed.owner)
            read_to_ns = max(read_to_ns, came_after_ns, over_ns)
        return Frontier(
            next_offset=followed.cursor.line_start,
            is_at_end=followed.is_at_end,
            read_to_ns=read_to_ns or None,
            seen_to_ns=self._found_after_ns.get(followed.stream),
            part=str(followed.owner),
            lag_records=followed.lag_lines,
            identity=followed.identity,
        )


def boundary_warnings(directory: Path) -> tuple[str, ...]:
    """The places that users share, and the condition under which the others are safe."""
    condition = (
        f"`{directory}` is a security boundary only if agents do not run as "
        f"the owner (uid {directory.stat().st_uid})"
    )
    return (*shared_places(directory), condition)


def shared_places(directory: Path) -> list[str]:
    """Places where users other than the owner can write, or remove each other's files."""
    told = []
    for path in (directory, *(directory / topic for topic in (*READ_TOGETHER[1:], CONTROL))):
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        # A sticky bit prevents others from replacing a topic's directory. Within a topic it does
        # not help: a user who can create a file there can assert anything for the topic.
        is_kept = path == directory and mode & stat.S_ISVTX
        if mode & OTHERS_CAN_WRITE and not is_kept:
            told.append(
                f"`{path}` is writable by users other than its owner: agents could write as "
                "operators; remove that right (`chmod go-w`)"
            )
    events = directory / EVENTS
    with contextlib.suppress(OSError):
        mode = events.stat().st_mode
        if mode & OTHERS_CAN_WRITE and not mode & stat.S_ISVTX:
            told.append(
                f"in `{events}` users other than its owner can remove and replace each other's "
                "files, including unread ones; set the sticky bit (`chmod +t`)"
            )
    return told


def checked_directory(directory: Path | str) -> Path:
    path = Path(directory)
    if not path.is_dir():
        raise ConfigError(f"`{path}` is not a directory; create it, or correct the `log:` address")
    return path


def _record(stream: Stream, line: Line, arrival_ns: int, not_before_ns: int) -> Record:
    key, value, headers = from_line(stream.topic, line.value)
    origin = Origin(stream.topic, stream.partition, line.offset)
    return Record(origin, key, value, headers, arrival_ns, not_before_ns)
