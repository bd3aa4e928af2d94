"""Cases of the alerts about what agents did (`monitor/rules/agents.yml`)."""

from __future__ import annotations

from tests.prometheus.case import Case, one

FOUND = 'interlock_findings_total{invariant="no-leak",severity="%s",type="violated"}'
CRITICAL = FOUND % "critical"
WARNING = FOUND % "warning"
ENGINE = 'interlock_findings_total{invariant="",severity="%s",type="%s"}'
ACTION = 'interlock_actions_total{kind="%s",outcome="%s",mode="enforce"}'
STOPPED = 'interlock_targets_stopped{kind="%s",state="%s"}'
LEAK = {"invariant": "no-leak", "type": "violated"}


def engine(type_: str) -> dict[str, str]:
    return one(type=type_)


def action(kind: str, outcome: str) -> dict[str, str]:
    return one(kind=kind, outcome=outcome, mode="enforce")


CASES = [
    Case(
        "InterlockCriticalViolation",
        "the first one, from a counter that was born at 0",
        {CRITICAL: "0x19 1x20"},
        "11m",
        [(one(**LEAK), "1")],
    ),
    Case(
        "InterlockCriticalViolation",
        "found before the first scrape of a monitor that has just started",
        {CRITICAL: "3x40", "process_start_time_seconds": "-20x40"},
        "1m",
        [(one(**LEAK), "3")],
    ),
    Case(
        "InterlockCriticalViolation",
        "a restart that counts up to exactly where it was",
        {CRITICAL: "2x60", "process_start_time_seconds": "-100000x29 890x30"},
        "16m",
        [(one(**LEAK), "2")],
    ),
    Case(
        "InterlockCriticalViolation",
        "a restart that finds one more: the old ones are not told again",
        {CRITICAL: "7x29 0 1x30", "process_start_time_seconds": "-100000x29 890x30"},
        "16m",
        [(one(**LEAK), "1")],
    ),
    Case(
        "InterlockCriticalViolation",
        "a restart without findings is none",
        {CRITICAL: "7x29 0x30", "process_start_time_seconds": "-100000x29 890x30"},
        "16m",
    ),
    Case(
        "InterlockCriticalViolation",
        "found just before the restart",
        {CRITICAL: "0x27 1 0x30", "process_start_time_seconds": "-100000x28 890x30"},
        "16m",
        [(one(**LEAK), "1")],
    ),
    Case(
        "InterlockCriticalViolation",
        "old findings of a monitor that Prometheus reads for the first time",
        {CRITICAL: "7x60"},
        "20m",
    ),
    Case("InterlockCriticalViolation", "it ends", {CRITICAL: "0x3 1x80"}, "25m"),
    Case("InterlockCriticalViolation", "a warning is not critical", {WARNING: "0x3 1x80"}, "4m"),
    Case("InterlockViolation", "a warning", {WARNING: "0x3 2x80"}, "4m", [(one(**LEAK), "2")]),
    Case("InterlockViolation", "a critical one has its own alert", {CRITICAL: "0x3 2x80"}, "4m"),
    Case(
        "InterlockAnomaly",
        "a score past its threshold",
        {ENGINE % ("warning", "anomaly"): "0x3 1x80"},
        "4m",
        [(engine("anomaly"), "1")],
    ),
    Case("InterlockAnomaly", "none", {ENGINE % ("warning", "anomaly"): "4x80"}, "20m"),
    Case(
        "InterlockProvenance",
        "an agent approves itself",
        {ENGINE % ("critical", "provenance"): "0x3 1x80"},
        "4m",
        [(engine("provenance"), "1")],
    ),
    Case("InterlockProvenance", "a gap is none", {ENGINE % ("warning", "gap"): "0x3 1x80"}, "4m"),
    Case(
        "InterlockGateBypassed",
        "an agent acts without asking",
        {ENGINE % ("critical", "bypass"): "0x3 1x80"},
        "4m",
        [(engine("bypass"), "1")],
    ),
    Case(
        "InterlockGateBypassed",
        "a gap is none",
        {ENGINE % ("warning", "gap"): "0x3 1x80"},
        "4m",
    ),
    Case(
        "InterlockGlassBroken",
        "a monitor has seen it",
        {ENGINE % ("critical", "break_glass"): "0x3 1x80"},
        "4m",
        [(engine("break_glass"), "1")],
    ),
    Case(
        "InterlockGlassBroken",
        "a gate says so",
        {"interlock_gate_glass_broken": "0x3 1x80"},
        "20m",
        [(one(), "1")],
    ),
    Case(
        "InterlockGlassBroken",
        "an exception is none",
        {"interlock_gate_glass_broken": "0x80", "interlock_gate_exceptions": "1x80"},
        "20m",
    ),
    Case(
        "InterlockIdentityInDoubt",
        "an approval that names no principal",
        {ENGINE % ("critical", "unowned"): "0x3 1x80", ENGINE % ("warning", "contested"): "5x80"},
        "4m",
        [(engine("unowned"), "1")],
    ),
    Case(
        "InterlockIdentityInDoubt",
        "a gap is none",
        {ENGINE % ("warning", "gap"): "0x3 1x80"},
        "4m",
    ),
    Case(
        "InterlockEvidenceGap",
        "a gap",
        {ENGINE % ("warning", "gap"): "0x3 1x80", ENGINE % ("warning", "after_end"): "5x80"},
        "4m",
        [(engine("gap"), "1")],
    ),
    Case("InterlockEvidenceGap", "it ends", {ENGINE % ("warning", "gap"): "0x3 1x80"}, "25m"),
    Case(
        "InterlockKillSwitchUsed",
        "a kill",
        {ACTION % ("kill", "done"): "0x3 2x80"},
        "4m",
        [(action("kill", "done"), "2")],
    ),
    Case(
        "InterlockKillSwitchUsed",
        "what would have been done, in mode observe",
        {'interlock_actions_total{kind="kill",outcome="would",mode="observe"}': "0x3 2x80"},
        "4m",
    ),
    Case(
        "InterlockQuarantined",
        "a quarantine",
        {ACTION % ("quarantine", "done"): "0x3 2x80"},
        "4m",
        [(action("quarantine", "done"), "2")],
    ),
    Case("InterlockQuarantined", "an alert", {ACTION % ("alert", "done"): "0x3 2x80"}, "4m"),
    Case(
        "InterlockEverybodyStopped",
        "an operator stopped everybody",
        {STOPPED % ("global", "quarantined"): "0x3 1x80"},
        "4m",
        [({"job": "interlock"}, "1")],
    ),
    Case(
        "InterlockEverybodyStopped", "one session", {STOPPED % ("session", "killed"): "9x80"}, "4m"
    ),
    Case(
        "InterlockTargetsStillStopped",
        "stopped for an hour",
        {STOPPED % ("session", "killed"): "3x240"},
        "61m",
        [(one(kind="session", state="killed"), "3")],
    ),
    Case(
        "InterlockTargetsStillStopped",
        "released within the hour",
        {STOPPED % ("session", "killed"): "3x100 0x10 3x100"},
        "61m",
    ),
    Case(
        "InterlockStopHeld",
        "beyond the breaker",
        {ACTION % ("kill", "held"): "0x3 5x80"},
        "4m",
        [(action("kill", "held"), "5")],
    ),
    Case("InterlockStopHeld", "done", {ACTION % ("kill", "done"): "0x3 5x80"}, "4m"),
    Case(
        "InterlockStopFailed",
        "the control topic takes nothing",
        {ACTION % ("kill", "retry"): "0x3 4x80"},
        "4m",
        [(action("kill", "retry"), "4")],
    ),
    Case(
        "InterlockStopFailed",
        "an alert that is tried again is no stop",
        {ACTION % ("alert", "retry"): "0x3 4x80", ACTION % ("kill", "superseded"): "0x3 4x80"},
        "4m",
    ),
    Case(
        "InterlockAlertFailed",
        "the webhook gave up",
        {ACTION % ("alert", "failed"): "0x3 1x80"},
        "4m",
        [(action("alert", "failed"), "1")],
    ),
    Case("InterlockAlertFailed", "it tries again", {ACTION % ("alert", "retry"): "0x3 1x80"}, "4m"),
    Case(
        "InterlockActionsPending",
        "for five minutes",
        {"interlock_actions_pending": "2x80"},
        "6m",
        [(one(), "2")],
    ),
    Case(
        "InterlockActionsPending",
        "done in between",
        {"interlock_actions_pending": "2x8 0 2x80"},
        "6m",
    ),
]
