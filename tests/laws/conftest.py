"""A census of the cases that a law has seen; `amount.py` says how many, `telling.py` tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.laws import result
from tests.laws.amount import CASES, CASES_SHORT, FIRST_SEED, IS_LONG
from tests.laws.census import Census

__all__ = ["CASES", "CASES_SHORT", "FIRST_SEED", "IS_LONG"]


@pytest.fixture
def census(request: pytest.FixtureRequest, left_out: Callable[[str], None]) -> Iterator[Census]:
    """The census of one law; what it counted is told at the end of the run."""
    counted = Census(request.node.name.removeprefix("test_"))
    yield counted
    if not IS_LONG:
        left_out(f"laws on more than {CASES} cases each; `make laws` runs 100,000")
    request.node.user_properties.append((result.LAW, counted.as_data()))
