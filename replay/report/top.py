"""The head of the page: summary, figures, and everything that is uncertain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from monitor.findings.count_text import count_of
from monitor.findings.model import UNJUDGED_TYPES
from monitor.kernel.file_end import open_text
from monitor.presentation import time_text, visible
from monitor.principals.model import digest_with
from monitor.trace_key import TraceKey
from replay.compare.findings import FindingsComparison
from replay.compare.summary import notes_of
from replay.report.control import Controls
from replay.report.tally import GRAVEST_FIRST, FindingsTally
from replay.report.view import Detail, Mark, TypeLine
from replay.report.words import VERDICTS
from replay.timeline.program import LiveProgram
from replay.timeline.timeline import NOTICES_MAX, Timeline

NOTICES_SHOWN_MAX: Final = 20
ORIGINS: Final[Mapping[str, str]] = {
    "given": "given on the command line",
    "recorded": "from the recording",
    "packs": "the default packs",
}


def lead_of(
    timeline: Timeline, tally: FindingsTally, controls: Controls, stopped: Sequence[TraceKey]
) -> list[str]:
    """The summary, in at most two sentences."""
    if not timeline.sessions:
        return ["The file contains no event, so nothing was judged."]
    if not tally.sessions and timeline.open.count:
        return ["No invariant was violated. The file ends before everything was decided."]
    if not tally.sessions:
        return ["No findings: no invariant was violated, and every verdict was decided."]
    found = count_of(len(tally.sessions), "session has findings", "sessions have findings")
    if stopped or controls.coverage == "whole":
        done = f"{len(stopped):,} of them {'was' if len(stopped) == 1 else 'were'} stopped"
    else:
        done = "stops were not recorded"
    said = [f"{found}; {done}."]
    grave = [
        (key, group) for key, group in tally.groups.items() if group.total and group.worst != "info"
    ]
    if grave:
        named = [
            f"“{visible(group.summary or key.name, 120)}” "
            f"({group.type_text if key.digest else count_of(group.total, 'finding')} "
            f"in {count_of(len(group.sessions), 'session')})"
            for key, group in grave[:3]
        ]
        said.append(f"Most severe: {', '.join(named)}.")
    return said


def figures_of(
    timeline: Timeline, tally: FindingsTally, controls: Controls, stopped: Sequence[TraceKey]
) -> list[Detail]:
    """The figures at the top of the page."""
    figures = [
        Detail(f"{severity} findings", f"{tally.whole.of(severity):,}")
        for severity in GRAVEST_FIRST
    ]
    is_known = bool(stopped) or controls.coverage == "whole"
    return [
        *figures,
        Detail("sessions with findings", f"{len(tally.sessions):,}"),
        Detail("sessions stopped", f"{len(stopped):,}" if is_known else "not recorded"),
        Detail("sessions recorded", f"{len(timeline.sessions):,}"),
        Detail("records read", f"{timeline.records_count:,}"),
    ]


def type_lines(tally: FindingsTally) -> list[TypeLine]:
    """Findings by type and severity, violations first."""
    names = sorted({name for name, _ in tally.whole.counts}, key=lambda n: (n != "violated", n))
    return [
        TypeLine(
            VERDICTS.get(name, name),
            name,
            tuple(f"{tally.whole.counts[(name, severity)]:,}" for severity in GRAVEST_FIRST),
        )
        for name in names
    ]


def comparison_mark(comparison: FindingsComparison) -> Mark:
    """The comparison of the replay with the live findings."""
    if not comparison.is_recorded:
        return Mark("plain", "No live findings were recorded to compare this replay with.")
    if comparison.is_equal:
        found = count_of(comparison.compared_count, "finding")
        return Mark("good", f"The replay and the live monitor have the same findings ({found}).")
    assert comparison.first is not None, "unequal findings differ somewhere"
    where = count_of(comparison.sessions_differing_count, "session")
    text = f"The replay differs from the live findings in {where}. The first difference: "
    return Mark("critical", text + visible(comparison.first.explanation, 600))


def doubts_of(
    timeline: Timeline, tally: FindingsTally, comparison: FindingsComparison
) -> list[Mark]:
    """Marks for everything that could not be read, judged or compared."""
    return [*_unread(timeline, comparison), *_unjudged(timeline, tally), *_unlike(comparison)]


def _unread(timeline: Timeline, comparison: FindingsComparison) -> Iterator[Mark]:
    if timeline.damage is not None:
        damage = visible(str(timeline.damage))
        yield Mark("critical", f"The recording is damaged: {damage}; the part before was read")
    if timeline.rejected_count:
        found = count_of(timeline.rejected_count, "rejected record was", "rejected records were")
        yield Mark("warning", f"{found} not judged")
    for notice in timeline.notices[:NOTICES_SHOWN_MAX]:
        stream = f"{visible(notice.topic, 60)}/{visible(notice.partition, 60)}"
        yield Mark("warning", f"{stream}: {visible(notice.kind, 60)}: {visible(notice.detail)}")
    if (left := len(timeline.notices) - NOTICES_SHOWN_MAX) > 0:
        bound = " at least" if len(timeline.notices) >= NOTICES_MAX else ""
        yield Mark("warning", f"{bound} {left:,} more notices of the source".strip())
    if comparison.unreadable_count:
        found = count_of(comparison.unreadable_count, "live finding")
        yield Mark("warning", f"{found} cannot be read")
    for text in notes_of(timeline):
        yield Mark("warning", visible(text, 400))


def _unjudged(timeline: Timeline, tally: FindingsTally) -> Iterator[Mark]:
    for line in type_lines(tally):
        if line.name in UNJUDGED_TYPES:
            count = sum(n for (name, _), n in tally.whole.counts.items() if name == line.name)
            yield Mark("warning", f"{count_of(count, 'finding')}: {line.words}")
    wider = [one for one in timeline.program.invariants if one.declared.per != "session"]
    if timeline.session and wider:
        named = ", ".join(f"`{visible(one.declared.id, 60)}`" for one in wider[:3])
        more = f" and {len(wider) - 3} more" if len(wider) > 3 else ""
        yield Mark("warning", f"Not judged, since they concern several sessions: {named}{more}")
    if timeline.open.count:
        yield Mark("warning", visible(open_text(timeline.open), 2_000))


def _unlike(comparison: FindingsComparison) -> Iterator[Mark]:
    if comparison.not_compared_count:
        first = comparison.not_compared[0]
        name = visible(first.name, 60) or f"an unnamed {first.what}"
        text = f"Not compared: {name} ({visible(first.reason)})"
        more = comparison.not_compared_count - 1
        yield Mark("warning", text + (f", and {more:,} more" if more else ""))


def facts_of(
    timeline: Timeline, live: LiveProgram, tally: FindingsTally, controls: Controls
) -> list[Detail]:
    """The source of the page: recording, invariants and versions."""
    header = timeline.header
    unsaid = "unknown (a plain file of events)" if timeline.is_plain else "unknown"
    made = visible(header.created) or unsaid
    facts = [
        Detail("source", visible(f"{header.source.kind} {header.source.address}".strip())),
        Detail("recorded at", made),
        Detail("invariants", f"{len(live.program.invariants)}, {ORIGINS[live.origin]}"),
        Detail("program digest", digest_with(live.program.digest, timeline.principals)),
    ]
    if header.release:
        facts.append(Detail("recorded by", f"interlock {visible(header.release, 60)}"))
    if timeline.session:
        facts.append(Detail("session", visible(timeline.session)))
    if tally.whole.first_ns is not None and tally.whole.last_ns is not None:
        span = f"{time_text(tally.whole.first_ns)} to {time_text(tally.whole.last_ns)}"
        facts.append(Detail("findings", span))
    facts.append(Detail("control records", _COVERAGE[controls.coverage]))
    return facts


_COVERAGE: Final[Mapping[str, str]] = {
    "whole": "all recorded",
    "partial": "recorded, except the oldest",
    "absent": "not recorded",
}
