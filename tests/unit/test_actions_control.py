"""Quarantine and kill write control records that readers obey, and never weaken one."""

from __future__ import annotations

import msgspec
import pytest

from interlock.control_record import ControlRecord, ControlView
from monitor.actions.backoff import LONGEST_NS, backoff_ns
from monitor.actions.contract import Order
from monitor.actions.control import ControlDriver, ControlIssuer, write_heartbeat
from monitor.respond import ResponsePolicy, plan
from monitor.topics import CONTROL
from tests.support.rim import SECOND_NS, START_NS, HandClock, MemoryPublisher, make_finding

ISSUER = ControlIssuer("monitor-1", 7)
HOUR_NS = 3600 * SECOND_NS


def order(kind: str) -> Order:
    finding = make_finding(respond=[kind], principal="")
    return Order(plan(finding, ResponsePolicy())[0], finding)


class Rig:
    """A driver with everything that it touches."""

    def __init__(self, ttl_ns: int | None = None) -> None:
        self.clock = HandClock()
        self.publisher = MemoryPublisher()
        self.view = ControlView()
        self.driver = ControlDriver(self.publisher, self.view, ISSUER, self.clock, ttl_ns)

    def stands(self, **record: object) -> None:
        fields = {"issued_at": START_NS, "issuer": "operator", **record}
        value = msgspec.json.encode(fields)
        assert self.view.apply("session:s-1", value)


@pytest.mark.parametrize(("kind", "state"), [("quarantine", "quarantined"), ("kill", "killed")])
def test_a_record_is_durable_before_the_action_is_done(kind: str, state: str) -> None:
    """The record goes to the control topic under the target's key, flushed, without the reason."""
    rig = Rig()
    given = order(kind)
    assert rig.driver.carry_out(given).kind == "done"
    topic, key, value = rig.publisher.records[0]
    assert (topic, key) == (CONTROL, "session:s-1")
    assert rig.publisher.flushes_count == 1
    assert msgspec.json.decode(value, type=ControlRecord) == ControlRecord(
        state=state,  # type: ignore[arg-type]
        issued_at=START_NS,
        incident=given.action.incident,
        issuer="monitor-1",
        epoch=7,
    )
    assert rig.view.standing(["session:s-1"], START_NS) == (state, "session:s-1")


def test_a_broker_that_is_away_is_tried_again_for_ever() -> None:
    """Whoever must be stopped is never given up, and waits are short."""
    rig = Rig()
    rig.publisher.fails = True
    for attempts in (0, 1, 50, 10_000):
        outcome = rig.driver.carry_out(msgspec_order(order("kill"), attempts))
        assert outcome.kind == "retry"
        assert 0 < outcome.retry_after_ns <= 15 * SECOND_NS
    assert rig.view.standing(["session:s-1"], START_NS)[0] == "active"


def msgspec_order(given: Order, attempts: int) -> Order:
    return Order(given.action, given.finding, attempts)


def test_a_quarantine_does_not_take_back_a_kill() -> None:
    """Per key the later record decides: behind a kill no quarantine is written."""
    rig = Rig()
    rig.driver.carry_out(order("kill"))
    assert rig.driver.carry_out(order("quarantine")).kind == "superseded"
    assert len(rig.publisher.records) == 1


def test_a_released_session_can_be_quarantined_again() -> None:
    """An operator's release is respected as the standing state, not a past kill."""
    rig = Rig()
    rig.driver.carry_out(order("kill"))
    rig.stands(state="active")
    assert rig.driver.carry_out(order("quarantine")).kind == "done"


@pytest.mark.parametrize(
    ("standing", "expected_ns"),
    [
        (None, START_NS + HOUR_NS),
        ({"state": "active"}, START_NS + HOUR_NS),
        ({"state": "quarantined"}, None),
        ({"state": "quarantined", "expires_at": START_NS + 9 * HOUR_NS}, START_NS + 9 * HOUR_NS),
        ({"state": "quarantined", "expires_at": START_NS + 5}, START_NS + HOUR_NS),
    ],
    ids=["none", "released", "for ever", "longer", "shorter"],
)
def test_a_quarantine_never_shortens_one(
    standing: dict[str, object] | None, expected_ns: int | None
) -> None:
    """It lasts its time, or as long as the one that stands, whichever is longer."""
    rig = Rig(ttl_ns=HOUR_NS)
    if standing:
        rig.stands(**standing)
    rig.driver.carry_out(order("quarantine"))
    assert rig.publisher.decoded()[0][1].get("expires_at") == expected_ns


def test_a_kill_has_no_end() -> None:
    """The time that quarantines last does not apply to kills."""
    rig = Rig(ttl_ns=HOUR_NS)
    rig.driver.carry_out(order("kill"))
    assert "expires_at" not in rig.publisher.decoded()[0][1]


def test_a_fenced_monitor_says_so() -> None:
    """Where readers ignore its records, the action is not done, and the reason is told."""
    rig = Rig()
    rig.stands(state="active", issuer="monitor-1", epoch=8)
    outcome = rig.driver.carry_out(order("kill"))
    assert outcome.kind == "retry"
    assert "respond.issuer" in outcome.detail


def test_the_heartbeat_tells_when_it_was_written() -> None:
    """Readers learn how old their view is; no key's state is touched."""
    rig = Rig()
    write_heartbeat(rig.publisher, ISSUER, rig.clock)
    _, key, value = rig.publisher.records[0]
    rig.view.apply(key, value)
    assert rig.view.heartbeat_ns == START_NS
    assert rig.view.records() == {}


def test_waits_grow_are_bounded_and_the_same_each_time() -> None:
    """Twice as long each time up to the longest, spread by at most a quarter, never drawn."""
    waits = [backoff_ns("a-1", attempts) for attempts in range(100)]
    assert waits == [backoff_ns("a-1", attempts) for attempts in range(100)]
    for attempts, wait_ns in enumerate(waits):
        full_ns = min(SECOND_NS << attempts, LONGEST_NS)
        assert full_ns * 3 // 4 <= wait_ns <= full_ns
    assert backoff_ns("a-2", 5) != backoff_ns("a-3", 5)
