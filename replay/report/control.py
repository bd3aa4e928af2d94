"""Control records of a session, as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from interlock.control_record import ControlRecord
from monitor.finding_text import time_text, visible

_WORDS = {"quarantined": "Quarantined", "killed": "Killed", "active": "Released"}


def control_records(
    records: Iterable[tuple[int, str, bytes | None]],
) -> dict[str, list[ControlRecord]]:
    """By session, in their order; without what is no control record, or is about no session."""
    by_session: dict[str, list[ControlRecord]] = {}
    for _, key, content in records:
        sort, _, name = key.partition(":")
        if sort != "session" or content is None:
            continue
        try:
            record = msgspec.json.decode(content, type=ControlRecord)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        by_session.setdefault(name, []).append(record)
    return by_session


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
