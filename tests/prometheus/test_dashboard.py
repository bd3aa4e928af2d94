"""The dashboard held against promtool and the table of metrics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.telemetry.metrics_table import METRICS
from tests.prometheus.dashboard import Shown, dashboard, panels, shown, variables, variables_named
from tests.prometheus.rule_files import recorded, rules
from tests.prometheus.test_rules import promtool
from tests.support.metric_names import faults_of, labels_by_metric
from tests.support.promql import metrics_of

SHOWN = shown()
COLUMNS = 24


def test_promtool_takes_every_expression(tmp_path: Path) -> None:
    """As a file of recording rules, since promtool reads no dashboards."""
    made = [
        {"record": f"dashboard:expression:{number}", "expr": one.plain()}
        for number, one in enumerate(SHOWN)
    ]
    path = tmp_path / "dashboard.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": made}]}))
    assert f"{len(SHOWN)} rules found" in promtool("check", "rules", str(path))


@pytest.mark.parametrize("one", SHOWN, ids=lambda one: one.panel)
def test_every_metric_label_and_value_is_one_of_ours(one: Shown) -> None:
    """A panel that asks for what nobody gives is empty for ever, and looks like peace."""
    assert not faults_of(one.expression, labels_by_metric(recorded()))


def test_every_metric_is_shown() -> None:
    """What the monitor tells is somewhere to be seen."""
    named = set().union(*(metrics_of(one.expression) for one in SHOWN))
    parts = ("", "_bucket", "_sum", "_count")
    missing = [m.name for m in METRICS if not any(m.name + part in named for part in parts)]
    assert not missing


def test_every_metric_that_is_recorded_is_used() -> None:
    """A recording rule that nobody reads is work for nothing."""
    texts = [rule["expr"] for rule in rules()] + [one.expression for one in SHOWN]
    named = set().union(*map(metrics_of, texts))
    assert set(recorded()) <= named


def test_variables_are_defined() -> None:
    """Each panel asks for the chosen Prometheus and the chosen monitors."""
    assert variables_named() == set(variables()) == {"datasource", "instance"}
    assert variables()["instance"] == "label_values(interlock_build_info, instance)"
    for panel in panels():
        assert all(t["datasource"]["uid"] == "${datasource}" for t in panel["targets"])
    alerts_are_of_no_instance = [one for one in SHOWN if "$instance" not in one.expression]
    assert [one.panel for one in alerts_are_of_no_instance] == ["Critical alerts"]


def test_panels_have_names_and_places() -> None:
    """Ids and titles are their own, and no panel lies on another."""
    every = dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    assert len({panel["title"] for panel in every}) == len(every)
    taken: set[tuple[int, int]] = set()
    for panel in every:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < COLUMNS
        taken |= cells
    assert all(panel["description"] for panel in panels())
