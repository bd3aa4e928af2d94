"""Expressions held against the table of metrics: what they name that nobody gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from interlock.control_record import TARGET_KINDS, ControlState
from monitor.actions.contract import OUTCOMES
from monitor.findings.model import SEVERITIES, FindingType
from monitor.response.plan import ActionKind, ActionMode
from monitor.telemetry.gate_metrics_table import GATE_METRICS
from monitor.telemetry.metrics import KIND_CLASSES
from monitor.telemetry.metrics_table import METRICS
from monitor.transport.base import NoticeKind
from tests.support.promql import grouped_by, matchers_of, metrics_of

OF_PROMETHEUS: Mapping[str, tuple[str, ...]] = {
    "up": (),
    "ALERTS": ("alertname", "alertstate", "severity"),
    "process_start_time_seconds": (),
    "process_cpu_seconds_total": (),
    "process_resident_memory_bytes": (),
}
"""Metrics that are not of our table, with their labels: Prometheus and its client make them."""

OF_EVERY_TARGET = {"job", "instance"}
FINDING_TYPES = {name for part in get_args(FindingType) for name in get_args(part)}
VALUES: Mapping[tuple[str, str], set[str]] = {
    ("findings", "type"): FINDING_TYPES,
    ("findings", "severity"): {*SEVERITIES},
    ("actions", "kind"): {*get_args(ActionKind)},
    ("actions", "outcome"): {*OUTCOMES},
    ("actions", "mode"): {*get_args(ActionMode)},
    ("source_notices", "kind"): {*get_args(NoticeKind)},
    ("targets_stopped", "kind"): {*TARGET_KINDS},
    ("targets_stopped", "state"): {*get_args(ControlState)},
    ("events_read", "kind"): {*KIND_CLASSES},
}
"""What a label of a metric may say: a matcher on anything else never matches."""


def labels_by_metric(recorded: Mapping[str, str]) -> dict[str, set[str]]:
    """Every series name with its labels; a recorded one has those of its source."""
    known = {name: {*labels} for name, labels in OF_PROMETHEUS.items()}
    for metric in (*METRICS, *GATE_METRICS):
        labels = {*metric.labels}
        if metric.type == "histogram":
            known |= {metric.name + "_bucket": labels | {"le"}}
            known |= {metric.name + part: labels for part in ("_sum", "_count")}
        else:
            known[metric.name] = labels
    for name, expression in recorded.items():
        known[name] = set().union(*(known.get(m, set()) for m in metrics_of(expression)))
    return known


def faults_of(expression: str, known: Mapping[str, set[str]]) -> list[str]:
    """Metrics, labels and values in an expression that no series has."""
    named = metrics_of(expression)
    faults = [f"no metric `{metric}`" for metric in named if metric not in known]
    everything = set().union(*(known.get(metric, set()) for metric in named)) | OF_EVERY_TARGET
    faults += [f"no label `{label}`" for label in grouped_by(expression) - everything]
    for matcher in matchers_of(expression):
        if matcher.label not in known.get(matcher.metric, set()) | OF_EVERY_TARGET:
            faults.append(f"`{matcher.metric}` has no label `{matcher.label}`")
        allowed = VALUES.get((_noun(matcher.metric), matcher.label))
        if allowed is not None and not matcher.value.startswith("$"):
            faults += [f"`{value}` is no value" for value in _others(matcher.alternatives, allowed)]
    return faults


def _others(values: Iterable[str], allowed: set[str]) -> list[str]:
    return [value for value in values if value not in allowed]


def _noun(metric: str) -> str:
    """`interlock_findings_total` and `interlock:findings:new5m` are both about `findings`."""
    if metric.startswith("interlock:"):
        return metric.split(":")[1]
    return metric.removeprefix("interlock_").removesuffix("_total")
