"""Finished files as a source: `.jsonl`, `.jsonl.gz`, and standard input.

Input: one path. Output: its lines as records without arrival (none is known), then `is_finished`.
Offsets are bytes of the text, for `.gz` of the decompressed text. The last line counts with or
without a newline. Memory is bounded by the longest allowed line, whatever the size of the
decompressed content. Standard input cannot be read twice, so positions do not apply to it.
"""

from __future__ import annotations

import codecs
import gzip
import os
import sys
import zlib
from collections import deque
from collections.abc import Mapping
from typing import IO, Final, Protocol

import msgspec

from invariants.model.errors import ConfigError
from invariants.model.event import Origin
from monitor.transport.file.foreign import BYTES_MAX, LINES_MAX

from ..base import Frontier, Notice, Poll, Record, Stream
from ..logdir.file_identity import HEAD_BYTES, identity_of, length_of
from ..logdir.layout import LINE_BYTES_MAX
from .pipe import Pipe

FILE_TOPIC: Final = "file"
"""The topic of origins in finished files, which may assert every kind of event."""

STANDARD_INPUT: Final = "-"
SKIP_BYTES: Final = 1024 * 1024
POLL_BYTES_MAX: Final = 16 * 1024 * 1024
LINES_KNOWN_POLLS: Final = 4
"""The loop holds the records of at most two full polls: a line number is needed while its record is
held."""


class FileProgress(msgspec.Struct, frozen=True):
    """Bytes of the file as it lies on the disk; the total is None for standard input."""

    read_bytes: int
    total_bytes: int | None


class _Text(Protocol):
    def readline(self, bytes_max: int, /) -> bytes: ...


class FileSource:
    """Reads one finished file; the module's docstring contains its guarantees.

    Raises
    ------
    ConfigError
        The file cannot be opened.
    """

    def __init__(
        self, path: str, topic: str = FILE_TOPIC, *, stdin: IO[bytes] | None = None
    ) -> None:
        self._stream = Stream(topic, path)
        self._pipe: Pipe | None = None
        self._raw: IO[bytes] | None = None
        self._total: int | None = None
        if path == STANDARD_INPUT:
            self._pipe = Pipe(stdin or sys.stdin.buffer)
            self._text: _Text = self._pipe
        else:
            self._raw, self._total = _open(path)
            self._text = gzip.GzipFile(fileobj=self._raw) if path.endswith(".gz") else self._raw
        self._offset = 0
        self._skip_to = 0
        self._newlines_count = 0
        self._lines: deque[tuple[int, int]] = deque()
        self.first_lines: list[bytes] = []
        """The beginning of the text, as far as it helps to identify its format."""
        self._first_bytes_left = BYTES_MAX
        self._head = b""
        self._stored_identity: str | None = None
        self._is_gained = False
        self._is_resumed = False
        self._is_finished = False
        self._read_bytes = 0

    def recognise(self, identities: Mapping[Stream, str]) -> None:
        self._stored_identity = identities.get(self._stream)

    def resume(self, positions: Mapping[Stream, int]) -> None:
        if not self._is_resumed:
            self._skip_to = self.begin_of(positions)
        self._is_resumed = self._is_gained

    def poll(self, timeout_s: float, records_max: int) -> Poll:
        if not self._is_gained:
            self._is_gained = True
            return Poll(frontiers=self._frontiers(), gained=(self._stream,), is_whole=True)
        if self._is_finished or not self._is_resumed:
            return Poll(frontiers=self._frontiers(), is_finished=self._is_finished, is_whole=True)
        records: list[Record] = []
        notices: list[Notice] = []
        try:
            self._read(records, records_max, timeout_s, notices)
        except (OSError, EOFError, zlib.error) as error:
            self._give_up(error, notices)
        self._read_bytes = self._place()
        return Poll(
            records=tuple(records),
            frontiers=self._frontiers(),
            is_finished=self._is_finished,
            is_whole=True,
            notices=tuple(notices),
        )

    def commit(self, positions: Mapping[Stream, int]) -> None:
        """No other component needs this."""

    def close(self) -> None:
        if isinstance(self._text, gzip.GzipFile):
            self._text.close()
        if self._raw is not None:
            self._raw.close()

    def progress(self) -> FileProgress:
        """How much of the file was read, as it lies on the disk."""
        return FileProgress(self._read_bytes, self._total)

    def begin_of(self, positions: Mapping[Stream, int]) -> int:
        """From which byte on these positions would have the file read."""
        return 0 if self._pipe is not None else max(0, positions.get(self._stream, 0))

    def line_of(self, offset: int) -> int | None:
        """The number (from 1) of the line at an offset; known for records of the last few polls."""
        return next((line for known, line in self._lines if known == offset), None)

    def _read(
        self, records: list[Record], records_max: int, timeout_s: float, notices: list[Notice]
    ) -> None:
        if self._offset < self._skip_to and not self._skip(notices):
            return
        bytes_left = POLL_BYTES_MAX
        while len(self._lines) > LINES_KNOWN_POLLS * records_max:
            self._lines.popleft()
        while len(records) < records_max and bytes_left > 0:
            wait_s = 0.0 if records else timeout_s
            if self._pipe is not None and not self._pipe.wait(wait_s, LINE_BYTES_MAX + 2):
                return
            # One byte more than is allowed, and one for the newline.
            line = self._text.readline(LINE_BYTES_MAX + 2)
            if not line:
                self._is_finished = True
                return
            start, number = self._offset, self._newlines_count + 1
            self._advance(line)
            bytes_left -= len(line)
            value = line.removesuffix(b"\n")
            if len(value) > LINE_BYTES_MAX:
                if len(value) == len(line):
                    self._pass_rest()
                value = value[: LINE_BYTES_MAX + 1]
            if start == 0:
                value = value.removeprefix(codecs.BOM_UTF8)  # Some editors and exports begin so.
            if not value.isspace() and value:
                origin = Origin(self._stream.topic, self._stream.partition, start)
                records.append(Record(origin, None, value))
                self._lines.append((start, number))
                if self._first_bytes_left > 0:
                    self._keep_first(value)

    def _keep_first(self, value: bytes) -> None:
        if len(self.first_lines) < LINES_MAX:
            self.first_lines.append(value[: self._first_bytes_left])
            self._first_bytes_left -= len(value)

    def _pass_rest(self) -> None:
        """Step to the end of a line that is too long, piece by piece."""
        while True:
            piece = self._text.readline(SKIP_BYTES)
            self._advance(piece)
            if not piece or piece.endswith(b"\n"):
                return

    def _skip(self, notices: list[Notice]) -> bool:
        """Go to the store's position; False if the file does not reach that far.

        If it is not the file of that position, it goes to the start.
        """
        while self._offset < self._skip_to:
            piece = self._text.readline(min(SKIP_BYTES, self._skip_to - self._offset))
            self._advance(piece)
            if self._is_another(is_over=not piece):
                detail = (
                    "its beginning differs from the file that was read; it is read from its start"
                )
                notices.append(Notice("replaced", self._stream, self._skip_to, 0, detail))
                self._begin_again()
                return True
            if not piece:
                detail = (
                    f"the file ends at byte {self._offset}, before the stored position; it was "
                    "truncated"
                )
                notices.append(
                    Notice("truncated", self._stream, self._skip_to, self._offset, detail)
                )
                self._is_finished = True
                return False
        return True

    def _advance(self, piece: bytes) -> None:
        self._offset += len(piece)
        self._newlines_count += piece.count(b"\n")
        if len(self._head) < HEAD_BYTES:
            self._head += piece[: HEAD_BYTES - len(self._head)]

    def _is_another(self, *, is_over: bool) -> bool:
        """True if the file does not have the stored identity, once that is known."""
        stored = self._stored_identity
        length = None if stored is None else length_of(stored)
        if length is None or (len(self._head) < length and not is_over):
            return False
        self._stored_identity = None
        return identity_of(self._head[:length]) != stored

    def _begin_again(self) -> None:
        assert self._raw is not None, "nothing is skipped of a pipe"
        self._offset = self._skip_to = self._newlines_count = 0
        self._head = b""
        if isinstance(self._text, gzip.GzipFile):
            self._text.seek(0)
        else:
            self._raw.seek(0)

    def _give_up(self, error: Exception, notices: list[Notice]) -> None:
        """A damaged or truncated compressed file: everything before the damage is read, with a
        notice.
        """
        detail = f"unreadable from byte {self._offset} on ({type(error).__name__}: {error})"
        notices.append(Notice("unreadable", self._stream, self._offset, self._offset, detail))
        self._is_finished = True

    def _place(self) -> int:
        return self._offset if self._raw is None else self._raw.tell()

    def _frontiers(self) -> dict[Stream, Frontier]:
        return {
            self._stream: Frontier(
                self._offset, is_at_end=self._is_finished, identity=identity_of(self._head)
            )
        }


def _open(path: str) -> tuple[IO[bytes], int]:
    try:
        raw = open(path, "rb")  # noqa: SIM115, PTH123 - closed by `close`
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be read: {error.strerror}") from None
    return raw, os.fstat(raw.fileno()).st_size
