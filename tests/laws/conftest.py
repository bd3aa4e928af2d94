"""Short laws in `make test`, long ones in `make laws`; and a census of what they looked at."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.laws import result
from tests.laws.census import Census

CASES_SHORT = 1200  # Chosen: all laws together in about a minute on one core.
HYPOTHESIS_CASES_MAX = 5000  # Chosen: beyond that Hypothesis mostly repeats itself.
CASES = int(os.environ.get("INTERLOCK_LAWS_CASES", CASES_SHORT))
IS_LONG = CASES > CASES_SHORT
if IS_LONG:  # Other cases than the last time, and the same ones in every worker.
    os.environ.setdefault("INTERLOCK_LAWS_SEED", str(secrets.randbits(48)))
FIRST_SEED = int(os.environ.get("INTERLOCK_LAWS_SEED", 0))
RESULT = os.environ.get("INTERLOCK_LAWS_RESULT")

settings.register_profile(
    "laws",
    max_examples=min(CASES // 10, HYPOTHESIS_CASES_MAX),
    deadline=None,
    derandomize=not IS_LONG,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("laws")

RESULTS = result.Results(CASES, FIRST_SEED)


@pytest.fixture
def census(request: pytest.FixtureRequest) -> Iterator[Census]:
    """The census of one law; what it counted is told at the end of the run."""
    counted = Census(request.node.name.removeprefix("test_"))
    yield counted
    request.node.user_properties.append((result.LAW, counted.as_data()))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather what the laws have counted, in whichever process they ran."""
    if "tests/laws/" in report.nodeid:
        RESULTS.take(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each law; and all of it in a page, where `INTERLOCK_LAWS_RESULT` names one."""
    for line in RESULTS.lines():
        terminalreporter.write_line(line)
    is_one_of_several = "PYTEST_XDIST_WORKER" in os.environ
    if RESULT and RESULTS.is_whole() and not is_one_of_several:
        RESULTS.write(Path(RESULT))
