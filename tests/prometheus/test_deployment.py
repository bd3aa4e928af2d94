"""Prometheus and Alertmanager as docker-compose.yml sets them up, by their own checkers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from tests.prometheus.rule_files import FILES, alerts
from tests.prometheus.test_rules import promtool
from tests.support.compose import flags, here
from tests.support.prometheus_tools import program

PROMETHEUS = here("prometheus", flags("prometheus")["--config.file"])
ALERTMANAGER = here("alertmanager", flags("alertmanager")["--config.file"])


def test_prometheus_takes_its_settings(tmp_path: Path) -> None:
    """With the rules that are shipped, at the place where they are mounted."""
    text = PROMETHEUS.read_text()
    (pattern,) = yaml.safe_load(text)["rule_files"]
    folder = here("prometheus", str(Path(pattern).parent))
    assert sorted(folder.glob(Path(pattern).name)) == FILES
    path = tmp_path / "prometheus.yml"
    path.write_text(text.replace(pattern, str(folder / Path(pattern).name)))
    assert f"SUCCESS: {len(FILES)} rule files found" in promtool("check", "config", str(path))


def test_prometheus_reads_the_monitor() -> None:
    """Under the name that the rules ask for, often enough for their windows."""
    settings = yaml.safe_load(PROMETHEUS.read_text())
    jobs = {job["job_name"]: job["static_configs"][0] for job in settings["scrape_configs"]}
    assert jobs["interlock"]["targets"] == ["monitor:9847"]
    assert settings["global"]["scrape_interval"] == "15s"
    (where,) = settings["alerting"]["alertmanagers"]
    assert where["static_configs"][0]["targets"] == ["alertmanager:9093"]


def test_alertmanager_takes_its_settings(tmp_path: Path) -> None:
    """Debian's checker is older than `url_file`: it is given an address in its place."""
    text = ALERTMANAGER.read_text()
    secret = "url_file: /run/secrets/alert_webhook_url"
    assert text.count(secret) == 1
    path = tmp_path / "alertmanager.yml"
    path.write_text(text.replace(secret, "url: http://127.0.0.1:1/"))
    done = subprocess.run(
        [program("amtool"), "check-config", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_alertmanager_names_alerts_that_are_there() -> None:
    """In routes and inhibitions; an alert that is inhibited has the labels that are compared."""
    settings = yaml.safe_load(ALERTMANAGER.read_text())
    severities = {r["matchers"][0].split('"')[1] for r in settings["route"]["routes"]}
    assert severities <= {alert.severity for alert in alerts().values()}
    for rule in settings["inhibit_rules"]:
        for key in ("source_matchers", "target_matchers"):
            assert {matcher.split('"')[1] for matcher in rule[key]} <= set(alerts())
