"""A pytest plugin: the totals of the cases that other tools wrote, told at the end of the run."""

from __future__ import annotations

import pytest

from tests.conformance.totals import TALLY, Tally, describe

TALLIES: list[Tally] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather what the tests have counted, in whichever process they ran."""
    if report.when == "teardown":
        told = [data for name, data in report.user_properties if name == TALLY]
        TALLIES.extend(Tally.of(data) for data in told if isinstance(data, dict))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line with the sum, after one for each tool and for each construct that we lack."""
    for line in describe(TALLIES) if TALLIES else ():
        terminalreporter.write_line(line)
