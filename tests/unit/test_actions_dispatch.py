"""Stored actions reach their drivers once, in order of urgency, and are marked."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.control_record import ControlView
from monitor.actions.alert import LogAlertDriver
from monitor.actions.contract import ActionDriver, Order, Outcome
from monitor.actions.control import ControlDriver, ControlIssuer
from monitor.actions.dispatch import Dispatcher
from monitor.findings.model import Finding
from monitor.log import configure_log
from monitor.response.breaker import Breaker
from monitor.response.plan import ResponsePolicy, plan
from monitor.store.records import Change
from monitor.store.store import Store
from tests.support.rim import HandClock, MemoryPublisher, make_finding

POLICY = ResponsePolicy(has_webhook=True)


class SlowDriver:
    """Starts what it is given, and finishes when it is told to."""

    def __init__(self, answer: str = "started") -> None:
        self.answer = answer
        self.orders: list[Order] = []
        self.over: list[tuple[str, Outcome]] = []

    def carry_out(self, order: Order) -> Outcome:
        self.orders.append(order)
        return Outcome(self.answer, "later", 5)  # type: ignore[arg-type]

    def finished(self) -> list[tuple[str, Outcome]]:
        over, self.over = self.over, []
        return over

    def close(self) -> None:
        pass


class Rig:
    """A store, a dispatcher and its drivers; `log` holds the lines that were written."""

    def __init__(self, path: Path) -> None:
        self.clock = HandClock()
        self.store = Store(path, clock=self.clock)
        self.publisher = MemoryPublisher()
        self.webhook = SlowDriver()
        self.drivers: dict[str, ActionDriver] = {
            "log": LogAlertDriver(),
            "webhook": self.webhook,
            "control": ControlDriver(
                self.publisher, ControlView(), ControlIssuer("m", 1), self.clock
            ),
        }
        self.dispatcher = Dispatcher(self.store, self.drivers, self.clock)
        self.log = io.StringIO()
        self.handler = configure_log("info", "json", stream=self.log)

    def give(self, *findings: Finding, policy: ResponsePolicy = POLICY) -> None:
        breaker, now_ns = Breaker(policy), self.clock.now_ns()
        actions = [a for f in findings for a in breaker.admit(f, plan(f, policy), now_ns)]
        self.store.commit(Change(findings=findings, actions=actions))

    def states(self, finding: str) -> dict[str, str]:
        return {a.action.target: a.state for a in self.store.actions_of(finding)}

    def lines(self, event: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "s")
    yield made
    made.store.close()
    logging.getLogger().removeHandler(made.handler)


def test_everything_planned_is_carried_out_once(rig: Rig) -> None:
    """Stops first, then alerts; a second look finds nothing to do."""
    rig.give(make_finding("f-1", respond=["alert"]), make_finding("f-2", respond=["kill"]))
    done = rig.dispatcher.run_due()
    assert [(d.kind, d.outcome) for d in done] == [
        ("kill", "done"),
        ("kill", "done"),
        ("alert", "done"),
        ("alert", "started"),
    ]
    assert [key for key, _ in rig.publisher.decoded()] == [
        "session-of:team-a/s-1",
        "principal:team-a",
    ]
    assert rig.dispatcher.run_due() == ()
    assert rig.states("f-2") == {"session-of:team-a/s-1": "done", "principal:team-a": "done"}


def test_what_was_started_is_marked_when_it_is_over(rig: Rig) -> None:
    """Until then it counts as planned, so that a crash repeats it."""
    rig.give(make_finding(respond=["alert"]))
    rig.dispatcher.run_due()
    assert rig.states("f-1") == {"log": "done", "webhook": "planned"}
    rig.webhook.over.append((rig.webhook.orders[0].action.id, Outcome("done")))
    assert [d.outcome for d in rig.dispatcher.run_due()] == ["done"]
    assert rig.states("f-1") == {"log": "done", "webhook": "done"}
    assert len(rig.webhook.orders) == 1


def test_a_new_start_repeats_what_was_not_marked(rig: Rig) -> None:
    """Under the same id, so that the receiver can tell."""
    rig.give(make_finding(respond=["alert"]))
    rig.dispatcher.run_due()
    Dispatcher(rig.store, rig.drivers, rig.clock).run_due()
    assert len(rig.webhook.orders) == 2
    assert rig.webhook.orders[0].action == rig.webhook.orders[1].action


def test_what_is_busy_is_put_off_without_counting(rig: Rig) -> None:
    """Only real attempts use up the attempts."""
    rig.webhook.answer = "busy"
    rig.give(make_finding(respond=["alert"]))
    rig.dispatcher.run_due()
    assert rig.dispatcher.run_due() == ()
    rig.clock.move(1)
    rig.dispatcher.run_due()
    assert [order.attempts for order in rig.webhook.orders] == [0, 0]


def test_a_stop_that_failed_is_tried_again_and_told(rig: Rig) -> None:
    """It waits its time, and every attempt is an error in the log."""
    rig.publisher.fails = True
    rig.give(make_finding(principal="", respond=["kill"]))
    assert [d.outcome for d in rig.dispatcher.run_due()] == ["retry"]
    assert rig.dispatcher.run_due() == ()
    rig.publisher.fails = False
    rig.clock.move(2)
    assert [d.outcome for d in rig.dispatcher.run_due()] == ["done"]
    assert [line["level"] for line in rig.lines("action retry")] == ["error"]
    assert rig.lines("action done")[0]["attempts"] == 2


def test_a_flood_of_violations_is_stopped_once(rig: Rig) -> None:
    """However many findings ask for the same stop, one record goes out and all are marked."""
    rig.give(*(make_finding(f"f-{n}", principal="", respond=["kill"]) for n in range(50)))
    done = rig.dispatcher.run_due()
    assert [d.outcome for d in done] == ["done"] + ["superseded"] * 49
    assert len(rig.publisher.records) == 1
    assert rig.dispatcher.run_due() == ()
    assert len(rig.lines("action done")) == 1


def test_an_action_without_a_driver_fails_and_says_so(rig: Rig) -> None:
    """A webhook that was taken out of the settings does not wait for ever."""
    rig.give(make_finding(respond=["alert"]))
    del rig.drivers["webhook"]
    rig.dispatcher.run_due()
    assert rig.states("f-1")["webhook"] == "failed"
    assert "no driver" in str(rig.lines("action failed")[0]["detail"])


def test_would_and_held_are_never_carried_out(rig: Rig) -> None:
    """They are records: nothing is published, and both are shown with the finding."""
    rig.give(make_finding("f-o", mode="observe"))
    rig.give(make_finding("f-h"), policy=ResponsePolicy(enforcing_max=0))
    rig.dispatcher.run_due()
    assert rig.publisher.records == []
    assert rig.states("f-o")["session-of:team-a/s-1"] == "would"
    assert rig.states("f-h") == {
        "session-of:team-a/s-1": "held",
        "principal:team-a": "held",
        "log": "done",
    }


def test_a_held_stop_is_told_at_the_top_of_the_voice(rig: Rig) -> None:
    """The log line is critical and names the setting, whatever the finding's severity."""
    finding = make_finding(severity="info", respond=["quarantine"])
    rig.give(finding, policy=ResponsePolicy(enforcing_max=0))
    rig.dispatcher.run_due()
    line = rig.lines("finding")[0]
    assert line["level"] == "critical"
    assert "enforcing_per_hour_max" in str(line["reason"])


def test_an_alert_line_holds_no_bound_value(rig: Rig) -> None:
    """What the invariant bound may be a secret of somebody: it stays in the finding."""
    rig.give(make_finding(binding={"to": "DE89-3704"}, respond=["alert"]))
    rig.dispatcher.run_due()
    assert rig.lines("finding")[0]["finding"] == "f-1"
    assert "DE89" not in rig.log.getvalue()


def test_waiting_webhooks_do_not_hold_up_the_log(rig: Rig) -> None:
    """However many deliveries are under way, the next alerts are still written."""
    for number in range(30):
        rig.give(make_finding(f"f-{number}", respond=["alert"]))
        rig.dispatcher.run_due(limit=3)
    assert len(rig.lines("finding")) == 30
