"""The result of a finished file besides its findings, for the user of the command.

Input: a service that has processed the last batch. Output: notes, open verdicts, and a flag that is
true if every line was judged completely. If it is false, the run is not a success.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from monitor.ingest.file_sort import SortedSource
from monitor.kernel.file_end import OpenVerdicts, disorder_text, gathered, later_text, open_text
from monitor.transport.base import UNREAD_NOTICES, LineSource
from monitor.transport.file.foreign import explained

if TYPE_CHECKING:
    from monitor.service.assemble import Service


class FileEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a finished file. `notices` are sentences; `is_whole` is false if any part of the
    file was not judged completely.
    """

    open: OpenVerdicts
    notices: list[str]
    is_whole: bool

    @property
    def open_text(self) -> str:
        """One line about the open verdicts; empty without any."""
        return open_text(self.open)


class FinishedFile:
    """Observes a service between its batches; the service's source is a finished file."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._line: int | None = None

    def look(self) -> None:
        """After a batch: find the first line whose time runs back, while its number is known."""
        first = self._service.loop.kernel.disorder.first
        source = self._service.surroundings.source
        if first is None or self._line is not None:
            return
        if isinstance(source, LineSource):
            self._line = source.line_of(first.offset)

    def end(self) -> FileEnd:
        """After the last batch. Cost: checks each session that can have open verdicts."""
        loop, source = self._service.loop, self._service.surroundings.source
        found = gathered(loop.kernel.open_verdicts())
        is_sorted = isinstance(source, SortedSource)
        disorder = loop.kernel.disorder
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
        notices = ["the file contains no event: nothing was judged"]
        if isinstance(source, LineSource) and source.first_lines:
            notices.append(explained(source.first_lines))
        return notices
