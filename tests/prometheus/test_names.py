"""Rules held against the code: metrics, labels, values, commands and the page of alerts."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import get_args

import pytest

from monitor.cli.__main__ import build_parser
from monitor.findings.model import EngineFindingType
from tests.prometheus.rule_files import alerts, recorded, render
from tests.support.metric_names import faults_of, labels_by_metric

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "alerts.md"
ALERTS = alerts()
RECORDED = recorded()
EXPRESSIONS = {**RECORDED, **{name: alert.expression for name, alert in ALERTS.items()}}
FINDING_TYPES = ("violated", *get_args(EngineFindingType))
ELSEWHERE = {"capacity": "interlock_capacity_reached_total", "birth": "told, and nobody's fault"}
"""Types with a metric of their own, or without an alert; `inconclusive` has one as well."""
LABEL = re.compile(r"\$labels\.(\w+)")


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_metric_label_and_value_is_one_of_ours(name: str) -> None:
    """A rule that asks for what nobody gives would be silent for ever."""
    assert not faults_of(EXPRESSIONS[name], labels_by_metric(RECORDED))


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("interlock_finding_total > 0", "no metric `interlock_finding_total`"),
        ("sum by (sesion) (interlock_ready)", "no label `sesion`"),
        ('interlock_ready{topic="a"}', "`interlock_ready` has no label `topic`"),
        ('interlock_findings_total{type=~"violated|violation"}', "`violation` is no value"),
        ("rate(interlock_commit_seconds[5m])", "no metric `interlock_commit_seconds`"),
        ('interlock:actions:new5m{kind="Kill"}', "`Kill` is no value"),
    ],
)
def test_what_is_misspelt_is_seen(expression: str, fault: str) -> None:
    """The check above is one that can fail."""
    assert faults_of(expression, labels_by_metric(RECORDED)) == [fault]


@pytest.mark.parametrize("type_", [t for t in FINDING_TYPES if t not in ELSEWHERE])
def test_every_type_of_finding_alerts_somebody(type_: str) -> None:
    """A type that no rule names would be told to nobody who looks at alerts alone."""
    patterns = [p for e in EXPRESSIONS.values() for p in re.findall(r'type=~?"([^"]+)"', e)]
    assert any(re.fullmatch(pattern, type_) for pattern in patterns)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_tells_a_person_what_to_do(name: str) -> None:
    """Severity, what, why, which command, and the page; no text but the rule's labels and value."""
    alert = ALERTS[name]
    assert alert.severity in ("critical", "warning", "info")
    assert set(alert.annotations) == {"summary", "description", "command", "runbook"}
    for text in alert.annotations.values():
        assert len(text) < 400
        assert "{{" not in render(text, dict.fromkeys(LABEL.findall(text), "x"), "1")
    assert alert.annotations["runbook"] == f"docs/alerts.md#{name.lower()}"


@pytest.mark.parametrize("name", ALERTS)
def test_commands_of_alerts_are_commands(name: str) -> None:
    """The real parser takes what a person at three in the morning will paste."""
    text = ALERTS[name].annotations["command"]
    words = shlex.split(render(text, dict.fromkeys(LABEL.findall(text), "x"), "1"))
    if words[0] == "interlock":
        assert build_parser().parse_args(words[1:]).run
    else:
        assert words[:2] == ["curl", "-s"]


def test_the_page_has_a_section_for_each_alert() -> None:
    """With its severity, and no section for one that is not there."""
    told = re.findall(r"^### (Interlock\w+)\n\n\*(\w+)", PAGE.read_text(), re.MULTILINE)
    assert dict(told) == {name: alert.severity for name, alert in ALERTS.items()}
    assert len(told) == len(ALERTS)
