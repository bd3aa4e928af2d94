"""A log directory as a source, and as the control topic: the way without Kafka.

Input: `DIR/TOPIC/WRITER-N.jsonl` (see `log_layout`), followed as it grows. A stream is one file,
its offsets are bytes. Arrival is the clock given to the source, read before the files are looked
at, and never goes back. Not a security boundary unless agents run as another user and can write
only their own directories: `warnings` says which it is.

It deliberately does not say `lost` when a file goes away: retention takes old files of sessions
that live on, whose state must stay.
"""

from __future__ import annotations

import contextlib
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from invariants.errors import ConfigError
from invariants.event import Origin

from ..topics import APPROVALS, CONTROL, ENFORCEMENT, EVENTS, READ_TOGETHER
from .base import Frontier, Poll, Record, Stream
from .log_layout import from_line
from .log_lines import Line
from .log_tail import FILES_MAX, Followed, LogTail

INTERVAL_S: Final = 0.02
"""How often an idle directory is looked at; half of it is the mean latency added to a kill."""

UNSEEN_NS_MAX: Final = 5_000_000_000
"""Chosen: however busy the files are, nobody can put an event further back than this, or than the
look before, but for what was written before the first look."""

LOOKS_MAX: Final = 16
"""Looks in a row without a pause while a long line or an unfinished file is being passed."""


OTHERS_CAN_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class LogDirSource:
    """Follows the files of `topics`; see the module for what it promises.

    Parameters
    ----------
    now_ns
        The clock that arrivals are taken from.
    sleep
        Waits, in seconds, between two looks at an idle directory.

    Raises
    ------
    ConfigError
        There is no such directory.
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
        self._known_ns = 0
        self._looked_ns = 0
        self._found_after_ns: dict[Stream, int] = {}
        """Of each file, the last look at which it was not there; 0 where nobody had looked."""
        self._at_end_ns: dict[Stream, int] = {}
        """Of each file, the last look at which it was read to its end."""
        self._unread: dict[str, int] = {}
        """The last look that found every file at its end: what comes now was written since."""
        self._first_look_ns = 0

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
        """Nobody else wants to know."""

    def close(self) -> None:
        """Nothing is held open between two polls."""

    def _look(self, records_max: int) -> Poll:
        # Between these two times the files are looked at one after the other: what is found was
        # written before the second, and what is missed, after the first.
        begin_ns = self._clock_ns()
        gained, notices = self._tail.find()
        lines, more = self._tail.read(records_max)
        self._note(gained)
        end_ns = self._clock_ns()
        # What came since the last look is never put behind it, however long ago that was: a slow
        # or paused monitor would take an answer for younger than what it answers.
        furthest_ns = min(begin_ns - UNSEEN_NS_MAX, self._looked_ns)
        known_ns = self._known_ns and max(self._known_ns, furthest_ns)
        self._first_look_ns = self._first_look_ns or begin_ns
        readable = [f for f in self._tail.files.values() if not f.is_closed_to_us]
        if all(f.is_at_end for f in readable):
            self._known_ns = begin_ns
        elif not self._known_ns and all(f.is_at_end or f.is_caught_up for f in readable):
            # Somebody writes faster than is read here: everybody else must not wait for that.
            self._known_ns = self._first_look_ns
        self._looked_ns = begin_ns
        not_before_ns = {
            stream: self._not_before_ns(stream, known_ns) for stream in {s for s, _ in lines}
        }
        self._at_end_ns = {
            stream: begin_ns if followed.is_at_end else self._at_end_ns.get(stream, 0)
            for stream, followed in self._tail.files.items()
        }
        return Poll(
            records=tuple(_record(s, line, end_ns, not_before_ns[s]) for s, line in lines),
            frontiers={
                stream: self._frontier(followed, begin_ns)
                for stream, followed in self._tail.files.items()
                if not followed.is_closed_to_us
            },
            gained=tuple(gained),
            unread=self._unread,
            gone=self._take_gone(),
            is_whole=True,
            notices=(*notices, *more),
        )

    def _note(self, gained: Iterable[Stream]) -> None:
        """When files came, and shards with one that is not read: both since the last look."""
        files = self._tail.files
        found = self._found_after_ns | dict.fromkeys(gained, self._looked_ns)
        self._found_after_ns = {stream: ns for stream, ns in found.items() if stream in files}
        names = [f"{topic}/{owner}" for topic, owner in self._tail.unread]
        self._unread = {name: self._unread.get(name, self._looked_ns) for name in names}

    def _not_before_ns(self, stream: Stream, known_ns: int) -> int:
        """What was found in a file came after the last look at which there was no more of it.

        Another file that is being flooded must not make it look as old as that one may be.
        """
        own_ns = max(self._at_end_ns.get(stream, 0), self._found_after_ns.get(stream, 0))
        return max(known_ns, own_ns) if known_ns else 0

    def _clock_ns(self) -> int:
        self._latest_ns = max(self._latest_ns, self._now_ns())
        return self._latest_ns

    def _frontier(self, followed: Followed, begin_ns: int) -> Frontier:
        """How far a file is known: one that is being read is waited for, and not for ever.

        What is still to come of it will be put into the order at most `UNSEEN_NS_MAX` back.
        """
        unread_ns = begin_ns - UNSEEN_NS_MAX if self._known_ns else None
        return Frontier(
            next_offset=followed.cursor.line_start,
            is_at_end=followed.is_at_end,
            read_to_ns=begin_ns if followed.is_at_end else unread_ns,
            seen_to_ns=self._found_after_ns.get(followed.stream),
            part=str(followed.owner),
            lag_records=followed.lag_lines,
            identity=followed.identity,
        )


def boundary_warnings(directory: Path) -> tuple[str, ...]:
    """Where others than the owner can write what is not theirs, or remove each other's files."""
    told = []
    for path in (directory, *(directory / topic for topic in (APPROVALS, ENFORCEMENT, CONTROL))):
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        # A sticky bit keeps others from replacing a topic's directory. Within a topic it helps
        # nothing: who may make a file there speaks for the topic.
        is_kept = path == directory and mode & stat.S_ISVTX
        if mode & OTHERS_CAN_WRITE and not is_kept:
            told.append(
                f"`{path}` can be written by others than its owner: agents could speak as "
                "operators; take the right away (`chmod go-w`)"
            )
    events = directory / EVENTS
    with contextlib.suppress(OSError):
        mode = events.stat().st_mode
        if mode & OTHERS_CAN_WRITE and not mode & stat.S_ISVTX:
            told.append(
                f"in `{events}` others than its owner can remove and replace each other's files, "
                "and what was not read yet with them; set the sticky bit (`chmod +t`)"
            )
    told.append(
        f"`{directory}` is a security boundary only where agents run as another user than "
        f"the owner (uid {directory.stat().st_uid})"
    )
    return tuple(told)


def checked_directory(directory: Path | str) -> Path:
    path = Path(directory)
    if not path.is_dir():
        raise ConfigError(f"`{path}` is no directory; make it first, or mend the `log:` address")
    return path


def _record(stream: Stream, line: Line, arrival_ns: int, not_before_ns: int) -> Record:
    key, value, headers = from_line(stream.topic, line.value)
    origin = Origin(stream.topic, stream.partition, line.offset)
    return Record(origin, key, value, headers, arrival_ns, not_before_ns)
