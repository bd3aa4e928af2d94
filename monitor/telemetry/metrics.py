"""The monitor's metrics for Prometheus.

Input: one `BatchCounts` per batch (the hot path adds plain ints), and a few values between batches.
Output: the series of a registry (`metrics_registry.py`), and the text of `/metrics`. Every labelled
child exists from the start: a counter that first appears with 1 never shows an increase, so the
first violation would not raise an alert. Session, call and other ids are never labels, because
agents choose them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

from interlock.control_record import TARGET_KINDS, ControlState

from ..actions.contract import OUTCOMES
from ..findings.model import EngineFindingType, Severity
from ..response.plan import URGENCY
from ..transport.base import NoticeKind, Stream

if TYPE_CHECKING:
    # Its library takes long to import, and a monitor without pages does not need it.
    from .metrics_registry import Registry

OTHER: Final = "other"
KIND_CLASSES: Final = (
    "session",
    "heartbeat",
    "message",
    "tool",
    "approval",
    "file",
    "network",
    "process",
    "control",
    OTHER,
)
"""The part of an event's kind before its dot; agents may invent kinds, these are all labels."""

STOPPED: Final = tuple(
    (kind, state) for kind in TARGET_KINDS for state in get_args(ControlState) if state != "active"
)
"""Kinds of targets with the states that stop them: labels of `interlock_targets_stopped`."""

STREAMS_MAX: Final = 500
"""Streams with series of their own: in a log directory, every writer's file is one."""


class WatchedInvariant(msgspec.Struct, frozen=True):
    """The properties of an invariant that metrics need."""

    id: str
    severity: Severity
    mode: Literal["observe", "enforce"] = "observe"


class BatchCounts(msgspec.Struct, frozen=True):
    """The counts of one batch; keys are the labels of the metrics, in the order of the table."""

    ended_s: float
    batch_s: float
    commit_s: float = 0.0
    events: Mapping[str, int] = {}
    """By kind; the class is found here."""
    rejected: Mapping[str, int] = {}
    duplicates_count: int = 0
    dead_letters_count: int = 0
    judged: Mapping[str, int] = {}
    unknown: Mapping[str, int] = {}
    findings: Mapping[tuple[str, str, str], int] = {}
    """By (invariant or empty, severity, type)."""
    finding_delays_s: Iterable[float] = ()
    """From the event's effective time to its finding, for each new finding."""
    capacity: Mapping[str, int] = {}


class Metrics:
    """The monitor's metrics, kept in its registry; without one nobody reads them.

    `reasons` are those for which a record may be rejected; one that is not among them counts as
    `other`. Methods are called by one thread; `render` may be called by another.
    """

    def __init__(
        self,
        registry: Registry | None,
        invariants: Iterable[WatchedInvariant],
        *,
        severities: Mapping[str, Severity],
        reasons: Iterable[str],
        bounds: Iterable[str],
        version: str,
        program_digest: str,
    ) -> None:
        self._registry = registry
        self._streams: set[Stream] = set()
        self._reasons = frozenset(reasons)
        self._bounds = frozenset(bounds)
        watched = tuple(invariants)
        self._invariants = frozenset(invariant.id for invariant in watched)
        self._bear(watched, severities)
        self._set("interlock_build_info", 1, version, program_digest)

    def flush(self, counts: BatchCounts) -> None:
        """Take in one batch. Cost: about 1 us for each series that it touched."""
        for kind, count in counts.events.items():
            self._add("interlock_events_read_total", count, _kind_class(kind))
        for reason, count in counts.rejected.items():
            label = reason if reason in self._reasons else OTHER
            self._add("interlock_records_rejected_total", count, label)
        for bound, count in counts.capacity.items():
            label = bound if bound in self._bounds else OTHER
            self._add("interlock_capacity_reached_total", count, label)
        self._add("interlock_duplicates_total", counts.duplicates_count)
        self._add("interlock_dead_letters_total", counts.dead_letters_count)
        for invariant, count in counts.judged.items():
            self._add("interlock_judgements_total", count, self._watched(invariant))
        for invariant, count in counts.unknown.items():
            self._add("interlock_unknowns_total", count, self._watched(invariant))
        for (invariant, severity, type_), count in counts.findings.items():
            labels = (self._watched(invariant) if invariant else "", severity, type_)
            self._add("interlock_findings_total", count, *labels)
        self._observe("interlock_batch_seconds", counts.batch_s)
        self._observe("interlock_commit_seconds", counts.commit_s)
        for delay_s in counts.finding_delays_s:
            self._observe("interlock_event_to_finding_seconds", max(delay_s, 0.0))
        self._set("interlock_last_batch_timestamp_seconds", counts.ended_s)

    def count_action(self, kind: str, outcome: str, mode: str) -> None:
        """One attempt, or one action that was recorded as `would` or `held`."""
        self._add("interlock_actions_total", 1, kind, outcome, mode)

    def count_notice(self, kind: NoticeKind) -> None:
        """A source's notice that evidence may be missing."""
        self._add("interlock_source_notices_total", 1, kind)

    def count_publish_failure(self) -> None:
        """Findings could not be published; they wait in the store."""
        self._add("interlock_publish_failures_total", 1)

    def set_stream(self, stream: Stream, lag_records: int, oldest_age_s: float | None) -> None:
        """How far behind a stream is. Past `STREAMS_MAX`, further ones have no series."""
        if stream not in self._streams:
            if len(self._streams) >= STREAMS_MAX:
                self._set("interlock_streams_unlisted", 1)
                return
            self._streams.add(stream)
        labels = (stream.topic, stream.partition)
        age_s = max(oldest_age_s or 0.0, 0.0)
        self._set("interlock_lag_records", lag_records, *labels)
        self._set("interlock_oldest_event_age_seconds", age_s, *labels)

    def forget_stream(self, stream: Stream) -> None:
        """The stream is another monitor's now: a series left behind would look like a stall."""
        if stream in self._streams:
            self._streams.discard(stream)
            if self._registry is not None:
                for gauge in ("interlock_lag_records", "interlock_oldest_event_age_seconds"):
                    self._registry.remove(gauge, stream.topic, stream.partition)

    def set_backlog(
        self, *, scopes_count: int, findings_pending_count: int, actions_pending_count: int
    ) -> None:
        """The number of scopes, and of waiting findings and actions (`Store.backlog`)."""
        self._set("interlock_scopes", scopes_count)
        self._set("interlock_findings_pending", findings_pending_count)
        self._set("interlock_actions_pending", actions_pending_count)

    def set_detector(self, model: str, calibration: Literal["calibrated", "uncalibrated"]) -> None:
        """Which model scores sessions, by its digest."""
        self._set("interlock_detector_info", 1, model, calibration)

    def set_ages(self, *, turn_s: float, heartbeat_s: float) -> None:
        """Asked for when metrics are read, so that they grow while the loop hangs."""
        self._set("interlock_turn_age_seconds", turn_s)
        self._set("interlock_heartbeat_age_seconds", heartbeat_s)

    def set_stopped(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Stopped targets by kind and state; unnamed ones are 0."""
        for labels in STOPPED:
            self._set("interlock_targets_stopped", counts.get(labels, 0), *labels)

    def set_store_space(self, *, used_bytes: int, free_bytes: int) -> None:
        """The size of the store, and the free space on its disk."""
        self._set("interlock_store_bytes", used_bytes)
        self._set("interlock_store_free_bytes", free_bytes)

    def set_ready(self, is_ready: bool) -> None:
        self._set("interlock_ready", int(is_ready))

    def render(self) -> bytes:
        """The text that Prometheus reads; empty without a registry."""
        return b"" if self._registry is None else self._registry.render()

    def _bear(
        self, invariants: tuple[WatchedInvariant, ...], severities: Mapping[str, Severity]
    ) -> None:
        """Every child that can be known in advance, at 0."""
        if self._registry is None:
            return
        label_sets: dict[str, Iterable[tuple[str, ...]]] = {
            "interlock_events_read_total": ((name,) for name in KIND_CLASSES),
            "interlock_records_rejected_total": ((r,) for r in (*sorted(self._reasons), OTHER)),
            "interlock_capacity_reached_total": ((b,) for b in (*sorted(self._bounds), OTHER)),
            "interlock_source_notices_total": ((name,) for name in get_args(NoticeKind)),
            "interlock_judgements_total": ((i.id,) for i in invariants),
            "interlock_unknowns_total": ((i.id,) for i in invariants),
            "interlock_findings_total": (
                *((i.id, i.severity, t) for i in invariants for t in ("violated", "inconclusive")),
                *(("", severities[t], t) for t in get_args(EngineFindingType)),
            ),
            "interlock_actions_total": (
                (kind, outcome, mode)
                for kind in URGENCY
                for outcome in OUTCOMES
                for mode in ("observe", "enforce")
            ),
        }
        for name, sets in label_sets.items():
            for labels in sets:
                self._registry.begin(name, *labels)
        for invariant in invariants:
            labels = (invariant.id, invariant.severity, invariant.mode)
            self._registry.set("interlock_invariant_info", 1, *labels)

    def _watched(self, invariant: str) -> str:
        """Ids come from invariant files alone; another one would be a bug, not a label."""
        assert invariant in self._invariants
        return invariant

    def _add(self, name: str, count: int, *labels: str) -> None:
        if self._registry is not None:
            self._registry.add(name, count, *labels)

    def _set(self, name: str, value: float, *labels: str) -> None:
        if self._registry is not None:
            self._registry.set(name, value, *labels)

    def _observe(self, name: str, value: float) -> None:
        if self._registry is not None:
            self._registry.observe(name, value)


def _kind_class(kind: str) -> str:
    head = kind.split(".", 1)[0]
    return head if head in KIND_CLASSES else OTHER
