"""The table of all metrics: names, types, labels, meanings. Docs, rules and tests read it."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

_FAST_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds. Chosen: from a commit without fsync to a disk that stalls."""
_DELAYS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Seconds. Chosen: from one poll to a monitor that was down for an hour."""


class Metric(msgspec.Struct, frozen=True):
    """One metric; `labels` in the order in which the code gives them."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


METRICS: Final = (
    Metric(
        "interlock_build_info",
        "gauge",
        "Always 1; the running version and the digest of its program.",
        ("version", "program"),
    ),
    Metric(
        "interlock_invariant_info",
        "gauge",
        "Always 1; one series for each watched invariant.",
        ("invariant", "severity", "mode"),
    ),
    Metric(
        "interlock_detector_info",
        "gauge",
        "Always 1 if a model scores sessions; an uncalibrated model raises no alarm.",
        ("model", "calibration"),
    ),
    Metric(
        "interlock_ready",
        "gauge",
        "1 if sources are assigned, the program is loaded and the control topic was read.",
    ),
    Metric(
        "interlock_last_batch_timestamp_seconds",
        "gauge",
        "Time at which the last batch was stored, in seconds since 1970.",
    ),
    Metric(
        "interlock_turn_age_seconds",
        "gauge",
        "Seconds since the loop last turned, even without work; grows if it hangs.",
    ),
    Metric(
        "interlock_heartbeat_age_seconds",
        "gauge",
        "Seconds since the time that the last heartbeat covers; guards refuse if it grows.",
    ),
    Metric(
        "interlock_events_read_total",
        "counter",
        "Events read, by the first part of their kind.",
        ("kind",),
    ),
    Metric(
        "interlock_records_rejected_total",
        "counter",
        "Rejected records, by reason.",
        ("reason",),
    ),
    Metric(
        "interlock_duplicates_total",
        "counter",
        "Events skipped because they were duplicates.",
    ),
    Metric(
        "interlock_dead_letters_total",
        "counter",
        "Records handed to the dead-letter topic.",
    ),
    Metric(
        "interlock_source_notices_total",
        "counter",
        "Notices of sources: evidence may be missing.",
        ("kind",),
    ),
    Metric(
        "interlock_judgements_total",
        "counter",
        "Times that an invariant was judged at an event.",
        ("invariant",),
    ),
    Metric(
        "interlock_unknowns_total",
        "counter",
        "Times that a predicate of an invariant was unknown at an event.",
        ("invariant",),
    ),
    Metric(
        "interlock_findings_total",
        "counter",
        "New findings; those of the engine itself have no invariant.",
        ("invariant", "severity", "type"),
    ),
    Metric(
        "interlock_actions_total",
        "counter",
        "Attempts at actions by outcome, and actions recorded as `would` or `held`.",
        ("kind", "outcome", "mode"),
    ),
    Metric(
        "interlock_publish_failures_total",
        "counter",
        "Failed attempts to publish findings.",
    ),
    Metric(
        "interlock_capacity_reached_total",
        "counter",
        "Times that a bound was reached.",
        ("bound",),
    ),
    Metric("interlock_scopes", "gauge", "Scopes that the store holds."),
    Metric("interlock_findings_pending", "gauge", "Findings that wait to be published."),
    Metric("interlock_actions_pending", "gauge", "Actions that wait to be carried out."),
    Metric(
        "interlock_targets_stopped",
        "gauge",
        "Targets that are stopped on the control topic, by any issuer.",
        ("kind", "state"),
    ),
    Metric("interlock_store_bytes", "gauge", "Size of the store's files."),
    Metric("interlock_store_free_bytes", "gauge", "Free space on the store's disk."),
    Metric(
        "interlock_lag_records",
        "gauge",
        "Records that have not been read yet (bytes for files).",
        ("topic", "partition"),
    ),
    Metric(
        "interlock_oldest_event_age_seconds",
        "gauge",
        "Age of the oldest event that has not been judged yet.",
        ("topic", "partition"),
    ),
    Metric(
        "interlock_streams_unlisted",
        "gauge",
        "1 if there are more streams than can have their own series.",
    ),
    Metric(
        "interlock_batch_seconds",
        "histogram",
        "Time from the first record of a batch to its commit.",
        buckets=_FAST_S,
    ),
    Metric(
        "interlock_commit_seconds",
        "histogram",
        "Duration of a batch's commit.",
        buckets=_FAST_S,
    ),
    Metric(
        "interlock_event_to_finding_seconds",
        "histogram",
        "Time from an event's effective time to its finding.",
        buckets=_DELAYS_S,
    ),
)
