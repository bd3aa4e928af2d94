"""Verdicts, and what the engine itself noticed, as findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from detectors.contract import Reason, Score
from invariants.fact import Value
from invariants.program import Compiled
from invariants.verdict import Absence, Binding, EventRef, Verdict
from monitor.finding import (
    Anomaly,
    AnomalyFeature,
    Finding,
    Severity,
    WitnessAbsence,
    WitnessEvent,
    finding_id,
)
from monitor.order import Noticed

REASONS_TOLD: Final = 3
"""Features that the text names; all that were given stand in `anomaly.features`."""

DEFAULT_SEVERITIES: Final[Mapping[str, Severity]] = {
    "gap": "warning",
    "id_conflict": "warning",
    "provenance": "critical",
    "after_end": "warning",
    "capacity": "warning",
    "unevaluable": "critical",
    "anomaly": "warning",
}


def verdict_finding(
    compiled: Compiled,
    verdict: Verdict,
    *,
    scope: str,
    agent: str,
    principal: str,
    anchor_digest: str,
    mode_cap: str | None,
) -> Finding:
    """A violated or inconclusive verdict in its context."""
    spec = compiled.spec
    assert verdict.kind in ("violated", "inconclusive"), "only these two are findings"
    binding = show_binding(verdict.binding)
    return Finding(
        id=finding_id(
            subject=spec.id,
            digest=compiled.digest,
            scope=scope,
            anchor_id=verdict.anchor.id,
            anchor_digest=anchor_digest,
            binding=binding,
            verdict=verdict.kind,
        ),
        type="violated" if verdict.kind == "violated" else "inconclusive",
        severity=spec.severity,
        invariant=spec.id,
        invariant_digest=compiled.digest,
        summary=spec.summary,
        scope=scope,
        session=scope,
        agent=agent,
        principal=principal,
        anchor=_event(verdict.anchor),
        binding=binding,
        witness=[_event(ref) for ref in verdict.witness.events],
        absences=[_absence(absence) for absence in verdict.witness.absences],
        unknowns=[_event(ref) for ref in verdict.witness.unknowns],
        decided_ns=verdict.decided_ns,
        is_escalated=verdict.is_escalated,
        mode="observe" if mode_cap == "observe" else spec.mode,
        respond=list(spec.respond),
        detail=verdict.reason,
    )


def engine_finding(
    noticed: Noticed,
    *,
    scope: str,
    agent: str,
    principal: str,
    anchor: EventRef,
    anchor_digest: str,
    severities: Mapping[str, Severity],
) -> Finding:
    """A gap, a conflict, a forged event: what no invariant had to be written for."""
    severity = severities.get(noticed.type) or DEFAULT_SEVERITIES[noticed.type]
    return Finding(
        id=finding_id(
            subject=noticed.type,
            digest="",
            scope=scope,
            anchor_id=anchor.id,
            anchor_digest=anchor_digest,
            binding=noticed.key,
            verdict=noticed.type,
        ),
        type=noticed.type,
        severity=severity,
        scope=scope,
        session=scope,
        agent=agent,
        principal=principal,
        anchor=_event(anchor),
        witness=[_event(anchor)],
        decided_ns=anchor.time_ns,
        respond=["alert"],
        detail=noticed.detail,
    )


def anomaly_finding(
    score: Score,
    *,
    model: str,
    scope: str,
    agent: str,
    principal: str,
    anchor: EventRef,
    anchor_digest: str,
    severity: Severity,
) -> Finding:
    """A detector's alarm: it advises, whatever its severity, and names what is behind it."""
    assert score.threshold is not None and score.p_value is not None, "an alarm is calibrated"
    return Finding(
        id=finding_id(
            subject="anomaly",
            digest=model,
            scope=scope,
            anchor_id=anchor.id,
            anchor_digest=anchor_digest,
            binding={},
            verdict="anomaly",
        ),
        type="anomaly",
        severity=severity,
        scope=scope,
        session=scope,
        agent=agent,
        principal=principal,
        anchor=_event(anchor),
        witness=[_event(anchor)],
        decided_ns=anchor.time_ns,
        respond=["alert"],
        detail=_anomaly_text(score),
        anomaly=Anomaly(
            score=score.value,
            threshold=score.threshold,
            p_value=score.p_value,
            model=model,
            features=[
                AnomalyFeature(r.feature, r.meaning, r.unit, r.value, r.usual, r.share)
                for r in score.reasons
            ],
        ),
    )


def _anomaly_text(score: Score) -> str:
    """How far it came, and what the first features mean, are, and usually are."""
    assert score.p_value is not None
    reasons = "; ".join(_reason_text(reason) for reason in score.reasons[:REASONS_TOLD])
    return f"at most {score.p_value:.1%} of ordinary sessions come this far: {reasons}"


def _reason_text(reason: Reason) -> str:
    low, high = reason.usual
    usual = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    return f"{reason.meaning} ({reason.feature} {reason.value:.3g}, usually {usual})"


def show_binding(binding: Binding) -> dict[str, Any]:
    """A binding as JSON: text, numbers and truth values; the binding `?` is `{"?": "?"}`."""
    return {name: _plain(value) for name, value in binding}


def _plain(value: Value) -> Any:
    if isinstance(value, tuple):
        return value[1] == "true" if value[0] == "bool" else value[1]
    if isinstance(value, int) and abs(value) >= 2**63:
        return str(value)
    return value


def _event(ref: EventRef) -> WitnessEvent:
    return WitnessEvent(ref.position, ref.time_ns, ref.id, list(ref.roles))


def _absence(absence: Absence) -> WitnessAbsence:
    undone_by = None if absence.undone_by is None else _event(absence.undone_by)
    return WitnessAbsence(absence.formula, absence.from_ns, absence.to_ns, undone_by)
