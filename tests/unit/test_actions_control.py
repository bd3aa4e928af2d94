"""Quarantine and kill write control records that readers obey, and never weaken one."""

from __future__ import annotations

import msgspec
import pytest

from interlock.control_record import ControlRecord, ControlView
from monitor.actions.backoff import LONGEST_NS, backoff_ns
from monitor.actions.contract import Order
from monitor.actions.control import ControlDriver, ControlIssuer, write_heartbeat
from monitor.ingest.watermark import JudgedUpTo
from monitor.response.plan import ResponsePolicy, plan
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
        given = order("kill")
        outcome = rig.driver.carry_out(Order(given.action, given.finding, attempts))
        assert outcome.kind == "retry"
        assert 0 < outcome.retry_after_ns <= 15 * SECOND_NS
        rig.clock.move(2)
    assert rig.view.standing(["session:s-1"], START_NS)[0] == "active"


def test_many_stops_do_not_wait_one_after_the_other() -> None:
    """After a publish that failed, the next ones are put off without trying, for a moment."""
    rig = Rig()
    rig.publisher.fails = True
    rig.driver.carry_out(order("kill"))
    rig.publisher.fails = False
    outcome = rig.driver.carry_out(order("quarantine"))
    assert outcome.kind == "busy"
    rig.clock.elapsed_ns += outcome.retry_after_ns
    assert rig.driver.carry_out(order("quarantine")).kind == "done"


@pytest.mark.parametrize("kind", ["quarantine", "kill"])
def test_who_is_stopped_is_not_stopped_again(kind: str) -> None:
    """A flood of violations by one agent makes one record, not one for each."""
    rig = Rig(ttl_ns=HOUR_NS)
    outcomes = [rig.driver.carry_out(order(kind)).kind for _ in range(5)]
    assert outcomes == ["done"] + ["superseded"] * 4
    assert len(rig.publisher.records) == 1


def test_a_quarantined_session_can_still_be_killed() -> None:
    """What is stronger is always written."""
    rig = Rig()
    rig.driver.carry_out(order("quarantine"))
    assert rig.driver.carry_out(order("kill")).kind == "done"
    assert rig.view.standing(["session:s-1"], START_NS)[0] == "killed"


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
    ("standing", "ttl_ns", "expected"),
    [
        (None, HOUR_NS, ("done", START_NS + HOUR_NS)),
        ({"state": "active"}, HOUR_NS, ("done", START_NS + HOUR_NS)),
        ({"state": "quarantined"}, HOUR_NS, ("superseded", None)),
        (
            {"state": "quarantined", "expires_at": START_NS + 9 * HOUR_NS},
            HOUR_NS,
            ("superseded", None),
        ),
        (
            {"state": "quarantined", "expires_at": START_NS + 5},
            HOUR_NS,
            ("done", START_NS + HOUR_NS),
        ),
        ({"state": "quarantined", "expires_at": START_NS + 9 * HOUR_NS}, None, ("done", None)),
    ],
    ids=["none", "released", "for ever", "longer", "soon over", "now for ever"],
)
def test_a_quarantine_never_shortens_one(
    standing: dict[str, object] | None, ttl_ns: int | None, expected: tuple[str, int | None]
) -> None:
    """It is written where it lasts longer than what stands, and else left as it is."""
    rig = Rig(ttl_ns)
    if standing:
        rig.stands(**standing)
    outcome = rig.driver.carry_out(order("quarantine"))
    written = [record.get("expires_at") for _, record in rig.publisher.decoded()]
    assert (outcome.kind, written) == (expected[0], [expected[1]] if outcome.kind == "done" else [])


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


def test_the_heartbeat_tells_up_to_when_everything_was_judged() -> None:
    """Readers learn how old their view is; no key's state is touched."""
    rig = Rig()
    write_heartbeat(rig.publisher, ISSUER, JudgedUpTo(START_NS, None, {}))
    _, key, value = rig.publisher.records[0]
    rig.view.apply(key, value)
    assert rig.view.watermarks.of(None).judged_ns == START_NS
    assert rig.view.records() == {}


def test_waits_grow_are_bounded_and_the_same_each_time() -> None:
    """Twice as long each time up to the longest, spread by at most a quarter, never drawn."""
    waits = [backoff_ns("a-1", attempts) for attempts in range(100)]
    assert waits == [backoff_ns("a-1", attempts) for attempts in range(100)]
    for attempts, wait_ns in enumerate(waits):
        full_ns = min(SECOND_NS << attempts, LONGEST_NS)
        assert full_ns * 3 // 4 <= wait_ns <= full_ns
    assert backoff_ns("a-2", 5) != backoff_ns("a-3", 5)
