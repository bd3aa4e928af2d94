"""Records the live engine's input: the same merge, the same order, the same times.

Input: a bystander's source (it joins no group and commits nothing) and the selection. Output: a
recording. Events are written in the order of `monitor/ingest/merge.py`; between them ticks, as in
the live loop: up to the point before which nothing can arrive, a little behind the clock.

If arrivals are the broker's, the past is recorded exactly. In a log directory an arrival is the
time at which the files were *found*. A recorder that runs with the monitor is close to it; a later
one has the producers' own times and no bound on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from interlock.control_record import voucher_of
from invariants.model.event import Event
from monitor.clock import Clock
from monitor.ingest.merge import Item, Merger
from monitor.ingest.read_record import read_record
from monitor.topics import CONTROL, FINDINGS
from monitor.transport.base import ControlEntry, Notice, Poll, Record, Stream
from monitor.transport.logdir.layout import parse_file_name
from monitor.transport.readonly.open import Bystander
from replay.recording.format import (
    ControlLine,
    EndLine,
    FindingLine,
    NoticeLine,
    RecordingHeader,
    RecordLine,
    StreamSpan,
    TickLine,
    text_or_base64,
)
from replay.recording.writer import RecordingWriter

TICK_EVERY_NS: Final = 1_000_000_000
"""Chosen: deadlines are decided by events anyway; ticks close idle sessions."""
TICK_SLACK_NS: Final = 2_000_000_000
"""As the live loop: how far the broker's clock may be behind ours."""
RECORDS_MAX: Final = 1_000
POLL_WAIT_S: Final = 0.2
ALL_STREAMS: Final = ""


@dataclass(frozen=True, slots=True)
class RecordingChoice:
    """The selection. Times are arrivals if a broker provides them, else the producers' own.

    `until_ns` is excluded. `is_following`: continue after the end until stopped.
    """

    session: str = ""
    from_ns: int | None = None
    until_ns: int | None = None
    is_following: bool = False


@dataclass(slots=True)
class _Span:
    first: int
    following: int


@dataclass(slots=True)
class _Progress:
    """The state of a recording in progress."""

    spans: dict[Stream, _Span] = field(default_factory=dict)
    ticked_ns: int = 0
    has_passed: bool = False
    """True if all selected records have arrived: one with a later time has."""
    values: dict[tuple[Stream, int], Record] = field(default_factory=dict)


class Recorder:
    """Takes a source into a recording."""

    def __init__(
        self,
        place: Bystander,
        writer: RecordingWriter,
        header: RecordingHeader,
        wanted: RecordingChoice,
        clock: Clock,
    ) -> None:
        self._place = place
        self._writer = writer
        self._settings = header.settings
        self._wanted = wanted
        self._clock = clock
        # One order of all streams, so that scopes wider than a session can be played too.
        self._merger = Merger(lambda stream: ALL_STREAMS)
        self._known = _Progress()

    def run(self, should_stop: Callable[[], bool]) -> EndLine:
        """Record until all selected records are there, or until stopped; returns the trailer."""
        source = self._place.source
        source.resume(self._place.positions)
        is_moving, reason = False, "asked to stop"
        while not should_stop():
            poll = Poll()
            if not (is_moving and self._merger.held_count > RECORDS_MAX):
                poll = source.poll(POLL_WAIT_S, RECORDS_MAX)
                self._take(poll)
            is_moving = self._give_out()
            self._tick()
            if self._wanted.is_following:
                self._writer.flush()
                if self._is_over():
                    reason = "until the given time"
                    break
            elif self._is_done(poll, is_moving):
                reason = "the end of the input"
                break
        return self._end(reason)

    def _take(self, poll: Poll) -> None:
        for notice in poll.notices:
            self._writer.put(_notice_line(notice))
        if poll.gained:
            self._place.source.resume(self._place.positions)
        for stream, frontier in poll.frontiers.items():
            if frontier.next_offset is not None:  # None: the stream is not placed yet.
                span = self._known.spans.setdefault(
                    stream, _Span(frontier.next_offset, frontier.next_offset)
                )
                span.following = frontier.next_offset
        for record in poll.records:
            span = self._known.spans[record.stream]
            span.first = min(span.first, record.origin.offset)
            self._known.values[record.stream, record.origin.offset] = record
            self._merger.put(record.stream, record.origin.offset, read_record(record))
        self._merger.know(poll.frontiers)

    def _give_out(self) -> bool:
        """Write all whose turn has come; whether there was any."""
        is_any = False
        while (item := self._merger.next()) is not None:
            is_any = True
            record = self._known.values.pop((item.stream, item.offset))
            if self._is_wanted(item):
                self._tick_before(item)
                self._writer.put(_record_line(record, item))
        return is_any

    def _is_wanted(self, item: Item) -> bool:
        wanted, content = self._wanted, item.content
        stamped_ns = _stamped_ns(item)
        time_ns = item.ts_ns if stamped_ns is None else stamped_ns
        if wanted.until_ns is not None and time_ns >= wanted.until_ns:
            self._known.has_passed = True
            return False
        if wanted.from_ns is not None and time_ns < wanted.from_ns:
            return False
        if not wanted.session:
            return True
        return isinstance(content, Event) and content.session == wanted.session

    def _tick_before(self, item: Item) -> None:
        """Live, time had advanced before this record arrived; only a broker's times show by how
        much.
        """
        stamped_ns = _stamped_ns(item)
        if stamped_ns is not None and not self._settings.trust_ts:
            self._write_tick(stamped_ns - TICK_SLACK_NS)

    def _tick(self, every_ns: int = TICK_EVERY_NS) -> None:
        """If nothing waits, record the current time, like the loop."""
        if self._settings.trust_ts:
            return
        now_ns = self._clock.now_ns() - TICK_SLACK_NS
        reached_ns = self._reached_ns(now_ns)
        if reached_ns is not None:
            self._write_tick(reached_ns, every_ns)

    def _reached_ns(self, now_ns: int) -> int | None:
        """No event that arrives before this time is still to come; None if it is unknown."""
        is_begun = ALL_STREAMS in self._merger.groups()
        return self._merger.reached_ns(ALL_STREAMS, now_ns) if is_begun else None

    def _write_tick(self, reached_ns: int, every_ns: int = TICK_EVERY_NS) -> None:
        if self._wanted.until_ns is not None and self._place.has_broker_times:
            reached_ns = min(reached_ns, self._wanted.until_ns - TICK_SLACK_NS)
        time_ns = reached_ns - self._settings.lateness_ns
        if time_ns >= self._known.ticked_ns + every_ns:
            self._known.ticked_ns = time_ns
            self._writer.put(TickLine(time_ns=time_ns))

    def _is_over(self) -> bool:
        until_ns = self._wanted.until_ns
        return until_ns is not None and self._clock.now_ns() >= until_ns

    def _is_done(self, poll: Poll, is_moving: bool) -> bool:
        """True if every stream was read to its end, or to the given time."""
        if poll.records or poll.gained or is_moving:
            return False
        if not self._known.spans:
            return not self._place.is_assigned_late
        is_at_end = all(frontier.is_at_end for frontier in poll.frontiers.values())
        is_known = is_at_end and self._reached_ns(self._clock.now_ns()) is not None
        return is_known or self._known.has_passed

    def _end(self, reason: str) -> EndLine:
        self._tick(every_ns=1)
        findings = control = "absent"
        if (beside := self._place.beside(FINDINGS)) is not None:
            self._write_findings(beside.entries)
            findings = "whole" if beside.is_whole else "partial"
        if (beside := self._place.beside(CONTROL)) is not None:
            self._write_control(beside.entries)
            # Compaction removes records that are no longer in force: this is not a loss.
            control = "whole"
        # What was read and still waits for its turn is not in the recording.
        for stream, following in self._merger.positions().items():
            if stream in self._known.spans:
                self._known.spans[stream].following = following
        streams = sorted(self._known.spans.items())
        begins = self._wanted.from_ns is None
        return EndLine(
            counts={},
            streams=[
                StreamSpan(
                    stream.topic,
                    stream.partition,
                    span.first,
                    span.following,
                    begins and self._starts_log(stream, span),
                )
                for stream, span in streams
            ],
            findings=findings,
            control=control,
            reason=reason,
        )

    def _starts_log(self, stream: Stream, span: _Span) -> bool:
        """True if nothing was written before the first record read from a stream."""
        if span.first > 0:
            return False
        name = parse_file_name(stream.partition)
        if name is None:
            return True
        writer, number = name
        return number == 1 or Stream(stream.topic, f"{writer}-{number - 1}.jsonl") in (
            self._known.spans
        )

    def _write_findings(self, entries: Iterator[ControlEntry]) -> None:
        for _, value in entries:
            if value is None or not self._is_of_session(value):
                continue
            text, packed = text_or_base64(value)
            self._writer.put(FindingLine(text=text, base64=packed))

    def _is_of_session(self, finding: bytes) -> bool:
        if not self._wanted.session:
            return True
        try:
            return msgspec.json.decode(finding, type=_OfSession).session == self._wanted.session
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return True  # Kept, so that it is reported as unreadable.

    def _write_control(self, entries: Iterator[ControlEntry]) -> None:
        session = self._wanted.session
        for key, value in entries:
            is_own = key == f"session:{session}" or key.endswith(f"/{session}")
            is_other = key.startswith(("session:", "session-of:")) and not is_own
            if voucher_of(key) is not None or (session and is_other):
                continue
            text, packed = (None, None) if value is None else text_or_base64(value)
            self._writer.put(ControlLine(key=key, text=text, base64=packed))


class _OfSession(msgspec.Struct):
    session: str = ""


def _stamped_ns(item: Item) -> int | None:
    """Its arrival from the broker; None if only the time of finding it is known."""
    content = item.content
    if isinstance(content, Event) and content.not_before_ns is None:
        return content.arrival_ns
    return None


def _record_line(record: Record, item: Item) -> RecordLine:
    text, packed = text_or_base64(record.value)
    content = item.content
    return RecordLine(
        topic=record.origin.topic,
        partition=record.origin.partition,
        offset=record.origin.offset,
        arrival_ns=record.arrival_ns,
        not_before_ns=record.not_before_ns,
        principal=content.principal if isinstance(content, Event) else "",
        text=text,
        base64=packed,
    )


def _notice_line(notice: Notice) -> NoticeLine:
    return NoticeLine(
        kind=notice.kind,
        topic=notice.stream.topic,
        partition=notice.stream.partition,
        from_offset=notice.from_offset,
        to_offset=notice.to_offset,
        detail=notice.detail,
    )
