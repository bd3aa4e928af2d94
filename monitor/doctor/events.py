"""The latest records of a source -> diagnoses: can this version read them, and do the clocks agree?

Input: records as the monitor would read them. No text of a record is shown. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from invariants.model.event import SECOND_NS, Event
from monitor.doctor.diagnosis import Diagnosis, Learnt, NotLearnt, ok, trouble, unknown
from monitor.findings.count_text import count_of
from monitor.ingest.provenance import Provenance
from monitor.ingest.read_record import read_record
from monitor.ingest.rejected import Rejected
from monitor.presentation import visible
from monitor.transport.base import Record

SCHEMA, KINDS = "events.schema", "events.kinds"
BROKER_CLOCK, PRODUCER_CLOCKS = "clock.broker", "clock.producers"
FRESH_NS = 60 * SECOND_NS
"""Chosen: the append time of a record that is older says nothing about the broker's clock now."""
COMPARE = "compare `date -u +%FT%T.%NZ` on both machines, and run a time service such as chrony"


class Sample(msgspec.Struct, frozen=True):
    """The latest records of some streams; `now_ns` is the own clock after they were read.

    `skipped_count` counts reports of the source that it could not read something, and `is_whole`
    is False if the time was over first. `has_broker_times`: arrivals are by the broker's clock.
    """

    records: tuple[Record, ...]
    now_ns: int
    skipped_count: int = 0
    is_whole: bool = True
    has_broker_times: bool = False


def judge_events(
    place: str, learnt: Learnt[Sample], provenance: Provenance, skew_ns: int
) -> list[Diagnosis]:
    """All checks of the records of one source; `skew_ns` is the permitted difference of clocks."""
    if isinstance(learnt, NotLearnt):
        return [unknown(SCHEMA, place, learnt.reason)]
    if not learnt.records and not learnt.skipped_count:
        text = "there are no records to read" if learnt.is_whole else "no record was read in time"
        return [unknown(SCHEMA, place, text, is_required=not learnt.is_whole)]
    read = [read_record(record, is_trusted=provenance.is_trusted) for record in learnt.records]
    events = [one for one in read if isinstance(one, Event)]
    return [
        _schema(place, learnt, [one for one in read if isinstance(one, Rejected)]),
        _kinds(place, events, provenance),
        *_producers(place, events, skew_ns),
        *(_broker_clock(place, learnt, skew_ns) if learnt.has_broker_times else ()),
    ]


def _schema(place: str, sample: Sample, rejected: list[Rejected]) -> Diagnosis:
    count = len(sample.records)
    if rejected:
        reasons = Counter(one.reason for one in rejected)
        listed = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
        first = rejected[0]
        text = f"{len(rejected)} of the latest {count} records are not valid events ({listed}); "
        text += f"the first, {visible(str(first.origin))}: {visible(first.detail)}"
        mend = "correct the producer; `interlock schema event` prints the schema"
        if "version" in reasons:
            mend = "upgrade this monitor, or let the producer write `v: 1`"
        return trouble(SCHEMA, place, text, mend)
    if sample.skipped_count:
        text = f"{count_of(sample.skipped_count, 'batch or file')} could not be read"
        return trouble(SCHEMA, place, text, "the log of `interlock run` names them")
    if not sample.is_whole:
        text = f"only {count} of the latest records were read, as the time or the room was over"
        mend = "try again with a longer `--timeout`, or a smaller `--latest`"
        return unknown(SCHEMA, place, text, mend)
    return ok(SCHEMA, place, f"the latest {count} records are valid events")


def _kinds(place: str, events: Iterable[Event], provenance: Provenance) -> Diagnosis:
    """Kinds that their topic may not assert: these events do not count."""
    refused = Counter(
        (event.origin.topic, event.record.kind)
        for event in events
        if not provenance.may_assert(event.origin.topic, event.record.kind)
    )
    if not refused:
        return ok(KINDS, place, "each kind is one that its topic may assert")
    (topic, kind), count = refused.most_common(1)[0]
    text = f"{sum(refused.values())} events do not count, as their topic may not assert their "
    text += f"kind: `{visible(kind)}` on `{visible(topic)}`, {count} times"
    mend = "publish these kinds to the topic that docs/events.md names, or set `asserts`"
    return trouble(KINDS, place, text, mend)


def _producers(place: str, events: Iterable[Event], skew_ns: int) -> list[Diagnosis]:
    leads = [event.ts_ns - event.arrival_ns for event in events if event.arrival_ns is not None]
    if not leads:
        return []
    lead_ns = max(leads)
    if lead_ns > skew_ns:
        text = f"an event is stamped {_seconds(lead_ns)} later than it arrived; `skew` permits "
        text += f"{_seconds(skew_ns)}: its time is moved, and windows are judged with that"
        return [trouble(PRODUCER_CLOCKS, place, text, f"on the agents' machines, {COMPARE}")]
    text = f"no event is stamped more than {_seconds(skew_ns)} later than it arrived"
    return [ok(PRODUCER_CLOCKS, place, text)]


def _broker_clock(place: str, sample: Sample, skew_ns: int) -> list[Diagnosis]:
    arrivals = [one.arrival_ns for one in sample.records if one.arrival_ns is not None]
    if not arrivals:
        return []
    age_ns = sample.now_ns - max(arrivals)
    if -age_ns > skew_ns:
        text = f"the newest record arrived {_seconds(-age_ns)} in the future of this machine"
        return [trouble(BROKER_CLOCK, place, text, COMPARE)]
    if age_ns > FRESH_NS:
        text = f"the newest record is {_seconds(age_ns)} old, and a broker does not tell its time"
        return [unknown(BROKER_CLOCK, place, text, COMPARE, is_required=False)]
    text = f"the newest record arrived {_seconds(max(age_ns, 0))} ago"
    return [ok(BROKER_CLOCK, place, text)]


def _seconds(time_ns: int) -> str:
    return f"{time_ns / SECOND_NS:,.1f} s"
