"""Control records of a session, as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from interlock.control_record import ControlRecord
from monitor.finding_text import time_text, visible
from monitor.trace_key import TraceKey

_WORDS = {"quarantined": "Quarantined", "killed": "Killed", "active": "Released"}


def control_records(
    records: Iterable[tuple[int, str, bytes | None]],
) -> dict[str, list[ControlRecord]]:
    """By key, in their order; without what is no control record, or is about no session."""
    by_key: dict[str, list[ControlRecord]] = {}
    for _, key, content in records:
        sort, _, _ = key.partition(":")
        if sort not in ("session", "session-of") or content is None:
            continue
        try:
            record = msgspec.json.decode(content, type=ControlRecord)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        by_key.setdefault(key, []).append(record)
    return by_key


def controls_of(
    by_key: Mapping[str, Sequence[ControlRecord]], trace: TraceKey
) -> list[ControlRecord]:
    """Those that a session obeyed, by when they were issued if they have several keys."""
    found = [record for key in trace.control_targets for record in by_key.get(key, ())]
    return sorted(found, key=lambda record: record.issued_at) if trace.principal else found


def control_texts(records: Sequence[ControlRecord]) -> list[str]:
    """One sentence for each."""
    return [
        f"{_WORDS[record.state]} at {time_text(record.issued_at)} by {visible(record.issuer, 80)}"
        for record in records
    ]


def outcome_of(records: Sequence[ControlRecord]) -> str:
    """What stands at the end."""
    if not records:
        return "not stopped"
    return _WORDS[records[-1].state].lower()
