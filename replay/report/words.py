"""How the page words what findings say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from monitor.finding import Finding

VERDICTS: Final[Mapping[str, str]] = {
    "violated": "violated",
    "inconclusive": "cannot be decided",
    "gap": "events are missing",
    "lost": "events may be missing",
    "id_conflict": "one id, two contents",
    "provenance": "not theirs to say",
    "contested": "another's session ID",
    "unowned": "acts for nobody",
    "split": "on two partitions",
    "after_end": "after the end",
    "unscoped": "names no scope",
    "unread": "inconclusive: a record could not be read",
    "disorder": "inconclusive: times run back",
    "capacity": "a bound was reached",
    "unevaluable": "could not be judged",
    "anomaly": "unusual",
    "birth": "newly watched",
}


def verdict_word(finding: Finding) -> str:
    """The type of a finding, in few words."""
    return VERDICTS.get(finding.type, finding.type)


def verdict_text(finding: Finding) -> str:
    """The same, with what doubt made of it."""
    said = verdict_word(finding)
    return f"{said}, since doubt counts as a violation" if finding.is_escalated else said


def offset_text(offset_ns: int) -> str:
    """`+1,234.567 s` after a session's first event; a sign stands in front of either."""
    return f"{offset_ns / 1e9:+,.3f} s"


def count_of(number: int, one: str, many: str = "") -> str:
    """`1 session`, `1,234 sessions`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
