"""A real broker for those tests that ask for it: one for each test worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import require_or_skip
from tests.support.kafka_broker import Broker, start_broker, why_not_available


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    reason = why_not_available()
    if reason is not None:
        require_or_skip("kafka", reason)
    broker = start_broker(tmp_path_factory.mktemp("kafka"))
    yield broker
    broker.stop()
