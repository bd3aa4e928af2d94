"""The table of a gate's metrics; docs/gate.md has the same one."""

from __future__ import annotations

from typing import Final

from .metrics_table import Metric

_FAST_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds. Chosen: from an answer without waiting to a client that has given up."""

GATE_METRICS: Final = (
    Metric(
        "interlock_gate_build_info",
        "gauge",
        "Always 1; the running version and the digest of its program.",
        ("version", "program"),
    ),
    Metric(
        "interlock_gate_requests_total",
        "counter",
        "Requests by page and by the code of their error; `ok` is none.",
        ("page", "code"),
    ),
    Metric(
        "interlock_gate_answers_total",
        "counter",
        "Answers that were given to asks, repeated ones included.",
        ("decision",),
    ),
    Metric(
        "interlock_gate_request_seconds",
        "histogram",
        "From a request's head to its response; long polls are left out.",
        buckets=_FAST_S,
    ),
    Metric(
        "interlock_gate_turn_seconds",
        "histogram",
        "The time of one turn: reading a body, judging and recording.",
        buckets=_FAST_S,
    ),
    Metric(
        "interlock_gate_bounds_reached_total",
        "counter",
        "Times that a bound of the server was reached.",
        ("bound",),
    ),
    Metric(
        "interlock_gate_authentication_failures_total",
        "counter",
        "Requests whose credentials name no principal.",
    ),
    Metric("interlock_gate_connections", "gauge", "Open connections."),
    Metric("interlock_gate_waiting", "gauge", "Requests that wait for their turn."),
    Metric("interlock_gate_polls", "gauge", "Requests that wait for an operator."),
    Metric(
        "interlock_gate_unpublished_records",
        "gauge",
        "Records of the gate's log that are not yet on Kafka, as of the last look at the log; 0 "
        "with `log:DIR`.",
    ),
    Metric(
        "interlock_gate_unpublished_bytes",
        "gauge",
        "Bytes of the gate's log that Kafka has not acknowledged, now; 0 with `log:DIR`.",
    ),
    Metric(
        "interlock_gate_publish_trouble",
        "gauge",
        "1 while the gate's records do not get to Kafka; `/-/ready` says why.",
    ),
    Metric("interlock_gate_exceptions", "gauge", "Exceptions of operators that are in force."),
    Metric(
        "interlock_gate_glass_broken",
        "gauge",
        "Broken glasses that are in force: the gate refuses no call that one concerns.",
    ),
    Metric(
        "interlock_gate_lost_notices",
        "gauge",
        "Notices of held calls that did not reach the webhook since the start.",
    ),
    Metric(
        "interlock_gate_claims",
        "gauge",
        "Sessions that the gates on this Kafka have claimed; 0 with `log:DIR`.",
    ),
    Metric("interlock_gate_ready", "gauge", "1 while the gate records and answers."),
    Metric(
        "interlock_gate_turn_age_seconds",
        "gauge",
        "Seconds since the gate last looked at its deadlines; grows if it hangs.",
    ),
)
