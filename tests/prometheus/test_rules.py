"""Every rule by promtool: it fires when it should, and only then."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus import cases_agents, cases_evidence, cases_monitor
from tests.prometheus.case import STEP, Case, identified
from tests.prometheus.rule_files import FILES, alerts, recorded
from tests.support.prometheus_tools import program

CASES: list[Case] = [*cases_agents.CASES, *cases_evidence.CASES, *cases_monitor.CASES]
ALERTS = alerts()


def promtool(*arguments: str) -> str:
    """What it prints; the test fails where it does."""
    done = subprocess.run(
        [program("promtool"), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_tests(folder: Path, tests: list[dict[str, Any]]) -> None:
    """Give promtool these tests of all the rules."""
    content = {
        "rule_files": [str(path) for path in FILES],
        "evaluation_interval": STEP,
        "tests": [{"interval": STEP, **test} for test in tests],
    }
    path = folder / "cases.yml"
    path.write_text(yaml.safe_dump(content))
    promtool("test", "rules", str(path))


def expectation(case: Case) -> dict[str, Any]:
    """What the case expects, labels and texts, as promtool takes it."""
    alert = ALERTS[case.alert]
    return {
        "eval_time": case.at,
        "alertname": case.alert,
        "exp_alerts": [
            {
                "exp_labels": {"severity": alert.severity, **labels},
                "exp_annotations": alert.told({"severity": alert.severity, **labels}, value),
            }
            for labels, value in case.fires
        ],
    }


def test_promtool_takes_every_rule() -> None:
    """Syntax, templates, and what its lint knows."""
    promtool("check", "rules", "--lint=all", "--lint-fatal", *map(str, FILES))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.why}")
def test_alert(case: Case, tmp_path: Path) -> None:
    """It fires with these labels and texts, or it does not."""
    test = {"input_series": case.input_series(), "alert_rule_test": [expectation(case)]}
    run_tests(tmp_path, [test])


def test_every_alert_is_seen_firing_and_not_firing() -> None:
    """An alert without both proves nothing."""
    assert {case.alert for case in CASES if case.fires} == set(ALERTS)
    assert {case.alert for case in CASES if not case.fires} == set(ALERTS)


def test_without_any_series_only_the_absence_is_told(tmp_path: Path) -> None:
    """No rule takes nothing for something."""
    quiet = [
        {"eval_time": "40m", "alertname": name, "exp_alerts": []}
        for name in ALERTS
        if name != "InterlockMonitorAbsent"
    ]
    run_tests(tmp_path, [{"input_series": [], "alert_rule_test": quiet}])


WELL = {
    "up": "1x240",
    "process_start_time_seconds": "-100000x240",
    'interlock_build_info{program="a",version="1"}': "1x240",
    "interlock_ready": "1x240",
    "interlock_turn_age_seconds": "0.4x240",
    "interlock_heartbeat_age_seconds": "3x240",
    'interlock_events_read_total{kind="tool"}': "0+100x240",
    'interlock_findings_total{invariant="a",severity="critical",type="violated"}': "12x240",
    'interlock_findings_total{invariant="a",severity="info",type="violated"}': "0+1x240",
    'interlock_actions_total{kind="kill",outcome="done",mode="enforce"}': "12x240",
    'interlock_actions_total{kind="alert",outcome="done",mode="enforce"}': "0+1x240",
    'interlock_actions_total{kind="kill",outcome="would",mode="observe"}': "0+1x240",
    'interlock_unknowns_total{invariant="a"}': "3x240",
    'interlock_source_notices_total{kind="torn"}': "3x240",
    "interlock_dead_letters_total": "3x240",
    'interlock_capacity_reached_total{bound="scope"}': "0x240",
    "interlock_actions_pending": "0x240",
    "interlock_findings_pending": "0x240",
    'interlock_targets_stopped{kind="session",state="killed"}': "0x240",
    'interlock_lag_records{topic="agent.events",partition="0"}': "10 0 200 3 90 0x240",
    'interlock_oldest_event_age_seconds{topic="agent.events",partition="0"}': "0.1x240",
    "interlock_store_free_bytes": "50000000000-100000x240",
    "interlock_streams_unlisted": "0x240",
    'interlock_commit_seconds_bucket{le="0.01"}': "0+10x240",
    'interlock_commit_seconds_bucket{le="+Inf"}': "0+10x240",
}


def test_a_monitor_that_is_well_wakes_nobody(tmp_path: Path) -> None:
    """Old counts, a short lag and a growing store are no alert."""
    inputs = [{"series": identified(name), "values": values} for name, values in WELL.items()]
    quiet = [{"eval_time": "119m", "alertname": name, "exp_alerts": []} for name in ALERTS]
    run_tests(tmp_path, [{"input_series": inputs, "alert_rule_test": quiet}])


RECORDED = {
    "interlock:uptime_seconds": 101_200.0,
    'interlock:findings:new5m{invariant="a",severity="info",type="violated"}': 10.0,
    'interlock:actions:new5m{kind="alert",outcome="done",mode="enforce"}': 10.0,
    'interlock:unknowns:new5m{invariant="a"}': 0.0,
    'interlock:source_notices:new5m{kind="torn"}': 0.0,
    "interlock:dead_letters:new5m": 0.0,
    'interlock:capacity_reached:new5m{bound="scope"}': 0.0,
    'interlock:lag_records:sum{topic="agent.events"}': 0.0,
    'interlock:oldest_event_age_seconds:max{topic="agent.events"}': 0.1,
    "interlock:commit_seconds:p99_5m": 0.0099,
}


def test_what_is_young(tmp_path: Path) -> None:
    """A first process is newborn for five minutes, one after a restart is young."""
    young = identified("interlock:young_seconds")
    newborn = identified("interlock:newborn_seconds")
    inputs = {"interlock_build_info": "1x60", "process_start_time_seconds": "0x29 890x30"}
    tests = [
        {"expr": young, "eval_time": "2m", "exp_samples": [{"labels": young, "value": 120}]},
        {"expr": newborn, "eval_time": "2m", "exp_samples": [{"labels": newborn, "value": 120}]},
        {"expr": young, "eval_time": "6m", "exp_samples": []},
        {"expr": newborn, "eval_time": "6m", "exp_samples": []},
        {"expr": young, "eval_time": "16m", "exp_samples": [{"labels": young, "value": 70}]},
        {"expr": newborn, "eval_time": "16m", "exp_samples": []},
    ]
    series = [{"series": identified(name), "values": values} for name, values in inputs.items()]
    run_tests(tmp_path, [{"input_series": series, "promql_expr_test": tests}])


def test_what_is_recorded(tmp_path: Path) -> None:
    """Each recording rule gives the number that its name promises."""
    young = {"interlock:young_seconds", "interlock:newborn_seconds"}
    assert {name.partition("{")[0] for name in RECORDED} == set(recorded()) - young
    inputs = [{"series": identified(name), "values": values} for name, values in WELL.items()]
    tests = [
        # Versions of Prometheus differ in whether a range holds its left end: hence the rounding.
        {
            "expr": f"round({identified(name)}, 0.0001)",
            "eval_time": "20m",
            "exp_samples": [
                {"labels": identified("{" + name.partition("{")[2]), "value": round(value, 4)}
            ],
        }
        for name, value in RECORDED.items()
    ]
    run_tests(tmp_path, [{"input_series": inputs, "promql_expr_test": tests}])
