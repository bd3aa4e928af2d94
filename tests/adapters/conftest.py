"""A gate for the scenarios of adapters, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gate_served import ServedGate


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[ServedGate]:
    served = ServedGate(tmp_path / "g")
    served.start()
    yield served
    served.stop()
