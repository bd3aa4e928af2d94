"""Chrome's trace format, for a time line in a browser: a row for each session, a mark for each
event of a witness and for each finding. Source: Trace Event Format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from monitor.export import words
from monitor.findings.model import Finding

_PROCESS: Final = 1
_NS_PER_US: Final = 1_000


def write(findings: Sequence[Finding]) -> bytes:
    """One document."""
    rows: dict[str, int] = {}
    events = [_named("process_name", 0, words.PRODUCT)]
    for finding in findings:
        for event in finding.witness:
            row = _row(event.session or finding.session, rows, events)
            what = ", ".join(event.roles) or event.id
            events.append(_mark(row, event.time_ns, what, "event", {"id": event.id}))
        row = _row(finding.session, rows, events)
        about = {"finding": finding.id, "sentence": words.sentence_of(finding)}
        title = f"{finding.severity}: {words.name_of(finding)}"
        events.append(_mark(row, finding.anchor.time_ns, title, finding.type, about))
    return msgspec.json.encode({"displayTimeUnit": "ms", "traceEvents": events})


def _row(session: str, rows: dict[str, int], events: list[dict[str, Any]]) -> int:
    if session not in rows:
        rows[session] = len(rows) + 1
        events.append(_named("thread_name", rows[session], session))
    return rows[session]


def _named(what: str, row: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": _PROCESS, "tid": row, "name": what, "args": {"name": name}}


def _mark(row: int, time_ns: int, name: str, category: str, args: dict[str, Any]) -> dict[str, Any]:
    return {
        "ph": "i",
        "s": "t",
        "pid": _PROCESS,
        "tid": row,
        "ts": time_ns / _NS_PER_US,
        "name": name,
        "cat": category,
        "args": args,
    }
