"""The latest records of a log directory's files, without following them: for `interlock doctor`.

Files may be those of an attacker: see `files.py`. Only the end of each is read, and only the files
that changed last.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from invariants.model.event import Origin

from ..base import Record
from .files import entries, opened, refusal
from .layout import LINE_BYTES_MAX, from_line

FILES_MAX: Final = 64
"""Of a topic. Chosen: a sample of those that changed last."""
READ_BYTES: Final = 2 * LINE_BYTES_MAX
"""Of a file. Chosen: the longest record, wherever it begins."""


class Latest(NamedTuple):
    """Records, the number of files that cannot be read, and False if `bytes_max` was reached."""

    records: list[Record]
    refused_count: int
    is_whole: bool = True


def latest_records(
    directory: str, topics: Sequence[str], count: int, *, bytes_max: int, found_ns: int
) -> Latest:
    """The latest `count` whole lines of each file, until they have more than `bytes_max`."""
    records: list[Record] = []
    refused_count = size = 0
    for topic in topics:
        folder = Path(directory) / topic
        found = sorted(entries(folder), key=lambda one: one[1].st_mtime_ns, reverse=True)
        for name, status in found[:FILES_MAX]:
            with opened(folder, name, (status.st_dev, status.st_ino)) as file:
                if file is None or refusal(name, status):
                    refused_count += 1
                    continue
                lines = _last_lines(file, count)
            size += sum(len(line) for _, line in lines)
            if size > bytes_max:
                return Latest(records, refused_count, is_whole=False)
            records += [
                Record(Origin(topic, name, offset), *from_line(topic, line), arrival_ns=found_ns)
                for offset, line in lines
            ]
    return Latest(records, refused_count)


def _last_lines(file: int, count: int) -> list[tuple[int, bytes]]:
    """The last whole lines of a file, each with its offset."""
    start = max(0, os.fstat(file).st_size - READ_BYTES)
    content = os.pread(file, READ_BYTES, start)
    first = content.find(b"\n") + 1 if start else 0
    offset, lines = start + first, []
    for line in content[first : content.rfind(b"\n") + 1].splitlines(keepends=True):
        lines.append((offset, line.removesuffix(b"\n")))
        offset += len(line)
    return lines[-count:] if count else []
