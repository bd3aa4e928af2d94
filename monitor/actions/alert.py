"""Alerts in the log: one structured line per finding, for people and log collectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..findings.model import Finding, Severity
from ..log import say
from .contract import Order, Outcome

LEVELS: Final[Mapping[Severity, str]] = {
    "info": "info",
    "warning": "warning",
    "critical": "critical",
}


class LogAlertDriver:
    """Writes the line. Values that the invariant bound stay out: they are in the finding."""

    def carry_out(self, order: Order) -> Outcome:
        action = order.action
        # A stop was due and was not carried out: this justifies waking a person.
        level = "critical" if action.reason else LEVELS[order.finding.severity]
        reason = {"reason": action.reason} if action.reason else {}
        say(level, "finding", **_fields(order.finding), action=action.id, **reason)
        return Outcome("done")

    def finished(self) -> list[tuple[str, Outcome]]:
        return []

    def close(self) -> None:
        """Nothing is held."""


class ToldAlready:
    """For a finished file: its findings are printed as results, and need no line in the log."""

    def carry_out(self, order: Order) -> Outcome:
        return Outcome("done", "printed")

    def finished(self) -> list[tuple[str, Outcome]]:
        return []

    def close(self) -> None:
        """Nothing is held."""


def _fields(finding: Finding) -> dict[str, object]:
    return {
        "finding": finding.id,
        "type": finding.type,
        "severity": finding.severity,
        "invariant": finding.invariant,
        "invariants_count": max(len(finding.undecided), 1) if finding.invariant else 0,
        "summary": finding.summary,
        "owner": finding.owner,
        "tags": finding.tags,
        "session": finding.session,
        "scope_kind": finding.scope_kind,
        "scope": finding.scope,
        "agent": finding.agent,
        "principal": finding.principal,
        "anchor": finding.anchor.id,
        "anchor_time_ns": finding.anchor.time_ns,
        "prevention": finding.prevention,
        "mode": finding.mode,
        "is_escalated": finding.is_escalated,
        "detail": finding.detail,
    }
