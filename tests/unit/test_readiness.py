"""`/-/ready` says whether events can reach the monitor now."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from monitor.service.pages import _pages
from monitor.telemetry.http import Pulse
from tests.support.rim import HandClock


class Gauge:
    """The one metric that the page sets."""

    is_ready: bool | None = None

    def set_ready(self, is_ready: bool) -> None:
        self.is_ready = is_ready


@pytest.mark.parametrize(
    ("is_assigned", "trouble", "status", "text"),
    [
        (True, "", 200, b"watching"),
        (True, "no broker has answered for 6 s", 503, b"no broker has answered for 6 s"),
        (False, "", 503, b"the source has not assigned a stream yet"),
    ],
)
def test_a_monitor_whose_broker_is_away_is_not_ready(
    is_assigned: bool, trouble: str, status: int, text: bytes
) -> None:
    """It lives and it holds streams, and nothing can reach it."""
    loop, gauge = SimpleNamespace(is_assigned=is_assigned, trouble=trouble), Gauge()
    clock = HandClock()
    pages = _pages(cast(Any, gauge), Pulse(clock, 1), cast(Any, loop), cast(Any, None))
    answer = pages.answer("/-/ready")
    assert (answer.status, gauge.is_ready) == (status, status == 200)
    assert text in answer.body
    assert pages.answer("/-/healthy").status == 200
