"""What the end of a finished file comes to beside its findings, for whoever ran it.

Input: a service that has taken in the last batch. Output: notes, open verdicts, and whether every
line was judged to its end: if not, the file is not fine, whatever was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from monitor.decode.foreign import explained
from monitor.file_end import OpenVerdicts, disorder_text, gathered, later_text, open_text
from monitor.file_sort import SortedSource
from monitor.sources.base import UNREAD_NOTICES
from monitor.sources.files import FileSource

if TYPE_CHECKING:
    from monitor.service import Service


class FileEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a finished file ended. `notices` are plain sentences; `is_whole` is false if anything
    of the file was not judged to its end.
    """

    open: OpenVerdicts
    notices: list[str]
    is_whole: bool

    @property
    def open_text(self) -> str:
        """One line about the open verdicts; empty without any."""
        return open_text(self.open)


class FinishedFile:
    """Looks at a service between its batches; the service's source is a finished file."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._line: int | None = None

    def look(self) -> None:
        """After a batch: which line is the first that runs back, while its number is known."""
        first = self._service.loop.engine.disorder.first
        source = self._service.surroundings.source
        if first is None or self._line is not None:
            return
        if isinstance(source, FileSource | SortedSource):
            self._line = source.line_of(first.offset)

    def end(self) -> FileEnd:
        """After the last batch. Cost: each session that can have open verdicts is looked at."""
        loop, source = self._service.loop, self._service.surroundings.source
        found = gathered(loop.engine.open_verdicts())
        is_sorted = isinstance(source, SortedSource)
        disorder = loop.engine.disorder
        notices = [disorder_text(disorder, self._line, is_sorted=is_sorted), later_text(disorder)]
        unread_count = sum(loop.notice_counts[kind] for kind in UNREAD_NOTICES)
        if unread_count:
            notices.append("a part of the file could not be read, and was not judged")
        if not loop.is_over:
            notices.append("stopped before the end of the file: the rest was not judged")
        events_count = self._service.teller.events_count
        if not events_count:
            notices += self._no_event()
        return FileEnd(
            open=found,
            notices=[text for text in notices if text],
            is_whole=loop.is_over and bool(events_count) and not (unread_count or found.count),
        )

    def _no_event(self) -> list[str]:
        source = self._service.surroundings.source
        notices = ["no event is in the file: nothing was judged"]
        if isinstance(source, FileSource | SortedSource) and source.first_lines:
            notices.append(explained(source.first_lines))
        return notices
