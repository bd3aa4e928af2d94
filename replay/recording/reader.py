"""Reads a recording, or a plain file of events, as one sequence of lines.

Input: a path. Output: a header, and lines one after the other; memory is bounded by the longest
line. A damaged recording is read up to the damage, which is stored in `damage`: the part before it
is valid. A plain file gets a default header: trusted times, every kind allowed, no ticks, exactly
as `interlock run` reads such a file.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final

from invariants.model.errors import ConfigError
from monitor.config.table import Settings
from monitor.ingest.file_sort import SortedSource, open_file
from monitor.transport.file.reader import STANDARD_INPUT, FileSource
from replay.recording.format import (
    HEADER_BYTES_MAX,
    LINE_BYTES_MAX,
    PLAIN,
    BrokenLineError,
    Chain,
    EndLine,
    Line,
    NoticeLine,
    RecordedSettings,
    RecordedSource,
    RecordingHeader,
    RecordLine,
    decode_header,
    decode_line,
    is_recording,
    text_or_base64,
)

POLL_RECORDS: Final = 1_000
GZIP_MAGIC: Final = b"\x1f\x8b"
DEFAULT_PLAIN: Final = partial(
    RecordedSettings, trust_ts=True, is_trusted=True, idle_close_ns=Settings().idle_close_ns
)
"""The settings for a plain file, unless the configuration has others."""
UNREADABLE: Final = (OSError, EOFError, zlib.error)


@dataclass(frozen=True, slots=True)
class Damage:
    """From which line on (the header is line 1) a recording cannot be relied on, and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"recording is damaged at line {self.line}: {self.reason}"


END_OF_TIME_NS: Final = 2**63 - 1


class RecordedFile:
    """One file to replay. `damage` and `end` are known once `lines` is exhausted.

    `is_sorted` and `plain_settings` are for plain files, as in `interlock run`; a recording has its
    own order and settings. `now_ns` is when a plain file is read: a later timestamp is not a known
    time, and does not count towards the file's end.

    Raises
    ------
    ConfigError
        The file cannot be opened, or its header is damaged or of another version.
    """

    def __init__(
        self,
        path: str,
        *,
        is_sorted: bool = False,
        plain_settings: Callable[[], RecordedSettings] = DEFAULT_PLAIN,
        now_ns: int = END_OF_TIME_NS,
    ) -> None:
        self.path = path
        self.is_sorted = is_sorted
        self._plain_settings = plain_settings
        self.now_ns = now_ns
        self._source: FileSource | SortedSource | None = None
        self.damage: Damage | None = None
        self.end: EndLine | None = None
        self._raw, self._text = _open(path)
        self._chain = Chain()
        self.is_plain, self.header = self._read_header()

    def lines(self) -> Iterator[Line]:
        """Every line except header and trailer. To be called once."""
        if self.is_plain:
            self.close()
            yield from self._plain_lines()
            return
        number = 1
        while True:
            number += 1
            line = self._next(number)
            if line is None:
                return
            if isinstance(line, EndLine):
                self.end = line
                self._expect_nothing_more(number + 1)
                return
            yield line

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._text.close()
        self._raw.close()

    def _next(self, number: int) -> Line | None:
        try:
            sealed = self._text.readline(LINE_BYTES_MAX + 1)
        except UNREADABLE as error:
            self.damage = Damage(number, f"it cannot be decompressed ({type(error).__name__})")
            return None
        try:
            if not sealed:
                raise BrokenLineError("it has no trailer: it was truncated or is not finished")
            if len(sealed) > LINE_BYTES_MAX:
                raise BrokenLineError(f"the line is longer than {LINE_BYTES_MAX} bytes")
            return decode_line(self._chain.unseal(sealed))
        except BrokenLineError as error:
            self.damage = Damage(number, str(error))
            return None

    def _expect_nothing_more(self, number: int) -> None:
        try:
            is_more = bool(self._text.readline(1))
        except UNREADABLE:
            is_more = True
        if is_more:
            self.damage = Damage(number, "there is content after the trailer")

    def _read_header(self) -> tuple[bool, RecordingHeader]:
        try:
            first = self._text.readline(HEADER_BYTES_MAX + 1)
        except UNREADABLE as error:
            raise ConfigError(f"`{self.path}` cannot be decompressed: {error}") from None
        if not is_recording(first):
            return True, self._header_of_plain()
        if self.is_sorted:
            self.close()
            raise ConfigError(f"`{self.path}` is a recording and already ordered; omit `--sort`")
        try:
            return False, decode_header(self._chain.unseal(first))
        except BrokenLineError as error:
            self.close()
            raise ConfigError(f"`{self.path}`: recording is damaged at line 1: {error}") from None

    def line_of(self, record: RecordLine) -> int | None:
        """The line number (from 1) of a record in a plain file; to be called right after it was
        read.
        """
        return None if self._source is None else self._source.line_of(record.offset)

    def first_lines(self) -> list[bytes]:
        """The beginning of a plain file, once it was read."""
        return [] if self._source is None else self._source.first_lines

    def _header_of_plain(self) -> RecordingHeader:
        source = RecordedSource(kind=PLAIN, address=self.path, topics=[])
        return RecordingHeader(source=source, settings=self._plain_settings())

    def _plain_lines(self) -> Iterator[Line]:
        source = self._source = open_file(
            self.path,
            is_sorted=self.is_sorted,
            latest_ns=lambda: self.now_ns + self.header.settings.skew_ns,
        )
        try:
            source.poll(0, 1)
            source.resume({})
            while True:
                poll = source.poll(0, POLL_RECORDS)
                for record in poll.records:
                    origin = record.origin
                    text, packed = text_or_base64(record.value)
                    yield RecordLine(
                        topic=origin.topic,
                        partition=origin.partition,
                        offset=origin.offset,
                        text=text,
                        base64=packed,
                    )
                for notice in poll.notices:
                    yield NoticeLine(
                        kind=notice.kind,
                        topic=notice.stream.topic,
                        partition=notice.stream.partition,
                        from_offset=notice.from_offset,
                        to_offset=notice.to_offset,
                        detail=notice.detail,
                    )
                if poll.is_finished:
                    return
        finally:
            source.close()


def _open(path: str) -> tuple[IO[bytes], IO[bytes]]:
    if path == STANDARD_INPUT:
        raise ConfigError("a replay needs a file, not standard input")
    try:
        raw = Path(path).open("rb")  # noqa: SIM115 - closed by `close`
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be read: {error.strerror}") from None
    try:
        if raw.read(2) != GZIP_MAGIC:
            raw.seek(0)
            return raw, raw
        raw.seek(0)
    except OSError as error:
        raw.close()
        raise ConfigError(f"`{path}` cannot be read: {error.strerror}") from None
    return raw, gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
