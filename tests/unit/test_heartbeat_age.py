"""The age of the last sign of life: what an alert is made of when guards begin to refuse."""

from __future__ import annotations

from pathlib import Path

from monitor.actions.control import ControlIssuer
from monitor.actions.dispatch import Dispatcher
from monitor.ingest.watermark import JudgedUpTo
from monitor.service.outbox import Effects
from monitor.store.store import Store
from tests.support.rim import SECOND_NS, HandClock, MemoryPublisher


def test_a_sign_of_life_that_was_not_written_makes_the_age_grow(tmp_path: Path) -> None:
    """It grows while the control topic takes nothing or the monitor is behind, and falls with the
    first that is written and vouches for now.
    """
    clock, publisher = HandClock(), MemoryPublisher()
    store = Store(tmp_path / "state.sqlite", clock=clock)
    rounds: list[float] = []
    effects = Effects(
        store=store,
        dispatcher=Dispatcher(store, {}, clock),
        publisher=publisher,
        clock=clock,
        issuer=ControlIssuer("monitor-1", 1),
        heartbeat_ns=5 * SECOND_NS,
        follow_control=lambda: None,
        upkeep=lambda frontiers: rounds.append(clock.elapsed_ns / SECOND_NS),
        count_action=lambda done: None,
        count_failure=lambda: None,
    )

    def all_judged() -> JudgedUpTo:
        return JudgedUpTo(clock.now_ns(), None, {})

    effects.idle(all_judged, {})
    clock.move(4)
    assert effects.heartbeat_age_s() == 4
    effects.idle(all_judged, {})
    assert effects.heartbeat_age_s() == 4
    publisher.fails = True
    clock.move(16)
    effects.idle(all_judged, {})
    assert effects.heartbeat_age_s() == 20
    publisher.fails = False
    clock.move(5)
    effects.idle(all_judged, {})
    assert effects.heartbeat_age_s() == 0
    assert rounds == [0, 20, 25]
    behind_ns = clock.now_ns() - 30 * SECOND_NS
    clock.move(5)
    effects.idle(lambda: JudgedUpTo(behind_ns, None, {}), {})
    assert effects.heartbeat_age_s() == 35
    clock.move(5)
    effects.idle(lambda: None, {})
    assert effects.heartbeat_age_s() == 40
    store.close()
