"""Writes a recording: header first, then lines as they come, the trailer last.

The file is readable only by its owner (0600), since it contains the data and actions of agents, and
never replaces another unless that is requested. A recording without a trailer was truncated, or is
still being written; readers report this.
"""

from __future__ import annotations

import gzip
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from monitor.evidence_file import create_evidence
from replay.recording.format import (
    Chain,
    EndLine,
    Line,
    RecordingHeader,
    encode_header,
    encode_line,
)

COMPRESSION_LEVEL: Final = 6


class RecordingWriter:
    """One recording being written.

    Raises
    ------
    ConfigError
        The file exists already and `is_replacing` is false, or it cannot be created.
    """

    def __init__(self, path: Path, header: RecordingHeader, *, is_replacing: bool = False) -> None:
        self._raw = create_evidence(path, is_replacing=is_replacing)
        self._text: IO[bytes] = self._raw
        if path.suffix == ".gz":
            # No file name and no time inside: equal contents make equal files.
            self._text = gzip.GzipFile("", "wb", COMPRESSION_LEVEL, self._raw, mtime=0)  # type: ignore[assignment]
        self._chain = Chain()
        self._counts: Counter[str] = Counter()
        self._text.write(self._chain.seal(encode_header(header)))

    def put(self, line: Line) -> None:
        """Write one line."""
        self._counts[_tag(line)] += 1
        self._text.write(self._chain.seal(encode_line(line)))

    def flush(self) -> None:
        """Let readers see the content written so far."""
        self._text.flush()
        self._raw.flush()

    def count(self, tag: str) -> int:
        """How many lines of one sort were written."""
        return self._counts[tag]

    def end(self, end: EndLine) -> dict[str, int]:
        """Write the trailer, with the counts of all lines, and close the file; the counts."""
        counts = dict(sorted(self._counts.items()))
        trailer = msgspec.structs.replace(end, counts=counts)
        self._text.write(self._chain.seal(encode_line(trailer)))
        self.close()
        return counts

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        if self._raw.closed:
            return
        self._text.close()
        if not self._raw.closed:
            self._raw.flush()
            with suppress(OSError):  # A pipe or a device keeps nothing.
                os.fsync(self._raw.fileno())
            self._raw.close()


def _tag(line: Line) -> str:
    tag = type(line).__struct_config__.tag
    assert isinstance(tag, str), "every line has a tag"
    return tag
