"""A real broker for those tests that ask for it: one for the whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.conftest import require_or_skip
from tests.support.agents_gate import AgentsGate
from tests.support.kafka_broker import Broker, why_not_available
from tests.support.kafka_shared import shared_broker


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Shared by the workers of a run, whose temporary folders lie side by side in the run's."""
    reason = why_not_available()
    if reason is not None:
        require_or_skip("kafka", reason)
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with shared_broker(folder / "kafka") as broker:
        yield broker


@pytest.fixture(scope="module")
def running_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentsGate]:
    """A gate for the tests of one file."""
    gate = AgentsGate(tmp_path_factory.mktemp("gate"))
    gate.start()
    yield gate
    gate.stop()


@pytest.fixture
def gate(running_gate: AgentsGate, monkeypatch: pytest.MonkeyPatch) -> AgentsGate:
    """The gate of the file, with an empty log; `gate.id` names sessions of this test."""
    running_gate.fresh()
    monkeypatch.setenv("INTERLOCK_GATE_TOKEN", running_gate.token)
    return running_gate
