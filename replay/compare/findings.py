"""Compares the findings of a replay with those that the live monitor published.

Input: a timeline, and the invariants that cannot be judged again. Output: whether both agree (ids,
in order, per session), the first difference with its event, and everything that could not be
compared, which is always reported.

Only recorded events can be judged again. This excludes invariants of another digest, sessions whose
beginning is not in the recording, events after its end, and findings that retention removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from monitor.findings.grouping import members_of
from monitor.findings.model import Finding
from monitor.trace_key import TraceKey
from replay.compare.published import read_finding
from replay.timeline.program import Unevaluable
from replay.timeline.session_inputs import SessionInputs
from replay.timeline.timeline import Timeline
from replay.timeline.told_findings import Told

DifferenceKind = Literal["missing", "other", "order"]
"""`missing`: only live reported it. `other`: only the replay reported it."""

REFUSALS: Final = ("provenance", "unevaluable")
"""Findings about an event that the invariants do not see."""

REPEATABLE: Final = frozenset(
    {
        "violated",
        "inconclusive",
        "gap",
        "id_conflict",
        "provenance",
        "contested",
        "unowned",
        "bypass",
        "break_glass",
        "misplaced",
        "split",
        "after_end",
        "unscoped",
        "unread",
        "disorder",
        "capacity",
        "unevaluable",
        "anomaly",
        "birth",
    }
)
"""Types of findings that the engine derives again from the same inputs."""

OF_OTHERS: Final = frozenset({"contested", "unowned"})
"""Types of findings that depend on other principals' events under the session's id."""

NAMED_MAX: Final = 100
"""Chosen: sessions that are listed as not comparable; all of them are counted."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first difference from live. `input` is None if the replay has no such input."""

    kind: DifferenceKind
    session: str
    finding: Finding
    input: int | None
    explanation: str


class NotCompared(msgspec.Struct, frozen=True, kw_only=True):
    """An item that cannot be evaluated again, and the number of its live findings."""

    what: str
    name: str
    reason: str
    findings_count: int = 0


class FindingsComparison(msgspec.Struct, frozen=True, kw_only=True):
    """The result. `is_equal` is about the compared findings; `not_compared` lists the rest."""

    is_recorded: bool
    is_equal: bool
    live_count: int
    replay_count: int
    compared_count: int
    sessions_differing_count: int = 0
    first: Difference | None = None
    not_compared: list[NotCompared] = []
    not_compared_count: int = 0
    unreadable_count: int = 0


def compare(timeline: Timeline, unevaluable: Sequence[Unevaluable]) -> FindingsComparison:
    """Compare the findings of the replay with those that the recording contains."""
    live, unreadable_count = _live(timeline)
    is_recorded = bool(live) or (timeline.end is not None and timeline.end.findings != "absent")
    sieve = _Sieve(timeline, unevaluable, live)
    ids = {finding.id for finding in live}
    kept_live = [f for f in live if sieve.keeps_live(f)]
    kept_told: list[Told] = []
    told_ids = set()
    for one in _verdicts(timeline):
        told_ids.add(one.finding.id)
        if is_recorded and sieve.keeps_told(one, ids):
            kept_told.append(one)
    differences = _differences(timeline, kept_live, kept_told)
    first = min(differences, key=_place, default=None)
    not_compared = sieve.not_compared(live)
    return FindingsComparison(
        is_recorded=is_recorded,
        is_equal=not differences,
        live_count=len(live),
        replay_count=len(told_ids),
        compared_count=len(kept_live),
        sessions_differing_count=len(differences),
        first=first,
        not_compared=not_compared[:NAMED_MAX],
        not_compared_count=len(not_compared),
        unreadable_count=unreadable_count,
    )


def _verdicts(timeline: Timeline) -> Iterator[Told]:
    """Single verdicts: a group may have other invariants here than it had live."""
    for one in timeline.findings():
        for verdict in members_of(one.finding):
            yield Told(one.input_number, verdict)


def _live(timeline: Timeline) -> tuple[list[Finding], int]:
    """Live findings in the order of their first publication (a monitor may publish one twice)."""
    first: dict[str, Finding] = {}
    unreadable_count = 0
    for content in timeline.live_findings():
        finding = read_finding(content)
        if finding is None:
            unreadable_count += 1
        elif timeline.is_wanted(finding.trace):
            for verdict in members_of(finding):
                first.setdefault(verdict.id, verdict)
    return list(first.values()), unreadable_count


class _Sieve:
    """Decides which findings can be compared."""

    def __init__(
        self, timeline: Timeline, unevaluable: Sequence[Unevaluable], live: Iterable[Finding]
    ) -> None:
        self._timeline = timeline
        self._reasons = {item.digest: item for item in unevaluable}
        self._digests = {c.digest for c in timeline.program.invariants}
        end = timeline.end
        self._begins_late = end is None or not all(span.starts_log for span in end.streams)
        self._begins_late |= timeline.header.source.from_time_ns is not None
        one_session = timeline.session or timeline.header.source.session
        self._is_part = self._begins_late or bool(one_session)
        """True if events of other sessions, or earlier ones, may be missing."""
        self._has_all_findings = end is not None and end.findings == "whole"
        ends_ns = (index.last_ns for index in timeline.sessions.values())
        self._end_ns = max([timeline.last_tick_ns, *ends_ns])
        """The end of the recording for scopes wider than a session."""
        self._live_digests = {live.digest for live in timeline.header.invariants}
        self._reported = {finding.invariant_digest for finding in live}
        """Without a list in the header, only findings show which invariants were live."""
        self._unknown: Counter[tuple[str, str, str]] = Counter()

    def keeps_live(self, finding: Finding) -> bool:
        """True if the replay must report this live finding too."""
        reason = self._against(finding) or self._against_live(finding)
        if reason is not None:
            self._unknown[reason] += 1
        return reason is None

    def keeps_told(self, told: Told, live_ids: set[str]) -> bool:
        """True if the live monitor must have reported this finding of the replay too."""
        reason = self._against(told.finding)
        if reason is None and told.finding.id not in live_ids:
            reason = self._against_told(told.finding)
        if reason is not None:
            self._unknown[reason] += 0
        return reason is None

    def not_compared(self, live: Iterable[Finding]) -> list[NotCompared]:
        """Everything that was excluded, invariants first."""
        counts = Counter(f.invariant_digest for f in live)
        told = [
            NotCompared(
                what="invariant",
                name=item.invariant,
                reason=item.reason,
                findings_count=counts[digest],
            )
            for digest, item in self._reasons.items()
        ]
        told += [
            NotCompared(what=what, name=name, reason=reason, findings_count=count)
            for (what, name, reason), count in sorted(self._unknown.items())
            if what != "known"
        ]
        return told

    def _against(self, finding: Finding) -> tuple[str, str, str] | None:
        digest = finding.invariant_digest
        if digest in self._reasons:
            return "known", finding.invariant, ""
        if self._is_part and finding.type == "unscoped":
            return "finding", "unscoped", "invariants of wider scopes are not all judged here"
        if self._is_part and finding.scope_kind != "session":
            name = finding.invariant or finding.type
            text = f"its trace is that of a whole {finding.scope_kind}, which is not all here"
            return "finding", name, text
        index = self._timeline.sessions.get(finding.trace)
        if index is None:
            return "session", str(finding.trace), "none of its events is in the recording"
        if self._begins_late and not _begins_itself(index):
            return "session", str(finding.trace), "its beginning is not in the recording"
        if self._begins_late and finding.type in OF_OTHERS:
            return "finding", finding.type, "who used the session's ID before is not recorded"
        return None

    def _against_live(self, finding: Finding) -> tuple[str, str, str] | None:
        digest = finding.invariant_digest
        if digest and digest not in self._digests:
            text = f"digest {digest} is not among the invariants of this replay"
            return "invariant", finding.invariant, text
        if finding.type == "anomaly" and not self._has_model(finding):
            return "detector", "anomaly", "its model is not given; name it: `--detector-model`"
        if finding.type not in REPEATABLE:
            return "finding", finding.type, "findings of this type are not made again by a replay"
        if finding.born is not None and not finding.born.invariants.keys() <= self._digests:
            return "finding", finding.type, "not all of its invariants are in this replay"
        if finding.type == "capacity" and self._reasons:
            return "finding", finding.type, "it may be about an invariant that is not here"
        name = finding.invariant or finding.type
        index = self._timeline.sessions[finding.trace]
        if finding.type not in REFUSALS and finding.anchor.position >= index.positions_max:
            return "finding", name, "its event is not in the recording"
        is_own = finding.scope_kind == "session"
        end_ns = self._timeline.last_ns(finding.trace) if is_own else self._end_ns
        has_waited = finding.decided_ns != finding.anchor.time_ns
        if has_waited and finding.decided_ns >= end_ns:
            return "finding", name, "it was decided after the end of the recording"
        return None

    def _unseen_to(self, finding: Finding) -> int:
        """The last position of the finding's scope that its invariant did not see live."""
        scope = str(finding.trace) if finding.scope_kind == "session" else finding.scope
        return max(
            (
                born.position
                for (per, of, _), born in self._timeline.births.recorded.items()
                if (per, of) == (finding.scope_kind, scope)
                and finding.invariant_digest in born.invariants
            ),
            default=-1,
        )

    def _has_model(self, finding: Finding) -> bool:
        return finding.anomaly is not None and finding.anomaly.model == self._timeline.model_digest

    def _against_told(self, finding: Finding) -> tuple[str, str, str] | None:
        digest = finding.invariant_digest
        if digest and self._live_digests and digest not in self._live_digests:
            return "invariant", finding.invariant, "it was not live when this was recorded"
        if digest and not self._live_digests and digest not in self._reported:
            text = "the recording does not list what was live; make it with `--invariants`"
            return "invariant", finding.invariant, text
        if finding.type == "birth":
            return "finding", finding.type, "it is of invariants that are not all in this replay"
        if digest and finding.anchor.position <= self._unseen_to(finding):
            text = "live, it was added to some sessions after events that are judged here"
            return "invariant", finding.invariant, text
        model = self._timeline.header.model_digest
        if finding.type == "anomaly" and model != self._timeline.model_digest:
            return "detector", "anomaly", "another model was live, or none"
        if not self._has_all_findings:
            text = "the oldest live findings, or the last ones, are not in the recording"
            return "finding", finding.invariant or finding.type, text
        return None


def _begins_itself(index: SessionInputs) -> bool:
    """True if the first recorded event of a session is marked as its first."""
    return index.seq_first == 0 or index.kind_first == "session.started"


def _differences(
    timeline: Timeline, live: Sequence[Finding], told: Sequence[Told]
) -> list[Difference]:
    """The first difference of every session that has one."""
    live_of: dict[TraceKey, list[Finding]] = {}
    told_of: dict[TraceKey, dict[str, Told]] = {}
    for finding in live:
        live_of.setdefault(finding.trace, []).append(finding)
    for one in told:
        told_of.setdefault(one.finding.trace, {}).setdefault(one.finding.id, one)
    found = []
    for session in sorted({*live_of, *told_of}):
        there = sorted(live_of.get(session, ()), key=_scope)
        here = sorted(told_of.get(session, {}).values(), key=lambda one: _scope(one.finding))
        difference = _first_difference(timeline, session, there, here)
        if difference is not None:
            found.append(difference)
    return found


def _scope(finding: Finding) -> tuple[bool, str, str, str]:
    """The order of findings is defined only within one scope; a session's own come first.

    Verdicts of a group come last, by their ids: live, a later member is part of the same record.
    """
    member = finding.id if finding.group else ""
    return finding.scope_kind != "session", finding.scope_kind, finding.scope, member


def _first_difference(
    timeline: Timeline, session: TraceKey, live: Sequence[Finding], told: Sequence[Told]
) -> Difference | None:
    told_ids = {one.finding.id for one in told}
    live_ids = {finding.id for finding in live}
    for then, now in zip(live, told, strict=False):
        if then.id == now.finding.id:
            continue
        if then.id not in told_ids:
            return _missing(timeline, session, then)
        return (
            _other(session, now) if now.finding.id not in live_ids else _order(session, then, now)
        )
    if len(live) > len(told):
        return _missing(timeline, session, live[len(told)])
    if len(told) > len(live):
        return _other(session, told[len(live)])
    return None


def _order(session: TraceKey, then: Finding, now: Told) -> Difference:
    text = (
        f"live reported `{then.id}` at this place of the session; the replay reports it elsewhere"
    )
    return Difference(
        kind="order",
        session=str(session),
        finding=now.finding,
        input=now.input_number,
        explanation=text,
    )


def _missing(timeline: Timeline, session: TraceKey, finding: Finding) -> Difference:
    position = finding.anchor.position
    index = timeline.sessions[session]
    is_there = position < len(index.trace)
    text = (
        f"live found `{finding.invariant or finding.type}` at event {position} "
        f"({finding.anchor.id}); the replay does not"
    )
    if not is_there:
        text += f", and has only {len(index.trace)} events of the session"
    number = index.trace[position] if is_there else None
    return Difference(
        kind="missing", session=str(session), finding=finding, input=number, explanation=text
    )


def _other(session: TraceKey, told: Told) -> Difference:
    finding = told.finding
    text = (
        f"the replay finds `{finding.invariant or finding.type}` at event "
        f"{finding.anchor.position} ({finding.anchor.id}); live had not reported it when "
        "this was recorded"
    )
    return Difference(
        kind="other",
        session=str(session),
        finding=finding,
        input=told.input_number,
        explanation=text,
    )


def _place(difference: Difference) -> tuple[int, int, str]:
    """Differences in the order of the recording, else by time."""
    number = difference.input
    anchor_ns = difference.finding.anchor.time_ns
    return (number if number is not None else 2**63, anchor_ns, difference.session)
