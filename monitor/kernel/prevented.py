"""Findings about calls that a gate refused: their violations did not happen.

    asked_in(event) -> Event     the request behind a `tool.denied` of a gate
    prevented(..., taken)        the violations that taking a request in would decide

A gate records a refused request in a `tool.denied`. Gate, stream and replay judge that request at
its position, and none of them takes it in: so all of them get the same findings.
"""

from __future__ import annotations

from typing import Final

import msgspec

from invariants.model.event import Event
from invariants.model.verdict import EventRef
from invariants.runtime.scope_program import Judged, ScopeProgram
from invariants.runtime.unsure_time import violations_at
from monitor.findings.model import Finding, finding_id
from monitor.kernel.build_finding import session_findings
from monitor.kernel.prepared import Taken
from monitor.kernel.settings import KernelSettings
from monitor.kernel.wider import WiderScopes

DENIED: Final = "tool.denied"
REQUESTED: Final = "tool.requested"


def asked_in(event: Event) -> Event | None:
    """The request that a gate refused in this event; None for any other event."""
    if event.kind != DENIED or not event.is_of_gate:
        return None
    record = msgspec.structs.replace(event.record, kind=REQUESTED, error="")
    return msgspec.structs.replace(event, record=record)


def prevented(
    program: ScopeProgram, wider: WiderScopes, settings: KernelSettings, taken: Taken
) -> list[Finding]:
    """The violations that taking a request in would decide, of every scope; nothing is taken in.

    Also those are among them that `report` would leave out: each call needs its own answer.
    Deadlines before it are not its own. A repeated attempt
    with the same arguments is the same finding: an agent that tries again for ever makes one.
    Nobody is stopped for a call that did not run, but people hear of it.
    """
    header, progress = taken.before
    verdicts = violations_at(program, taken.judged, progress, taken.event, doubt=taken.doubt)
    found: list[Finding] = []
    if verdicts:
        found = session_findings(
            program,
            Judged(taken.judged.progress, verdicts),
            (),
            trace=taken.owner,
            anchor=EventRef(header.position, taken.header.time_ns, taken.event.id),
            senders=(header, taken.header),
            conflict_digest=taken.conflict_digest,
            mode_cap=settings.mode_cap,
            severities=settings.severities,
            ids_max=settings.ids_max,
        )
    if taken.wider:
        found += wider.violations(taken.wider)
    return [_prevented(finding, taken) for finding in found]


def _prevented(finding: Finding, taken: Taken) -> Finding:
    record = taken.event.record
    earlier = "" if finding.anchor.id == taken.event.id else finding.anchor.id
    scope = taken.owner if finding.scope_kind == "session" else finding.scope
    attempt = ("attempt", earlier, record.tool, bytes(record.args).decode())
    life = taken.header.began.hex()
    id_ = finding_id(
        subject=finding.invariant,
        digest=finding.invariant_digest,
        scope=scope,
        anchor_id=attempt,
        anchor_digest="",
        binding=finding.binding,
        verdict="prevented",
        life=life,
    )
    group = ""
    if finding.group:
        group = finding_id(
            subject="group",
            digest="",
            scope=scope,
            anchor_id=attempt,
            anchor_digest="",
            binding="",
            verdict="prevented",
            life=life,
        )
    return msgspec.structs.replace(
        finding,
        id=id_,
        group=group,
        prevention="prevented",
        respond=["alert"] if finding.respond else [],
    )
