"""Settings become a policy, an issuer and drivers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from interlock.control_record import ControlRecord, ControlView
from invariants.model.errors import ConfigError
from monitor.actions.control import ControlIssuer
from monitor.actions.open import control_issuer, open_drivers, response_policy
from monitor.config.table import Settings
from monitor.response.plan import ResponsePolicy
from monitor.store.store import Store
from tests.support.rim import HandClock, MemoryPublisher


def test_the_policy_is_what_the_settings_say() -> None:
    """The defaults of both are the same, and each setting reaches it."""
    assert response_policy(Settings()) == ResponsePolicy()
    changed = Settings(
        mode="observe",
        respond_principal=False,
        webhook_url="http://h/",
        respond_enforcing_per_hour_max=3,
        respond_kills_per_hour_max=2,
    )
    assert response_policy(changed) == ResponsePolicy(True, False, True, 3, 2)


def issuer(store: Store, view: ControlView, settings: Settings | None = None) -> ControlIssuer:
    return control_issuer(settings or Settings(), store, view, group="", observes=False)


def test_each_start_has_an_epoch_of_its_own(tmp_path: Path) -> None:
    """Under the name that was set, or one that no other monitor has."""
    store = Store(tmp_path / "s", clock=HandClock(), new_identity=lambda: "abcd")
    first, second = (issuer(store, ControlView()) for _ in range(2))
    assert first.name == second.name == "monitor-abcd"
    assert first.epoch < second.epoch
    assert issuer(store, ControlView(), Settings(respond_issuer="north")).name == "north"
    store.close()


def test_a_run_that_was_forgotten_does_not_fence_the_next(tmp_path: Path) -> None:
    """A store was set back to before it, under a clock that was set back too: its kills were
    ignored until the clock had caught up. Nor does a number that cannot grow end the monitor.
    """
    view = ControlView()
    for epoch in (10**15, 2**63 - 1):
        record = ControlRecord(state="active", issued_at=1, issuer="monitor-abcd", epoch=epoch)
        assert view.apply("session:s", msgspec.json.encode(record))
        store = Store(tmp_path / str(epoch), clock=HandClock(), new_identity=lambda: "abcd")
        assert issuer(store, view).epoch == min(epoch + 1, 2**63 - 1)
        store.close()


def open_with(settings: Settings) -> set[str]:
    publisher, view, clock = MemoryPublisher(), ControlView(), HandClock()
    drivers = open_drivers(settings, publisher, view, ControlIssuer("m", 1), clock)
    for driver in drivers.values():
        driver.close()
    return set(drivers)


def test_drivers_are_those_that_were_asked_for(tmp_path: Path) -> None:
    """A webhook only where there is an address for it; a missing secret is told at start."""
    assert open_with(Settings()) == {"log", "control"}
    (tmp_path / "secret").write_text("k3y")
    webhook = Settings(webhook_url="http://h/", webhook_secret_file=str(tmp_path / "secret"))
    assert open_with(webhook) == {"log", "control", "webhook"}
    with pytest.raises(ConfigError, match=r"webhook.secret_file"):
        open_with(Settings(webhook_url="http://h/", webhook_secret_file=str(tmp_path / "none")))
