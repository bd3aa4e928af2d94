"""Short laws in `make test`, long ones in `make laws`; and a census of what they looked at."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.laws.census import CENSUS

CASES_SHORT = 300  # Chosen: all laws together in about a minute.
CASES = int(os.environ.get("INTERLOCK_LAWS_CASES", CASES_SHORT))

settings.register_profile(
    "laws",
    max_examples=CASES,
    deadline=None,
    derandomize=CASES <= CASES_SHORT,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("laws")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that says how much the laws have seen."""
    if CENSUS.cases:
        terminalreporter.write_line(f"laws: {CENSUS.describe()}")
