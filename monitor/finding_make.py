"""Verdicts, and what the engine itself noticed, as findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from invariants.fact import Value
from invariants.program import Compiled
from invariants.verdict import Binding, EventRef, Verdict
from monitor.finding import Finding, Severity, WitnessAbsence, WitnessEvent, finding_id
from monitor.order import Noticed

DEFAULT_SEVERITIES: Final[Mapping[str, Severity]] = {
    "gap": "warning",
    "id_conflict": "warning",
    "provenance": "critical",
    "after_end": "warning",
    "capacity": "warning",
    "unevaluable": "critical",
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
        absences=[WitnessAbsence(a.formula, a.from_ns, a.to_ns) for a in verdict.witness.absences],
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
    return WitnessEvent(ref.position, ref.time_ns, ref.id)
