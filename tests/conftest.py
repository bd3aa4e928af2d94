"""What tests need from outside, and what is said when it is not there.

`INTERLOCK_REQUIRE=kafka,data,prometheus` names what must be there: a test that would be skipped
for want of it fails instead. Elsewhere every want is told once more, loudly, at the end of the run.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

WANTS = ("kafka", "data", "prometheus", "browser", "ltlf")
MARK = "NOT RUN for want of "


def require_or_skip(name: str, why: str) -> NoReturn:
    """End the test that needs `name` (one of `WANTS`): skipped, or failed where it is required."""
    assert name in WANTS, f"`{name}` is none of {WANTS}"
    if name in required():
        pytest.fail(f"`{name}` is required by INTERLOCK_REQUIRE, but {why}", pytrace=False)
    pytest.skip(f"{MARK}{name}: {why}")


def required() -> frozenset[str]:
    """What `INTERLOCK_REQUIRE` names; a name that is none is an error, not a silent nothing."""
    named = os.environ.get("INTERLOCK_REQUIRE", "").split(",")
    names = frozenset(name.strip() for name in named if name.strip())
    if unknown := names - set(WANTS):
        raise pytest.UsageError(f"INTERLOCK_REQUIRE: {sorted(unknown)}; known: {', '.join(WANTS)}")
    return names


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One loud line for each thing that was not there, with the number of tests it cost."""
    costs: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        text = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if MARK in text:
            reason = text[text.index(MARK) :]
            costs[reason] = costs.get(reason, 0) + 1
    for reason, count in sorted(costs.items()):
        terminalreporter.write_line(f"*** {count} TEST(S) {reason} ***", yellow=True, bold=True)
