"""The finding of an alarm, with the features that explain it."""

from __future__ import annotations

from typing import Final

from detectors.contract import Reason, Score
from invariants.model.verdict import EventRef
from monitor.findings.model import (
    Anomaly,
    AnomalyFeature,
    Finding,
    Severity,
    finding_id,
)
from monitor.findings.witness_event import witness_event
from monitor.trace_key import TraceKey

REASONS_TOLD: Final = 3
"""Features that the text names; `anomaly.features` contains all of them."""


def anomaly_finding(
    score: Score,
    *,
    model: str,
    trace: TraceKey,
    agent: str,
    anchor: EventRef,
    anchor_digest: str,
    life: str,
    severity: Severity,
) -> Finding:
    """An alarm of a detector. It only advises, whatever its severity, and names its reasons."""
    assert score.threshold is not None and score.p_value is not None, "an alarm is calibrated"
    return Finding(
        id=finding_id(
            subject="anomaly",
            digest=model,
            scope=trace,
            anchor_id=anchor.id,
            anchor_digest=anchor_digest,
            binding={},
            verdict="anomaly",
            life=life,
        ),
        type="anomaly",
        severity=severity,
        scope=trace.session,
        session=trace.session,
        agent=agent,
        principal=trace.principal,
        anchor=witness_event(anchor),
        witness=[witness_event(anchor)],
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
    """The rank of the score, and the first features with their meanings and usual ranges."""
    assert score.p_value is not None
    reasons = "; ".join(_reason_text(reason) for reason in score.reasons[:REASONS_TOLD])
    return f"at most {score.p_value:.1%} of ordinary sessions reach this score: {reasons}"


def _reason_text(reason: Reason) -> str:
    low, high = reason.usual
    usual = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    return f"{reason.meaning} ({reason.feature} {reason.value:.3g}, usually {usual})"
