"""The inputs of a preview: recordings and plain files, and whole log directories as one.

Input: a path of the command line. Output: a header, and lines in the order in which they are
played. A log directory has no order of its own between its files: they are merged by `ts`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from invariants.model.errors import ConfigError
from invariants.model.event import Event
from monitor.detection.training_data import recordings_of
from monitor.topics import EVENTS, READ_TOGETHER
from monitor.transport.logdir.layout import parse_file_name
from replay.recording.format import Line, RecordingHeader, RecordLine
from replay.recording.reader import RecordedFile
from replay.timeline.player import read_line

FILES_MAX: Final = 512
"""Chosen: files of a log directory that are open at a time; processes have 1,024 as a rule."""


class Input(NamedTuple):
    """One recording. `files` is empty once `lines` is exhausted without damage."""

    name: str
    header: RecordingHeader
    is_plain: bool
    lines: Iterator[Line]
    files: list[RecordedFile]

    @property
    def damage(self) -> str:
        """The first damage that was met; empty without any."""
        return next((f"`{f.path}`: {f.damage}" for f in self.files if f.damage is not None), "")


def inputs_of(paths: list[str]) -> list[list[str]]:
    """The files of each recording, by the paths of the command line.

    A log directory is one recording. Of another directory each `.jsonl` and `.jsonl.gz` is one.

    Raises
    ------
    ConfigError
        A directory contains none, or a log directory has too many files.
    """
    found: list[list[str]] = []
    for path in paths:
        logged = _of_log_directory(Path(path)) if Path(path).is_dir() else []
        if len(logged) > FILES_MAX:
            raise ConfigError(
                f"`{path}` has {len(logged)} files, and the maximum is {FILES_MAX}; record it with "
                "`interlock record` first"
            )
        others = () if logged else recordings_of([path])
        found += [logged] if logged else [[one] for one in others if not _is_labels(one)]
    return found


def _is_labels(path: str) -> bool:
    """Labels lie beside their recordings; a file of that name is not one of events."""
    return Path(path).name.startswith("labels.")


@contextmanager
def opened(paths: list[str], *, is_sorted: bool, now_ns: int) -> Iterator[Input]:
    """The files of one recording. ConfigError if one cannot be read."""
    with ExitStack() as stack:
        files = []
        for path in paths:
            file = RecordedFile(path, is_sorted=is_sorted, now_ns=now_ns)
            stack.callback(file.close)
            files.append(file)
        first = files[0]
        lines = first.lines() if len(files) == 1 else _merged(files)
        yield Input(first.path, first.header, first.is_plain, lines, files)


def _of_log_directory(folder: Path) -> list[str]:
    topics = [
        path
        for path in sorted(folder.iterdir())
        if path.is_dir() and (path.name in READ_TOGETHER or path.name.startswith(f"{EVENTS}."))
    ]
    files = [path for topic in topics for path in topic.iterdir() if parse_file_name(path.name)]
    return [str(path) for path in sorted(files, key=lambda p: (p.parent, parse_file_name(p.name)))]


def _merged(files: list[RecordedFile]) -> Iterator[Line]:
    """All lines by time; those of one file stay in their order."""
    dated = [_dated(number, file) for number, file in enumerate(files)]
    for _, _, line in heapq.merge(*dated, key=lambda item: item[:2]):
        yield line


def _dated(number: int, file: RecordedFile) -> Iterator[tuple[int, int, Line]]:
    latest_ns = 0
    for line in file.lines():
        if isinstance(line, RecordLine):
            event = read_line(line, is_trusted=True)
            latest_ns = max(latest_ns, event.ts_ns if isinstance(event, Event) else 0)
        yield latest_ns, number, line
