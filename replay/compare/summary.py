"""The result of a whole replay: plain values, as JSON and as text."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.findings.count_text import count_of
from monitor.findings.model import Finding
from monitor.kernel.file_end import OpenVerdicts, disorder_text, later_text, open_text
from monitor.presentation import line, visible
from monitor.principals.model import digest_with
from monitor.transport.file.foreign import explained
from replay.compare.findings import Difference, FindingsComparison, NotCompared
from replay.recording.format import NoticeLine
from replay.timeline.program import LiveProgram
from replay.timeline.timeline import Timeline


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A replay of a whole recording. `damage` is "" if the recording is intact."""

    records: int
    inputs: int
    sessions: int
    rejected: int
    repeats: int
    invariants_from: str
    program_digest: str
    recorded_program_digest: str
    findings: list[Finding]
    comparison: FindingsComparison
    notices: list[dict[str, Any]]
    damage: str
    open: OpenVerdicts
    """Of a plain file: the verdicts that it ends too early for."""
    notes: list[str]


def summarise(timeline: Timeline, live: LiveProgram, comparison: FindingsComparison) -> Summary:
    """All findings, and their comparison with the live ones."""
    damage = timeline.damage
    return Summary(
        records=timeline.records_count,
        inputs=timeline.inputs_count,
        sessions=len(timeline.sessions),
        rejected=timeline.rejected_count,
        repeats=timeline.repeats_count,
        invariants_from=live.origin,
        program_digest=digest_with(live.program.digest, timeline.principals),
        recorded_program_digest=timeline.header.program_digest,
        findings=[told.finding for told in timeline.findings()],
        comparison=comparison,
        notices=[msgspec.to_builtins(notice) for notice in timeline.notices],
        damage="" if damage is None else str(damage),
        open=timeline.open,
        notes=notes_of(timeline),
    )


def notes_of(timeline: Timeline) -> list[str]:
    """The notes about a plain file as a whole, and about a recording without events."""
    order = disorder_text(timeline.disorder, timeline.disorder_line, is_sorted=timeline.is_sorted)
    said = [order, later_text(timeline.disorder)] if timeline.is_plain else []
    notes = [text for text in said if text]
    if not timeline.sessions:
        notes.append("it contains no event: there is nothing to replay")
    if timeline.first_lines:
        notes.append(explained(timeline.first_lines))
    return notes


def summary_lines(summary: Summary, notices: list[NoticeLine]) -> list[str]:
    """Findings, then their comparison, then the summary."""
    lines = [line(finding) for finding in summary.findings]
    lines += [
        f"note: {visible(notice.topic, 60)}/{visible(notice.partition, 60)}: {notice.kind}: "
        f"{visible(notice.detail)}"
        for notice in notices
    ]
    if summary.damage:
        lines.append(f"note: {visible(summary.damage)}; the part before it is valid")
    if summary.rejected:
        found = count_of(summary.rejected, "rejected record was", "rejected records were")
        lines.append(f"note: {found} not judged")
    lines += [f"note: {note}" for note in summary.notes]
    if summary.open.count:
        lines.append(open_text(summary.open))
    lines += _comparison(summary.comparison)
    lines.append(
        f"{summary.records} records of {summary.sessions} session(s), "
        f"{summary.comparison.replay_count} findings"
    )
    return lines


def _comparison(comparison: FindingsComparison) -> list[str]:
    lines = [_not_compared(item) for item in comparison.not_compared]
    unnamed = comparison.not_compared_count - len(comparison.not_compared)
    if unnamed:
        lines.append(f"cannot be re-evaluated: {unnamed} more")
    if not comparison.is_recorded:
        return [*lines, "the recording contains no live findings: there is nothing to compare with"]
    if comparison.unreadable_count:
        lines.append(f"note: {comparison.unreadable_count} live finding(s) cannot be read")
    if comparison.first is not None:
        lines += _difference(comparison.first)
        lines.append(f"DIFFERENT in {comparison.sessions_differing_count} session(s)")
    elif comparison.live_count and not comparison.compared_count:
        lines.append("nothing could be compared: see above")
    else:
        lines.append(f"equal: {comparison.compared_count} finding(s), live and replayed")
    return lines


def _not_compared(item: NotCompared) -> str:
    count = f" ({item.findings_count} live finding(s))" if item.findings_count else ""
    return f"cannot be re-evaluated: {item.what} {visible(item.name, 80)}: {item.reason}{count}"


def _difference(difference: Difference) -> list[str]:
    where = "" if difference.input is None else f", at input {difference.input}"
    return [
        f"first difference ({difference.kind}{where}) in {visible(difference.session, 80)}:",
        f"  {visible(difference.explanation, 400)}",
        f"  {visible(line(difference.finding), 1_000)}",
    ]
