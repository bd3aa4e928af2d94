"""The kill switch is measured on a real broker; the figures themselves are not judged here."""

from __future__ import annotations

import json

import pytest

from monitor.bench.kill_switch import KillSwitchFigures
from monitor.cli.__main__ import main
from tests.support.kafka_broker import Broker

pytestmark = pytest.mark.kafka


def test_every_session_is_refused_and_every_figure_told(
    kafka_broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    """Few sessions, a small backlog: no session goes on after it broke the invariant."""
    few = ["--sessions", "5", "--backlog", "8000", "--output", "json"]
    assert main(["bench", "kill-switch", "--kafka", kafka_broker.bootstrap, *few]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(KillSwitchFigures.__slots__)
    assert (told["idle"]["sessions"], told["idle"]["missed"]) == (5, 0)
    assert (told["half_load"]["sessions"], told["half_load"]["missed"]) == (5, 0)
    assert told["store_synchronous"] == "full"
