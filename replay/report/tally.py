"""All findings counted in one pass: by type, by invariant, by session.

Input: findings, read from disk one at a time. Output: a `FindingsTally` of numbers and names,
without findings. Cost: time linear in the findings; some 500 bytes of memory for each pair of a
session and an invariant with a finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from monitor.findings.model import SEVERITIES, Finding, Severity
from monitor.trace_key import TraceKey
from replay.report.words import VERDICTS
from replay.timeline.told_findings import Told

GRAVEST_FIRST: Final[Sequence[Severity]] = tuple(reversed(SEVERITIES))


class GroupKey(NamedTuple):
    """The key of a group: an invariant, or the type of findings that concern no invariant."""

    name: str
    digest: str


@dataclass(slots=True)
class Counted:
    """Counts of findings by type and severity, and the times of the first and the last."""

    counts: Counter[tuple[str, Severity]] = field(default_factory=Counter)
    first_ns: int | None = None
    last_ns: int | None = None

    def add(self, finding: Finding) -> None:
        """Count a finding. The time of an `unread` finding may be unknown (0)."""
        self.counts[(finding.type, finding.severity)] += 1
        time_ns = finding.anchor.time_ns
        if time_ns or finding.type != "unread":
            self.first_ns = time_ns if self.first_ns is None else min(self.first_ns, time_ns)
            self.last_ns = time_ns if self.last_ns is None else max(self.last_ns, time_ns)

    @property
    def total(self) -> int:
        """The number of findings."""
        return self.counts.total()

    @property
    def worst(self) -> Severity:
        """The highest severity."""
        return max((severity for _, severity in self.counts), key=SEVERITIES.index)

    def of(self, severity: Severity) -> int:
        """The number of findings with a severity."""
        return sum(count for (_, held), count in self.counts.items() if held == severity)

    def violated(self, severity: Severity) -> int:
        """The number of violations with a severity."""
        return self.counts[("violated", severity)]

    @property
    def rank(self) -> tuple[int, ...]:
        """Sorts the worst first; within a severity, violations before inconclusive verdicts."""
        ranks: list[int] = []
        for severity in GRAVEST_FIRST:
            ranks += [-self.violated(severity), -self.of(severity)]
        return (*ranks, self.first_ns or 0)

    @property
    def severity_text(self) -> str:
        """`2 critical, 1 info`."""
        return ", ".join(f"{self.of(s):,} {s}" for s in GRAVEST_FIRST if self.of(s))

    @property
    def text(self) -> str:
        """The types, and the severities if there are several."""
        is_mixed = len({severity for _, severity in self.counts}) > 1
        return f"{self.type_text}; {self.severity_text}" if is_mixed else self.type_text

    @property
    def type_text(self) -> str:
        """`4 violated, 2 cannot be decided`."""
        types: Counter[str] = Counter()
        for (name, _), count in self.counts.items():
            types[name] += count
        ordered = sorted(types.items(), key=lambda item: (item[0] != "violated", -item[1], item[0]))
        return ", ".join(f"{count:,} {VERDICTS.get(name, name)}" for name, count in ordered)


@dataclass(slots=True)
class CountedGroup(Counted):
    """The findings of a group, its summary, and its sessions.

    `shared_count` is the number of findings of other groups that leave this invariant undecided.
    """

    summary: str = ""
    sessions: list[TraceKey] = field(default_factory=list)
    shared_count: int = 0

    @property
    def rank(self) -> tuple[int, ...]:
        """Sorts by severity; then violations first, then groups with more sessions."""
        if not self.total:
            return (1, -self.shared_count)
        worst = self.worst
        return (
            0,
            -SEVERITIES.index(worst),
            not self.violated(worst),
            -len(self.sessions),
            -self.total,
            self.first_ns or 0,
        )


@dataclass(slots=True)
class CountedShare(Counted):
    """The findings of a group in a session, and the other groups that they concern."""

    others: set[GroupKey] = field(default_factory=set)


@dataclass(slots=True)
class CountedSession(Counted):
    """The findings of a session, in total and by group."""

    agent: str = ""
    groups: dict[GroupKey, CountedShare] = field(default_factory=dict)

    @property
    def concerned(self) -> set[GroupKey]:
        """Every group that a finding of the session concerns."""
        return set(self.groups).union(*(share.others for share in self.groups.values()))


@dataclass(slots=True)
class FindingsTally:
    """All counts of one recording."""

    whole: Counted = field(default_factory=Counted)
    sessions: dict[TraceKey, CountedSession] = field(default_factory=dict)
    groups: dict[GroupKey, CountedGroup] = field(default_factory=dict)


def group_of(finding: Finding) -> GroupKey:
    """The group of a finding."""
    if finding.invariant:
        return GroupKey(finding.invariant, finding.invariant_digest)
    return GroupKey(finding.type, "")


def others_of(finding: Finding) -> list[GroupKey]:
    """The other invariants that a finding leaves undecided."""
    keys = (GroupKey(member.invariant, member.digest) for member in finding.undecided)
    return [key for key in dict.fromkeys(keys) if key != group_of(finding)]


def tally_of(told: Iterable[Told]) -> FindingsTally:
    """Count all findings. Groups are ordered, the most severe first."""
    tally = FindingsTally()
    for _, finding in told:
        key, trace = group_of(finding), finding.trace
        tally.whole.add(finding)
        session = tally.sessions.setdefault(trace, CountedSession(agent=finding.agent))
        session.add(finding)
        group = tally.groups.get(key)
        if group is None:
            summary = finding.summary or ("" if key.digest else VERDICTS.get(finding.type, ""))
            group = tally.groups[key] = CountedGroup(summary=summary)
        if key not in session.groups:
            session.groups[key] = CountedShare()
            group.sessions.append(trace)
        group.add(finding)
        session.groups[key].add(finding)
        summaries = {GroupKey(m.invariant, m.digest): m.summary for m in finding.undecided}
        for other in others_of(finding):
            shared = tally.groups.setdefault(other, CountedGroup(summary=summaries[other]))
            shared.shared_count += 1
            session.groups[key].others.add(other)
    ordered = sorted(tally.groups.items(), key=lambda item: (*item[1].rank, *item[0]))
    tally.groups = dict(ordered)
    return tally
