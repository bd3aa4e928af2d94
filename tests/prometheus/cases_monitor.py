"""Cases of the alerts about the monitor itself (`monitor/rules/monitor.yml`)."""

from __future__ import annotations

from tests.prometheus.case import Case, one

LAG = 'interlock_lag_records{topic="agent.events",partition="%d"}'
AGE = 'interlock_oldest_event_age_seconds{topic="agent.events",partition="%d"}'
BUCKET = 'interlock_commit_seconds_bucket{le="%s"}'
EVENTS = {"topic": "agent.events"}
GIB = 1 << 30

CASES = [
    Case("InterlockMonitorDown", "no answer", {"up": "1x3 0x80"}, "4m", [(one(), "0")]),
    Case("InterlockMonitorDown", "one scrape failed", {"up": "1x3 0 1x80"}, "4m"),
    Case("InterlockMonitorDown", "another job", {'up{job="node"}': "0x80"}, "4m"),
    Case("InterlockMonitorAbsent", "nothing at all", {}, "4m", [({}, "1")], old=False),
    Case(
        "InterlockMonitorAbsent",
        "the last one went away",
        {"interlock_build_info": "1x10 stale"},
        "9m",
        [({}, "1")],
    ),
    Case("InterlockMonitorAbsent", "one is there", {}, "4m"),
    Case(
        "InterlockMonitorStalled",
        "the loop hangs",
        {"interlock_turn_age_seconds": "0x3 0+30x80"},
        "5m",
        [(one(), "3m 0s")],
    ),
    Case("InterlockMonitorStalled", "it turns", {"interlock_turn_age_seconds": "5x80"}, "30m"),
    Case(
        "InterlockMonitorStalled",
        "one long turn",
        {"interlock_turn_age_seconds": "0 40 0x80"},
        "30s",
    ),
    Case(
        "InterlockHeartbeatOld",
        "the control topic takes nothing",
        {"interlock_heartbeat_age_seconds": "4x3 20+30x80"},
        "3m",
        [(one(), "1m 20s")],
    ),
    Case(
        "InterlockHeartbeatOld", "as it should", {"interlock_heartbeat_age_seconds": "5x80"}, "9m"
    ),
    Case(
        "InterlockMonitorNotReady",
        "no stream for five minutes",
        {"interlock_ready": "0x80"},
        "6m",
        [(one(), "0")],
    ),
    Case("InterlockMonitorNotReady", "it starts", {"interlock_ready": "0x5 1x80"}, "6m"),
    Case(
        "InterlockMonitorRestarts",
        "twice in a quarter of an hour",
        {"process_start_time_seconds": "-9x4 100x4 200x80"},
        "6m",
        [(one(), "2")],
    ),
    Case(
        "InterlockMonitorRestarts",
        "a planned one",
        {"process_start_time_seconds": "-9x4 100x80"},
        "6m",
    ),
    Case(
        "InterlockLate",
        "one partition of two",
        {AGE % 0: "0x80", AGE % 1: "100x80"},
        "5m",
        [(one(**EVENTS), "1m 40s")],
    ),
    Case("InterlockLate", "for a moment", {AGE % 0: "100x3 0 100x80"}, "3m"),
    Case("InterlockVeryLate", "too late", {AGE % 0: "700x80"}, "5m", [(one(**EVENTS), "11m 40s")]),
    Case("InterlockVeryLate", "late", {AGE % 0: "100x80"}, "5m"),
    Case(
        "InterlockFallingBehind",
        "more every minute",
        {LAG % 0: "10+10x80", LAG % 1: "0x80"},
        "20m",
        [(one(**EVENTS), "110")],
    ),
    Case("InterlockFallingBehind", "it comes nearer", {LAG % 0: "900-10x80"}, "20m"),
    Case("InterlockFallingBehind", "the end was reached", {LAG % 0: "1+1x30 0 1+1x60"}, "20m"),
    Case(
        "InterlockFindingsNotPublished",
        "the broker is away",
        {"interlock_findings_pending": "4x80"},
        "6m",
        [(one(), "4")],
    ),
    Case(
        "InterlockFindingsNotPublished",
        "they went out",
        {"interlock_findings_pending": "4x8 0 4x80"},
        "6m",
    ),
    Case(
        "InterlockStoreSlow",
        "a commit takes a second",
        {BUCKET % "0.5": "0x80", BUCKET % "1.0": "0+5x80", BUCKET % "+Inf": "0+5x80"},
        "20m",
        [(one(), "995ms")],
    ),
    Case(
        "InterlockStoreSlow",
        "a disk as it should be",
        {BUCKET % "0.5": "0+5x80", BUCKET % "1.0": "0+5x80", BUCKET % "+Inf": "0+5x80"},
        "20m",
    ),
    Case(
        "InterlockStoreDiskLow",
        "almost full",
        {"interlock_store_free_bytes": f"{GIB // 8}x80"},
        "3m",
        [(one(), "128Mi")],
    ),
    Case("InterlockStoreDiskLow", "room", {"interlock_store_free_bytes": f"{GIB}x80"}, "3m"),
    Case(
        "InterlockStoreDiskFilling",
        "full within a day",
        {"interlock_store_free_bytes": f"{10 * GIB}-{GIB // 100}x200"},
        "80m",
        [(one(), "")],
    ),
    Case(
        "InterlockStoreDiskFilling",
        "full in a month",
        {"interlock_store_free_bytes": f"{10 * GIB}-1000x200"},
        "80m",
    ),
    Case(
        "InterlockProgramsDiffer",
        "one was not restarted",
        {
            'interlock_build_info{program="a",version="1"}': "1x80",
            'interlock_build_info{program="b",version="1",job="interlock",instance="n:9847"}': (
                "1x80"
            ),
        },
        "16m",
        [({"job": "interlock"}, "2")],
        old=False,
    ),
    Case(
        "InterlockProgramsDiffer",
        "a rolling restart",
        {
            'interlock_build_info{program="a",version="1"}': "1x10 stale",
            'interlock_build_info{program="b",version="1",job="interlock",instance="n:9847"}': (
                "1x80"
            ),
        },
        "16m",
        old=False,
    ),
]
