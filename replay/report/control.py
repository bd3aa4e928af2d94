"""The stops of a session, read from the control records of the recording.

A response `quarantine` or `kill` of an invariant is a request. Only a control record shows that the
session was stopped. If the control topic was not recorded, the page claims neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from interlock.control_record import ControlRecord
from monitor.findings.incident import incident_of
from monitor.findings.model import Finding
from monitor.presentation import time_text, visible
from monitor.trace_key import TraceKey
from replay.compare.published import read_control
from replay.report.view import Tone

Coverage = Literal["whole", "partial", "absent"]
STOPS: Final = ("quarantine", "kill")
RECORDS_SHOWN_MAX: Final = 50
_WORDS: Final = {"quarantined": "Quarantined", "killed": "Killed", "active": "Released"}
_NOT_RECORDED: Final[Mapping[Coverage, str]] = {
    "whole": "the recording has no control record for it, so it was not applied",
    "partial": "the recording lacks the oldest control records, so it may have been applied",
    "absent": "the recording has no control records, so it is unknown if it was applied",
}


@dataclass(frozen=True, slots=True)
class Controls:
    """Control records by key, in their order, and the recorded share of their topic."""

    coverage: Coverage = "absent"
    by_key: Mapping[str, Sequence[ControlRecord]] = field(default_factory=dict)

    def of(self, trace: TraceKey, agent: str = "") -> list[ControlRecord]:
        """The records that applied to a session, ordered by the time of their issue."""
        keys = [*trace.control_targets, "global"]
        keys += [f"agent:{agent}"] if agent else []
        keys += [f"principal:{trace.principal}"] if trace.principal else []
        found = [record for key in keys for record in self.by_key.get(key, ())]
        return sorted(found, key=lambda record: record.issued_at)


def read_controls(
    records: Iterable[tuple[int, str, bytes | None]], coverage: str | None
) -> Controls:
    """All control records except heartbeats and unreadable ones, which guards ignore too."""
    by_key: dict[str, list[ControlRecord]] = {}
    for _, key, content in records:
        if content is None or key.partition(":")[0] == "heartbeat":
            continue
        record = read_control(content)
        if record is not None:
            by_key.setdefault(key, []).append(record)
    known: Coverage = "whole" if coverage == "whole" else "partial" if by_key else "absent"
    return Controls("partial" if coverage == "partial" else known, by_key)


def control_texts(records: Sequence[ControlRecord]) -> list[str]:
    """One sentence for each record, and a count of the records beyond the bound."""
    texts = [_sentence(record) for record in records[:RECORDS_SHOWN_MAX]]
    left = len(records) - len(texts)
    return [*texts, f"{left:,} more control records are in the recording"] if left else texts


def control_lines(records: Sequence[ControlRecord]) -> list[tuple[int, str]]:
    """The time of issue and the sentence of each record, to place it among the events."""
    return [(record.issued_at, _sentence(record)) for record in records[:RECORDS_SHOWN_MAX]]


def _sentence(record: ControlRecord) -> str:
    said = f"{_WORDS[record.state]} at {time_text(record.issued_at)}"
    if record.expires_at is not None:
        said += f", until {time_text(record.expires_at)}"
    said += f", by {visible(record.issuer, 80) or 'an unnamed issuer'}"
    said += f", incident {visible(record.incident, 80)}" if record.incident else ""
    return said + (f": {visible(record.reason)}" if record.reason else "")


def was_stopped(records: Sequence[ControlRecord]) -> bool:
    """True if a control record ever stopped the session."""
    return any(record.state != "active" for record in records)


def outcome_of(
    trace: TraceKey, records: Sequence[ControlRecord], coverage: Coverage
) -> tuple[str, Tone]:
    """The state of the session after the last record."""
    if not trace.session:
        return "belongs to no session", "plain"
    if records:
        last = records[-1].state
        return _WORDS[last].lower(), "good" if last == "active" else "critical"
    if coverage == "whole":
        return "not stopped", "plain"
    return "stop not recorded", "plain"


def response_text(finding: Finding, records: Sequence[ControlRecord], coverage: Coverage) -> str:
    """The response of the invariant, and its enforcement; empty if there is no response."""
    if finding.type != "violated" or not finding.respond:
        return ""
    asked = f"The invariant requests {', '.join(visible(word, 40) for word in finding.respond)}"
    if not set(STOPS).intersection(finding.respond):
        return f"{asked}; this does not stop the session."
    if finding.mode == "observe":
        return f"{asked}; its mode is `observe`, so nothing was enforced."
    incident = incident_of(finding.id)
    applied = next((r for r in records if r.incident == incident and r.state != "active"), None)
    if applied is not None:
        return f"{asked}. Enforced: {_sentence(applied)}."
    others = [record for record in records if record.state != "active"]
    if others:
        return f"{asked}. The session was stopped for another finding: {_sentence(others[0])}."
    return f"{asked}: {_NOT_RECORDED[coverage]}."
