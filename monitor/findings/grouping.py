"""Undecided verdicts -> one finding for each doubt.

One unreadable call can leave a dozen invariants undecided. People need to read that once. The
engine's verdicts stay per invariant, and so do examples, `report` and stops; the *group* is stored,
published, printed and alerted:

    inconclusive      (scope, event where the doubt arose)
    of severity info  (scope), reported once, however many events are in doubt; if the same doubt
                      leaves a graver invariant undecided at the same time, it joins that group
    escalated         (scope, event that violates)

The event where the doubt arose is the latest one of the witness' unknowns. The key names no
invariant and no expression, so that an id stays the same whichever invariants are loaded
(docs/decisions/0039-one-doubt-one-finding.md).

A group is reported again, under its id, only if an invariant joins it. Its severity never falls.

A *run* of violations (`report: edge`) is reported under its first one, again when the engine
repeats that verdict with a greater count or an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from invariants.model.verdict import EventRef, Verdict
from monitor.findings.model import SEVERITIES, Finding, FindingRun, Severity, Undecided, finding_id
from monitor.trace_key import TraceKey


class DoubtPlace(NamedTuple):
    """The event at which a doubt arose, as part of an id. `life_start` is that of its scope."""

    event_id: str | tuple[str, ...]
    digest: str
    life: str
    life_start: str


def doubt_of(verdict: Verdict) -> EventRef | None:
    """The event under which an undecided verdict is reported; None for a decided one.

    An escalated violation is reported under its own event: a later action that rests on an old
    doubt is another violation.
    """
    if verdict.is_escalated:
        return verdict.anchor
    if verdict.kind != "inconclusive":
        return None
    return max(verdict.witness.unknowns, default=verdict.anchor)


class Doubt(NamedTuple):
    """The doubt behind an undecided verdict; a background one is reported once a scope."""

    place: DoubtPlace
    is_background: bool


def doubts_of(
    decided: Sequence[tuple[Severity, Verdict]], place_of: Callable[[EventRef], DoubtPlace]
) -> list[Doubt | None]:
    """The doubt of each verdict of one input; None for a decided one.

    Verdicts are compared that were decided at one time: those come in one input, whenever the last
    tick was.
    """
    places = [None if (at := doubt_of(verdict)) is None else place_of(at) for _, verdict in decided]
    grave = {
        (place, verdict.decided_ns)
        for place, (severity, verdict) in zip(places, decided, strict=True)
        if place is not None and verdict.kind == "inconclusive" and severity != "info"
    }
    return [
        None
        if place is None
        else Doubt(
            place,
            severity == "info"
            and verdict.kind == "inconclusive"
            and (place, verdict.decided_ns) not in grave,
        )
        for place, (severity, verdict) in zip(places, decided, strict=True)
    ]


def group_id(verdict: Verdict, scope: str | TraceKey, doubt: Doubt, session: str) -> str:
    """The id of the group of an undecided verdict.

    `session` separates the sessions of a wider scope: each finding is about one.
    """
    place, is_background = doubt
    return finding_id(
        subject="undecided",
        digest="",
        scope=scope,
        anchor_id="" if is_background else place.event_id,
        anchor_digest="" if is_background else place.digest,
        binding=session,
        verdict=verdict.kind,
        life=place.life_start if is_background else place.life,
    )


def grouped(findings: Iterable[Finding]) -> list[Finding]:
    """The findings of one input as reported; a group takes the place of its first member."""
    told: dict[str, Finding] = {}
    for finding in findings:
        one = _alone(finding) if finding.group else finding
        known = told.get(one.id)
        told[one.id] = one if known is None else joined(known, one) or known
    return list(told.values())


def joined(known: Finding, more: Finding) -> Finding | None:
    """A finding with what a later record of its id adds; None if that is nothing."""
    if more.run is not None:
        return _longer(known, more.run)
    return _larger(known, more) if more.undecided else None


def _longer(known: Finding, run: FindingRun) -> Finding | None:
    """A violation with the present size of its run. Records that are read again are smaller."""
    has = known.run
    if has is not None and (has.count, has.over is not None) >= (run.count, run.over is not None):
        return None
    return msgspec.structs.replace(known, run=run)


def _larger(known: Finding, more: Finding) -> Finding | None:
    """A group with the invariants of another part of it; None if it has all of them.

    Event, values and witness are those of the first among the most severe verdicts.
    """
    members = {_key(member): member for member in known.undecided}
    fresh = [member for member in more.undecided if _key(member) not in members]
    if not fresh:
        return None
    lead = more if _rank(more.severity) > _rank(known.severity) else known
    return msgspec.structs.replace(
        lead,
        undecided=sorted([*known.undecided, *fresh], key=_order),
        mode="enforce" if "enforce" in (known.mode, more.mode) else "observe",
        respond=sorted({*known.respond, *more.respond}),
    )


class Groups:
    """Findings as they are reported over time. `known` finds one that was reported before.

    `take` may be called for several inputs before their findings are stored; `stored` forgets
    what `known` can find from then on.
    """

    def __init__(self, known: Callable[[str], Finding | None] = lambda id_: None) -> None:
        self._known = known
        self._held: dict[str, Finding] = {}

    def take(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings to report: those that are new, and those that have grown."""
        told = []
        for finding in grouped(findings):
            whole = self._whole(finding) if finding.is_growing else finding
            if whole is not None:
                told.append(whole)
        return told

    def _whole(self, part: Finding) -> Finding | None:
        """A group with its earlier members, or a violation with its run; None if nothing is new."""
        known = self._held.get(part.id) or self._known(part.id)
        whole = part if known is None else joined(known, part)
        if whole is not None:
            self._held[part.id] = whole
        return whole

    def stored(self) -> None:
        """The findings are now stored, where `known` finds them."""
        self._held.clear()


def members_of(finding: Finding) -> list[Finding]:
    """The verdicts of a group, each as a finding of its own; any other finding unchanged."""
    if not finding.undecided:
        return [finding]
    return [
        msgspec.structs.replace(
            finding,
            id=member.verdict,
            severity=member.severity,
            invariant=member.invariant,
            invariant_digest=member.digest,
            summary=member.summary,
            owner=member.owner,
            tags=member.tags,
            # The group carries these of the invariant that it is named after alone.
            description=finding.description if member.digest == finding.invariant_digest else "",
            references=finding.references if member.digest == finding.invariant_digest else [],
            anchor=member.anchor,
            standing=finding.standing if member.anchor == finding.anchor else None,
            decided_ns=member.decided_ns,
            undecided=[],
        )
        for member in finding.undecided
    ]


def _alone(finding: Finding) -> Finding:
    """A group of one verdict."""
    member = Undecided(
        verdict=finding.id,
        invariant=finding.invariant,
        digest=finding.invariant_digest,
        severity=finding.severity,
        summary=finding.summary,
        owner=finding.owner,
        tags=finding.tags,
        unknown=sorted({role for event in finding.unknowns for role in event.roles}),
        anchor=finding.anchor,
        decided_ns=finding.decided_ns,
    )
    # Without a `respond` an alert is meant: it must not be lost beside another's `quarantine`.
    respond = list(finding.respond) or ["alert"]
    return msgspec.structs.replace(finding, id=finding.group, undecided=[member], respond=respond)


def _key(member: Undecided) -> tuple[str, str, Severity]:
    return member.invariant, member.digest, member.severity


def _order(member: Undecided) -> tuple[int, str, str]:
    return -_rank(member.severity), member.invariant, member.digest


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)
