"""Texts of the page for types of findings, times and offsets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from monitor.findings.model import Finding

VERDICTS: Final[Mapping[str, str]] = {
    "violated": "violated",
    "inconclusive": "cannot be decided",
    "gap": "events are missing",
    "lost": "events may be missing",
    "id_conflict": "two events with one id",
    "provenance": "kind not allowed on this topic",
    "contested": "session ID of another principal",
    "unowned": "record without a principal",
    "bypass": "event that the gate did not see",
    "break_glass": "gate opened by an operator",
    "misplaced": "record outside the gate",
    "split": "session on two partitions",
    "after_end": "event after the session's end",
    "unscoped": "scope not named",
    "unread": "inconclusive: a record could not be read",
    "disorder": "inconclusive: event times run backwards",
    "capacity": "limit reached",
    "unevaluable": "evaluation failed",
    "anomaly": "unusual session",
    "birth": "invariants added to a running session",
}


def verdict_word(finding: Finding) -> str:
    """The type of a finding in words."""
    return VERDICTS.get(finding.type, finding.type)


def verdict_text(finding: Finding) -> str:
    """The type of a finding in words, marked if an unknown value counted as a violation."""
    said = verdict_word(finding)
    return f"{said} (`on_unknown: violate`)" if finding.is_escalated else said


def offset_text(offset_ns: int) -> str:
    """An offset from a session's first event, always with a sign: `+1,234.567 s`."""
    return f"{offset_ns / 1e9:+,.3f} s"
