"""Metrics exist from the start, carry no agent's text, and add up."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.findings.model import EngineFindingType
from monitor.kernel.build_finding import DEFAULT_SEVERITIES
from monitor.telemetry.metrics import STREAMS_MAX, BatchCounts, Metrics, WatchedInvariant
from monitor.telemetry.metrics_registry import CONTENT_TYPE, Registry
from monitor.telemetry.metrics_table import METRICS
from monitor.transport.base import Stream

INVARIANTS = (WatchedInvariant("no-leak", "critical", "enforce"), WatchedInvariant("slow", "info"))


def make_metrics() -> Metrics:
    return Metrics(
        Registry(),
        INVARIANTS,
        severities=DEFAULT_SEVERITIES,
        reasons=["too_large"],
        bounds=["slices"],
        version="1.2.3",
        program_digest="p1",
    )


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample as (name, values of labels in the table's order) -> value."""
    orders = {metric.name: metric.labels for metric in METRICS}
    return {
        (sample.name, tuple(sample.labels[n] for n in orders.get(sample.name, sample.labels))): (
            sample.value
        )
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_names_are_as_the_field_expects() -> None:
    """Our prefix, base units, only counters end in `_total`; each has a meaning."""
    for metric in METRICS:
        assert re.fullmatch(r"interlock(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.type == "counter")
        assert not re.search(r"_(ms|ns|minutes|kilobytes)(_|$)", metric.name)
        assert metric.meaning.endswith(".")
        assert (metric.type == "histogram") == bool(metric.buckets)
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_no_label_is_an_agents_to_choose() -> None:
    """Sessions, calls and the like are never labels."""
    allowed = {"invariant", "severity", "mode", "type", "kind", "reason", "bound", "outcome"}
    allowed |= {"topic", "partition", "version", "program", "state", "model", "calibration"}
    assert {label for metric in METRICS for label in metric.labels} <= allowed


def test_every_metric_of_the_table_is_rendered() -> None:
    """And nothing of ours that is not in the table."""
    text = make_metrics().render().decode()
    types = dict(re.findall(r"^# TYPE (interlock\w+) (\w+)$", text, re.M))
    created = {name: type_ for name, type_ in types.items() if not name.endswith("_created")}
    assert created == {metric.name: metric.type for metric in METRICS}


def test_counters_are_born_at_nought() -> None:
    """The first violation is an increase, and so alerts somebody."""
    found = samples(make_metrics())
    for invariant in INVARIANTS:
        for type_ in ("violated", "inconclusive"):
            labels = (invariant.id, invariant.severity, type_)
            assert found["interlock_findings_total", labels] == 0
    for type_ in get_args(EngineFindingType):
        labels = ("", DEFAULT_SEVERITIES[type_], type_)
        assert found["interlock_findings_total", labels] == 0
    assert found["interlock_actions_total", ("kill", "held", "enforce")] == 0
    assert found["interlock_records_rejected_total", ("too_large",)] == 0
    assert found["interlock_source_notices_total", ("truncated",)] == 0


def test_a_batch_adds_up_and_makes_no_new_series() -> None:
    """Counts of two batches are summed; kinds and reasons that nobody knows become `other`."""
    metrics = make_metrics()
    before = set(samples(metrics))
    counts = BatchCounts(
        ended_s=100.5,
        batch_s=0.02,
        commit_s=0.001,
        events={"tool.requested": 2, "tool.completed": 1, "zz\nzz.x": 4, "yy": 1},
        rejected={"too_large": 1, "invented": 2},
        duplicates_count=3,
        dead_letters_count=1,
        judged={"no-leak": 7},
        unknown={"slow": 1},
        findings={("no-leak", "critical", "violated"): 1, ("", "warning", "gap"): 2},
        finding_delays_s=[0.07, -3.0],
        capacity={"slices": 1, "else": 1},
    )
    metrics.flush(counts)
    metrics.flush(counts)
    metrics.count_action("kill", "done", "enforce")
    metrics.count_notice("torn")
    metrics.count_publish_failure()
    metrics.set_backlog(scopes_count=5, findings_pending_count=6, actions_pending_count=7)
    metrics.set_ready(True)
    found = samples(metrics)
    assert set(found) == before
    expected = {
        ("interlock_events_read_total", ("tool",)): 6,
        ("interlock_events_read_total", ("other",)): 10,
        ("interlock_records_rejected_total", ("other",)): 4,
        ("interlock_duplicates_total", ()): 6,
        ("interlock_judgements_total", ("no-leak",)): 14,
        ("interlock_unknowns_total", ("slow",)): 2,
        ("interlock_findings_total", ("no-leak", "critical", "violated")): 2,
        ("interlock_findings_total", ("", "warning", "gap")): 4,
        ("interlock_event_to_finding_seconds_count", ()): 4,
        ("interlock_event_to_finding_seconds_bucket", ("0.05",)): 2,
        ("interlock_capacity_reached_total", ("other",)): 2,
        ("interlock_last_batch_timestamp_seconds", ()): 100.5,
        ("interlock_actions_total", ("kill", "done", "enforce")): 1,
        ("interlock_scopes", ()): 5,
        ("interlock_actions_pending", ()): 7,
        ("interlock_ready", ()): 1,
        ("interlock_build_info", ("1.2.3", "p1")): 1,
        ("interlock_invariant_info", ("slow", "info", "observe")): 1,
    }
    assert {key: found[key] for key in expected} == expected


def test_an_invariant_that_nobody_watches_is_our_bug() -> None:
    """It is no new label: that would be a way to flood the metrics."""
    counts = BatchCounts(ended_s=0, batch_s=0, judged={"invented": 1})
    with pytest.raises(AssertionError):
        make_metrics().flush(counts)


def test_streams_come_and_go() -> None:
    """A stream that went to another monitor leaves no series that looks like a stall."""
    metrics = make_metrics()
    stream = Stream("agent.events", "3")
    metrics.set_stream(stream, 12, 1.5)
    found = samples(metrics)
    assert found["interlock_lag_records", ("agent.events", "3")] == 12
    assert found["interlock_oldest_event_age_seconds", ("agent.events", "3")] == 1.5
    metrics.set_stream(stream, 0, None)
    assert samples(metrics)["interlock_oldest_event_age_seconds", ("agent.events", "3")] == 0
    metrics.forget_stream(stream)
    metrics.forget_stream(stream)
    assert ("interlock_lag_records", ("agent.events", "3")) not in samples(metrics)


def test_streams_are_bounded() -> None:
    """Many writers in a log directory do not become many series, and that is told."""
    metrics = make_metrics()
    for number in range(STREAMS_MAX + 10):
        metrics.set_stream(Stream("t", str(number)), 1, None)
    found = samples(metrics)
    assert sum(name == "interlock_lag_records" for name, _ in found) == STREAMS_MAX
    assert found["interlock_streams_unlisted", ()] == 1


def test_two_monitors_in_one_process_do_not_meet() -> None:
    """Each has a registry of its own."""
    first, second = make_metrics(), make_metrics()
    first.set_ready(True)
    assert samples(second)["interlock_ready", ()] == 0
    assert CONTENT_TYPE.startswith("text/plain")
