"""Which findings end a batch: a stop that is new and admitted, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from interlock.control_record import ControlRecord, ControlView
from monitor.actions.control import StandingStops
from monitor.response.plan import ResponsePolicy
from monitor.service.responder import Planned, Responder
from monitor.store.records import Change
from monitor.store.store import Store
from tests.support.rim import START_NS, HandClock, make_finding

POLICY = ResponsePolicy(enforcing_max=3)


class Rig:
    def __init__(self, store: Store) -> None:
        self.clock, self.view, self.coming = HandClock(), ControlView(), list[bytes]()
        self.store = store
        self.refreshes_count = 0
        self.responder = self.restarted()

    def restarted(self) -> Responder:
        standing = StandingStops(self.view, self.follow, self.clock)
        return Responder(self.store, self.clock, POLICY, standing)

    def follow(self) -> None:
        self.refreshes_count += 1
        for value in self.coming:
            self.view.apply("session:s-1", value)
        self.coming.clear()

    def says(self, state: str) -> None:
        """What comes on the control topic about `session:s-1`."""
        record = ControlRecord(state=state, issued_at=START_NS)  # type: ignore[arg-type]
        self.coming.append(msgspec.json.encode(record))

    def batch(self, *ids: str, session: str = "s-1") -> Planned:
        """A batch with these findings, stored as the loop would."""
        self.responder.begin()
        findings = [make_finding(id_, session=session, principal="") for id_ in ids]
        planned = self.responder.plan(findings)
        self.store.commit(Change(findings=findings, actions=planned.actions))
        return planned

    def stop_states(self, planned: Planned) -> list[str]:
        return [action.state for action in planned.actions if action.is_enforcing]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    store = Store(tmp_path / "s", clock=HandClock())
    yield Rig(store)
    store.close()


def test_a_new_stop_is_urgent_and_its_repeat_is_not(rig: Rig) -> None:
    """While the stop waits to be carried out, further violations end no batch."""
    assert rig.batch("f-1").is_urgent
    assert not rig.batch("f-2", "f-3").is_urgent
    rig.responder = rig.restarted()
    assert not rig.batch("f-4").is_urgent


def test_what_stands_on_the_topic_is_stored_as_superseded(rig: Rig) -> None:
    """A stopped session's violations are stored and alerted, and nothing is carried out."""
    rig.says("quarantined")
    planned = rig.batch("f-1")
    assert not planned.is_urgent
    assert rig.stop_states(planned) == ["done"]
    assert [a.kind for a in planned.actions] == ["quarantine", "alert"]
    assert rig.store.stops_waiting() == []
    assert next(a.outcome for a in rig.store.actions_of("f-1")).startswith("superseded: ")


def test_a_release_makes_the_next_stop_a_new_one(rig: Rig) -> None:
    """Whoever was released and violates again is stopped again, at once."""
    rig.says("quarantined")
    rig.batch("f-1")
    rig.says("active")
    planned = rig.batch("f-2")
    assert planned.is_urgent and rig.stop_states(planned) == ["planned"]


def test_a_kill_of_a_quarantined_session_is_new(rig: Rig) -> None:
    """It is harder than what stands."""
    rig.says("quarantined")
    rig.responder.begin()
    planned = rig.responder.plan([make_finding(respond=["kill"], principal="")])
    assert planned.is_urgent and rig.stop_states(planned) == ["planned"]


def test_what_the_breaker_holds_ends_no_batch(rig: Rig) -> None:
    """Nobody is stopped by it, however often it comes."""
    for number in range(POLICY.enforcing_max):
        assert rig.batch(f"f-{number}", session=f"o-{number}").is_urgent
    planned = rig.batch("f-9")
    assert not planned.is_urgent and rig.stop_states(planned) == ["held"]
    rig.responder = rig.restarted()
    assert rig.stop_states(rig.batch("f-10")) == ["held"]


def test_a_finding_that_was_stored_plans_nothing(rig: Rig) -> None:
    """What is read again after a crash asks for nothing anew."""
    rig.batch("f-1")
    assert rig.batch("f-1") == Planned((), False)


def test_the_topic_is_read_once_a_batch_and_only_for_stops(rig: Rig) -> None:
    """A batch of many stops costs one look."""
    rig.responder.begin()
    rig.responder.plan([make_finding("f-0", type="inconclusive")])
    assert rig.refreshes_count == 0
    rig.batch(*(f"f-{number}" for number in range(1, 9)))
    assert rig.refreshes_count == 1
