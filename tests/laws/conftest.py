"""Short laws in `make test`, long ones in `make laws`; and a census of what they looked at."""

from __future__ import annotations

import os
import secrets

import pytest
from hypothesis import HealthCheck, settings

from tests.laws.census import CENSUS

CASES_SHORT = 4000  # Chosen: all laws together in about a minute on one core.
HYPOTHESIS_CASES_MAX = 5000  # Chosen: beyond that Hypothesis mostly repeats itself.
CASES = int(os.environ.get("INTERLOCK_LAWS_CASES", CASES_SHORT))
IS_LONG = CASES > CASES_SHORT
# The short run is the same every time; a long one looks at new cases, and says which.
FIRST_SEED = int(os.environ.get("INTERLOCK_LAWS_SEED", secrets.randbits(48) if IS_LONG else 0))

settings.register_profile(
    "laws",
    max_examples=min(CASES // 20, HYPOTHESIS_CASES_MAX),
    deadline=None,
    derandomize=not IS_LONG,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("laws")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that says how much the laws have seen."""
    if CENSUS.cases:
        line = f"laws: {CENSUS.describe()}; INTERLOCK_LAWS_SEED={FIRST_SEED}"
        terminalreporter.write_line(line)
