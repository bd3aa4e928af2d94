"""A pytest plugin: at the end of a run, a line for each law, and the result in a page.

A plugin of the whole run and not part of `tests/laws/conftest.py`, because the process that runs
the workers never loads that file, and it is the one that tells.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.laws import result
from tests.laws.amount import CASES, FIRST_SEED

RESULT = os.environ.get("INTERLOCK_LAWS_RESULT")
RESULTS = result.Results(CASES, FIRST_SEED)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather what the laws have counted, in whichever process they ran."""
    if "tests/laws/" in report.nodeid:
        RESULTS.take(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each law; and all of it in a page, if `INTERLOCK_LAWS_RESULT` names one."""
    for line in RESULTS.lines():
        terminalreporter.write_line(line)
    is_one_of_several = "PYTEST_XDIST_WORKER" in os.environ
    if RESULT and RESULTS.is_whole() and not is_one_of_several:
        RESULTS.write(Path(RESULT))
