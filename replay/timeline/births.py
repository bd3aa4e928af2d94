"""The births of invariants during a recording, from its `birth` findings.

Such a finding follows the events that it concerns, but the engine needs it before: so a recording
that has any is read twice.
"""

from __future__ import annotations

from contextlib import closing
from typing import Final

import msgspec

from monitor.findings.model import Born, Finding
from monitor.kernel.births import NO_BIRTHS, Births
from replay.recording.format import FindingLine, content_of
from replay.recording.reader import RecordedFile

_MARK: Final = "birth"


def births_in(path: str) -> Births:
    """The births of a recording; none of a plain file, or of standard input."""
    found: dict[tuple[str, str, int], Born] = {}
    with closing(RecordedFile(path)) as file:
        if file.is_plain:
            return NO_BIRTHS
        for line in file.lines():
            born = _born(line) if isinstance(line, FindingLine) else None
            if born is not None:
                found[born.per, born.scope, born.position] = born
    return Births(recorded=found) if found else NO_BIRTHS


def _born(line: FindingLine) -> Born | None:
    if _MARK not in (line.text or ""):
        return None
    try:
        return msgspec.json.decode(content_of(line) or b"", type=Finding).born
    except (msgspec.MsgspecError, RecursionError):
        return None  # It is reported as a finding that cannot be read.
