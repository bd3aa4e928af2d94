"""What the monitor tells of itself while nothing comes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from interlock.control_record import ControlRecord, ControlState, ControlView
from invariants.image.compile import compile_program
from monitor.config.table import Settings
from monitor.kernel.build_finding import DEFAULT_SEVERITIES
from monitor.service.batch_metrics import Teller
from monitor.service.maintenance import STOPPED_EVERY_NS, Upkeep, stopped
from monitor.store.records import Change
from monitor.store.store import STORE_FILE, Store
from monitor.telemetry.metrics import Metrics
from monitor.telemetry.metrics_registry import Registry
from monitor.transport.base import Frontier, Stream
from tests.support.rim import SECOND_NS, START_NS, HandClock, make_finding
from tests.unit.test_metrics import samples

PARTITION = Stream("agent.events", "0")


class Rig:
    """Upkeep over a real store, with frontiers and a view that the test chooses."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.store = Store(folder / STORE_FILE, clock=self.clock)
        self.view = ControlView()
        self.frontiers: dict[Stream, Frontier] = {}
        self.metrics = Metrics(
            Registry(),
            [],
            severities=DEFAULT_SEVERITIES,
            reasons=[],
            bounds=[],
            version="1",
            program_digest="p",
        )
        program = compile_program([])
        teller = Teller(program, self.metrics, self.store, self.clock, warns_of_dormant=False)
        settings = Settings(state_dir=str(folder))
        self.upkeep = Upkeep(
            settings,
            self.store,
            self.clock,
            teller,
            self.metrics,
            view=self.view,
        )

    def told(self) -> dict[tuple[str, tuple[str, ...]], float]:
        self.upkeep(self.frontiers)
        return samples(self.metrics)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def record(state: ControlState, expires_at: int | None = None, epoch: int = 1) -> bytes:
    made = ControlRecord(
        state=state, issued_at=START_NS, expires_at=expires_at, issuer="monitor-1", epoch=epoch
    )
    return msgspec.json.encode(made)


def test_what_was_published_waits_no_longer(rig: Rig) -> None:
    """Findings that went out while no batch came are not told as waiting."""
    rig.store.commit(Change(findings=(make_finding(),)))
    assert rig.told()["interlock_findings_pending", ()] == 1
    rig.store.mark_published(["f-1"])
    assert rig.told()["interlock_findings_pending", ()] == 0


def test_lag_is_told_without_batches(rig: Rig) -> None:
    """A stream that nothing is read from any more grows older, and one taken away has no series."""
    rig.frontiers = {PARTITION: Frontier(5, is_at_end=False, read_to_ns=START_NS, lag_records=7)}
    rig.clock.move(90)
    found = rig.told()
    assert found["interlock_oldest_event_age_seconds", ("agent.events", "0")] == 90
    assert found["interlock_lag_records", ("agent.events", "0")] == 7
    rig.frontiers = {}
    assert ("interlock_lag_records", ("agent.events", "0")) not in rig.told()


def test_the_store_and_its_disk_are_measured(rig: Rig) -> None:
    """Before the disk is full, which ends the monitor."""
    found = rig.told()
    assert found["interlock_store_bytes", ()] > 0
    assert found["interlock_store_free_bytes", ()] > 0


def test_a_disk_that_cannot_be_looked_at_stops_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last values stay."""
    before = rig.told()["interlock_store_free_bytes", ()]

    def refuse(path: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr("os.statvfs", refuse)
    assert rig.told()["interlock_store_free_bytes", ()] == before


def test_who_is_stopped_is_counted_whoever_did_it(rig: Rig) -> None:
    """By kind and state; a release and an end by time take away, a kill has no end."""
    rig.view.apply("session:a", record("killed", expires_at=START_NS + SECOND_NS))
    rig.view.apply("session:b", record("quarantined", expires_at=START_NS + SECOND_NS))
    rig.view.apply("global", record("quarantined"))
    rig.view.apply("tool:t", record("active"))
    found = rig.told()
    assert found["interlock_targets_stopped", ("session", "killed")] == 1
    assert found["interlock_targets_stopped", ("session", "quarantined")] == 1
    assert found["interlock_targets_stopped", ("global", "quarantined")] == 1
    assert found["interlock_targets_stopped", ("tool", "quarantined")] == 0
    rig.view.apply("global", record("active", epoch=2))
    rig.clock.move(STOPPED_EVERY_NS / SECOND_NS)
    found = rig.told()
    assert found["interlock_targets_stopped", ("session", "killed")] == 1
    assert found["interlock_targets_stopped", ("session", "quarantined")] == 0
    assert found["interlock_targets_stopped", ("global", "quarantined")] == 0


def test_the_last_moment_of_a_quarantine() -> None:
    """It is over at its end, as guards read it."""
    view = ControlView()
    view.apply("session:b", record("quarantined", expires_at=START_NS + 5))
    assert stopped(view, START_NS + 4) == {("session", "quarantined"): 1}
    assert stopped(view, START_NS + 5) == {}


def test_old_findings_are_forgotten(rig: Rig) -> None:
    """What was published and is past its time leaves the store."""
    rig.store.commit(Change(findings=(make_finding(),)))
    rig.store.mark_published(["f-1"])
    rig.clock.move(31 * 24 * 3_600)
    rig.upkeep({})
    assert rig.store.finding("f-1") is None
