"""The totals of the cases that other tools wrote, told at the end of the run."""

from __future__ import annotations

import pytest

from tests.conformance import totals


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line with the sum, after one for each tool and for each construct that we lack."""
    if totals.TALLIES:
        for line in totals.describe():
            terminalreporter.write_line(line)
