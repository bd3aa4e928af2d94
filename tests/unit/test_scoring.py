"""A detector in the engine: one finding a session, the same after a restart, no verdict lost."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest

from detectors.contract import Score
from invariants.codec.state import StateError
from invariants.model.event import Event
from monitor.detection.scoring import Scoring
from monitor.findings.model import Finding
from monitor.ingest.provenance import Provenance
from monitor.kernel.evaluate import evaluate
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.presentation import page
from tests.support.detection import hijacked, ordinary, small_detector
from tests.unit.test_engine import Shelf, make, program

SETTINGS = KernelSettings(trust_ts=True)
TRUSTED = Provenance(True, {})


def scored_engine(shelf: Shelf | None = None, detector: Any = None) -> Kernel:
    scoring = Scoring(detector or small_detector(), "info")
    return Kernel(program(), SETTINGS, (shelf or Shelf()).load, scoring)


def take(engine: Kernel, events: list[Event]) -> list[Finding]:
    return [f for event in events for f in evaluate(engine, TRUSTED, event, "").findings]


def mixed(seed: int) -> list[Event]:
    """Several sessions whose events come by turns; two of them hijacked."""
    random = Random(seed)
    waiting = [ordinary(f"o{n}", random) for n in range(6)] + [hijacked("h1"), hijacked("h2")]
    events = []
    while waiting:
        session = random.choice(waiting)
        events.append(session.pop(0))
        waiting = [session for session in waiting if session]
    return events


def test_an_alarm_is_a_finding_that_advises() -> None:
    """Type, severity as configured, nobody stopped, the model, the features in words."""
    (finding,) = [f for f in take(scored_engine(), hijacked("h")) if f.type == "anomaly"]
    assert (finding.severity, finding.mode, finding.respond) == ("info", "observe", ["alert"])
    assert finding.anomaly is not None
    assert finding.anomaly.model == small_detector().digest
    assert finding.anomaly.score > finding.anomaly.threshold
    assert "usually" in finding.detail
    assert finding.anchor.id == finding.witness[0].id
    text = "\n".join(page(finding, []))
    assert all(feature.name in text for feature in finding.anomaly.features)
    again = msgspec.json.decode(msgspec.json.encode(finding), type=Finding)
    assert again == finding


def test_no_value_of_an_event_is_told() -> None:
    """A finding names features; of what the agent sent there is nothing in it."""
    finding = next(f for f in take(scored_engine(), hijacked("h")) if f.type == "anomaly")
    told = msgspec.json.encode(finding)
    assert b"xk4471" not in told and b"send_money" not in told and b"transfer" not in told


@pytest.mark.parametrize("seed", range(6))
def test_a_restart_anywhere_changes_no_anomaly(seed: int) -> None:
    """The detector's state stands in the checkpoint: an engine given it back finds the same."""
    events, random, shelf = mixed(seed), Random(seed), Shelf()
    expected = take(scored_engine(), events)
    engine = scored_engine(shelf)
    found: list[Finding] = []
    for event in events:
        found += take(engine, [event])
        if random.random() < 0.3:
            shelf.keep(engine.take_changes()[0])
            engine = scored_engine(shelf)
    assert found == expected
    assert sum(f.type == "anomaly" for f in found) >= 2


@pytest.mark.parametrize("seed", range(3))
def test_a_batch_that_is_read_again_changes_nothing(seed: int) -> None:
    """A crash before the commit: the batch comes again, with the same ids."""
    events = mixed(seed)
    shelf, first = Shelf(), scored_engine()
    expected = take(first, events)
    engine = scored_engine(shelf)
    found = take(engine, events[:20])
    shelf.keep(engine.take_changes()[0])
    take(engine, events[20:35])  # Never stored.
    found += take(scored_engine(shelf), events[20:])
    assert found == expected


def test_repeated_events_are_scored_once() -> None:
    """A duplicate is no second call."""
    events = mixed(0)
    twice = [e for event in events for e in (event, event)]
    assert take(scored_engine(), twice) == take(scored_engine(), events)


def test_eviction_changes_nothing() -> None:
    """A scope that left memory comes back with its detector's state."""
    events, shelf = mixed(1), Shelf()
    settings = KernelSettings(trust_ts=True, scopes_in_memory_max=1)
    engine = Kernel(program(), settings, shelf.load, Scoring(small_detector(), "info"))
    found: list[Finding] = []
    for event in events:
        found += take(engine, [event])
        shelf.keep(engine.take_changes()[0])
    assert found == take(scored_engine(), events)


def test_a_session_from_before_the_model_is_not_scored() -> None:
    """Running when the model came: its beginning is not known, so nothing is said of it."""
    events, shelf = hijacked("h"), Shelf()
    plain = Kernel(program(), SETTINGS, shelf.load)
    take(plain, events[:2])
    shelf.keep(plain.take_changes()[0])
    assert not [f for f in take(scored_engine(shelf), events[2:]) if f.type == "anomaly"]


def test_a_damaged_state_stops_the_monitor() -> None:
    """Going on would be a clean slate for that session."""
    events, shelf = hijacked("h"), Shelf()
    engine = scored_engine(shelf)
    take(engine, events[:3])
    shelf.keep(engine.take_changes()[0])
    shelf.states["h"][small_detector().digest] = b"\x01torn"
    with pytest.raises(StateError):
        take(scored_engine(shelf), events[3:])


class BrokenDetector:
    """A detector with a fault of ours in it."""

    digest = "m-broken"

    def initial(self, *, is_whole: bool) -> int:
        return 0

    def step(self, state: int, event: Event) -> tuple[int, Score | None]:
        raise ZeroDivisionError

    def encode(self, state: int) -> bytes:
        return b""

    def decode(self, data: bytes) -> int:
        return 0


def test_a_fault_of_the_detector_takes_no_verdict_with_it() -> None:
    """Violations are told all the same, and that the event was not scored as well."""
    events = [
        make("s", 0, 0, "tool.completed", "vault"),
        make("s", 1, 1, "tool.requested", "post"),
    ]
    types = [f.type for f in take(scored_engine(detector=BrokenDetector()), events)]
    assert types == ["unevaluable", "violated", "unevaluable"]


def test_without_a_detector_nothing_is_scored() -> None:
    """The engine asks nobody."""
    engine = Kernel(program(), SETTINGS)
    assert not [f for f in take(engine, hijacked("h")) if f.type == "anomaly"]
    taken = engine.take(hijacked("other")[0]).taken
    assert taken is not None
    assert engine.score(taken) == []
