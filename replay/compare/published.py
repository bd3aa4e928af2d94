"""Records that a recording contains as they were published: live findings and control records.

Input: their bytes. Output: a value, or None if the record is unreadable. Anybody may have written a
recording, so an unreadable record is not an error: readers skip it, and `findings.py` counts the
unreadable findings.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from interlock.control_record import ControlRecord
from monitor.findings.model import Finding

TIME_NS_MAX: Final = 2**64

Record = TypeVar("Record", Finding, ControlRecord)


def read_finding(content: bytes) -> Finding | None:
    """A published finding; None also if its times are out of range."""
    finding = _read(content, Finding)
    if finding is None:
        return None
    times_ns = (finding.anchor.time_ns, finding.decided_ns)
    return finding if all(0 <= time_ns < TIME_NS_MAX for time_ns in times_ns) else None


def read_control(content: bytes) -> ControlRecord | None:
    """A control record."""
    return _read(content, ControlRecord)


def _read(content: bytes, type_: type[Record]) -> Record | None:
    try:
        return msgspec.json.decode(content, type=type_)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
