"""The rows of the table of settings for the findings of the engine itself."""

# ruff: noqa: RUF009 (`row` makes a `dataclasses.field`, as in the other tables of settings)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from ..findings.model import SEVERITIES, EngineFindingType, Severity
from .setting import row


@dataclass(frozen=True, slots=True, kw_only=True)
class SeveritySettings:
    """The severity of each type of finding that needs no invariant."""

    gap: Severity = row(
        "severity.gap",
        "choice",
        "warning",
        "Numbers are missing in a session: evidence may be missing.",
        choices=SEVERITIES,
    )
    id_conflict: Severity = row(
        "severity.id_conflict",
        "choice",
        "warning",
        "Two events of different content have the same id.",
        choices=SEVERITIES,
    )
    provenance: Severity = row(
        "severity.provenance",
        "choice",
        "critical",
        "A source asserted a kind of event that it may not assert: for example, an agent granted "
        "itself an approval.",
        choices=SEVERITIES,
    )
    contested: Severity = row(
        "severity.contested",
        "choice",
        "warning",
        "A principal uses a session ID that another has used; each has its own session.",
        choices=SEVERITIES,
    )
    unowned: Severity = row(
        "severity.unowned",
        "choice",
        "critical",
        "A record of an operator or supervisor names no `principal`, and several use its "
        "session's ID: it is not applied.",
        choices=SEVERITIES,
    )
    bypass: Severity = row(
        "severity.bypass",
        "choice",
        "critical",
        "A session that a gate guards has events that its gate did not see.",
        choices=SEVERITIES,
    )
    break_glass: Severity = row(
        "severity.break_glass",
        "choice",
        "critical",
        "An operator has broken the glass of a gate: for a time it refuses no call.",
        choices=SEVERITIES,
    )
    misplaced: Severity = row(
        "severity.misplaced",
        "choice",
        "warning",
        "A record of an operator or supervisor is about a session that a gate guards: it is not "
        "applied, since the gate takes in approvals itself.",
        choices=SEVERITIES,
    )
    split: Severity = row(
        "severity.split",
        "choice",
        "critical",
        "A session's events come from two partitions: its producer uses another partitioner.",
        choices=SEVERITIES,
    )
    lost: Severity = row(
        "severity.lost",
        "choice",
        "warning",
        "Records of a session's partition were lost before they were read.",
        choices=SEVERITIES,
    )
    after_end: Severity = row(
        "severity.after_end",
        "choice",
        "warning",
        "An event arrived after the end of its session.",
        choices=SEVERITIES,
    )
    unscoped: Severity = row(
        "severity.unscoped",
        "choice",
        "warning",
        "An event names no agent, user or tenant, and an invariant is about one.",
        choices=SEVERITIES,
    )
    unread: Severity = row(
        "severity.unread",
        "choice",
        "warning",
        "A record could not be read: verdicts about its session are not certain.",
        choices=SEVERITIES,
    )
    disorder: Severity = row(
        "severity.disorder",
        "choice",
        "warning",
        "The times of a session, or of a wider scope, run back or lie in the future: windows "
        "may be judged wrongly.",
        choices=SEVERITIES,
    )
    capacity: Severity = row(
        "severity.capacity",
        "choice",
        "warning",
        "A bound was reached: later verdicts of the scope may be inconclusive.",
        choices=SEVERITIES,
    )
    unevaluable: Severity = row(
        "severity.unevaluable",
        "choice",
        "critical",
        "An event could not be judged because of a bug in Interlock: evidence is missing.",
        choices=SEVERITIES,
    )
    anomaly: Severity = row(
        "severity.anomaly",
        "choice",
        "warning",
        "A session differs from the ordinary ones that `detector.model` was trained on.",
        choices=SEVERITIES,
    )
    birth: Severity = row(
        "severity.birth",
        "choice",
        "info",
        "Invariants that are new, or were edited, began to watch a running session.",
        choices=SEVERITIES,
    )

    def by_type(self) -> Mapping[str, Severity]:
        """The severity of each type."""
        return {name: getattr(self, name) for name in get_args(EngineFindingType)}
