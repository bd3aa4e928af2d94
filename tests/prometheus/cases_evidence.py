"""Cases of the alerts about what was not seen or not judged (`monitor/rules/evidence.yml`)."""

from __future__ import annotations

from tests.prometheus.case import Case, one

ENGINE = 'interlock_findings_total{invariant="",severity="critical",type="%s"}'
NOTICE = 'interlock_source_notices_total{kind="%s"}'
READ = 'interlock_events_read_total{kind="tool"}'

CASES = [
    Case(
        "InterlockUnevaluable",
        "our own fault",
        {ENGINE % "unevaluable": "0x3 1x80"},
        "4m",
        [(one(type="unevaluable"), "1")],
    ),
    Case("InterlockUnevaluable", "another finding", {ENGINE % "provenance": "0x3 1x80"}, "4m"),
    Case(
        "InterlockInconclusive",
        "a field is missing",
        {'interlock_unknowns_total{invariant="no-leak"}': "0x3 6x80"},
        "4m",
        [(one(invariant="no-leak"), "6")],
    ),
    Case(
        "InterlockInconclusive",
        "a restart",
        {
            'interlock_unknowns_total{invariant="no-leak"}': "6x29 0x30",
            "process_start_time_seconds": "-100000x29 890x30",
        },
        "16m",
    ),
    Case(
        "InterlockDeadLetters",
        "records that are no event",
        {"interlock_dead_letters_total": "0x3 6x80"},
        "4m",
        [(one(), "6")],
    ),
    Case(
        "InterlockDeadLetters",
        "before the first scrape",
        {"interlock_dead_letters_total": "6x80", "process_start_time_seconds": "-20x80"},
        "1m",
        [(one(), "6")],
    ),
    Case("InterlockDeadLetters", "long ago", {"interlock_dead_letters_total": "6x80"}, "20m"),
    Case(
        "InterlockEvidenceLost",
        "retention was too short",
        {NOTICE % "truncated": "0x3 1x80", NOTICE % "stalled": "0x3 1x80"},
        "4m",
        [(one(kind="truncated"), "1")],
    ),
    Case("InterlockEvidenceLost", "nothing lost", {NOTICE % "reread": "0x3 1x80"}, "4m"),
    Case(
        "InterlockSourceTrouble",
        "the client was built anew",
        {NOTICE % "stalled": "0x3 1x80", NOTICE % "truncated": "0x3 1x80"},
        "4m",
        [(one(kind="stalled"), "1")],
    ),
    Case("InterlockSourceTrouble", "it ends", {NOTICE % "stalled": "0x3 1x80"}, "25m"),
    Case(
        "InterlockCapacityReached",
        "a flood",
        {'interlock_capacity_reached_total{bound="scope"}': "0x3 1x80"},
        "4m",
        [(one(bound="scope"), "1")],
    ),
    Case(
        "InterlockCapacityReached",
        "long ago",
        {'interlock_capacity_reached_total{bound="scope"}': "1x80"},
        "20m",
    ),
    Case(
        "InterlockStreamsUnlisted",
        "too many writers",
        {"interlock_streams_unlisted": "1x80"},
        "6m",
        [(one(), "1")],
    ),
    Case("InterlockStreamsUnlisted", "not yet", {"interlock_streams_unlisted": "1x80"}, "4m"),
    Case(
        "InterlockEventsStopped",
        "they came, and come no more",
        {READ: "0+10x60 600x100"},
        "61m",
        [({"job": "interlock"}, "0")],
    ),
    Case("InterlockEventsStopped", "they never came", {READ: "0x200"}, "61m"),
    Case("InterlockEventsStopped", "they come", {READ: "0+10x200"}, "61m"),
    Case(
        "InterlockEventsStopped",
        "a restart is no silence",
        {READ: "0+10x90 0+10x100"},
        "61m",
    ),
    Case(
        "InterlockGateNotPublished",
        "Kafka takes nothing",
        {"interlock_gate_publish_trouble": "0x3 1x80"},
        "20m",
        [(one(), "1")],
    ),
    Case(
        "InterlockGateNotPublished",
        "a moment is nothing",
        {"interlock_gate_publish_trouble": "0x3 1x3 0x80"},
        "20m",
    ),
]
