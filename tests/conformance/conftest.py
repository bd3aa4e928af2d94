"""What a conformance test counts goes into its report, from which `telling.py` sums up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance import totals


@pytest.fixture(autouse=True)
def _tallies(request: pytest.FixtureRequest) -> Iterator[None]:
    """The tallies that this test begins."""
    totals.TALLIES.clear()
    yield
    request.node.user_properties += [(totals.TALLY, tally.as_data()) for tally in totals.TALLIES]
