"""What holds of every run of tests: what it needs from outside, its order, and what it tells.

`INTERLOCK_REQUIRE=kafka,data,prometheus` names what must be there: a test that would be skipped
for want of it fails instead. Elsewhere every want is told once more, loudly, at the end of the run.

`make test` runs files side by side: the tests of one file run in one process, in their order, and
share its module's fixtures; tests of different files share nothing but the Kafka broker of
`tests/integration/conftest.py`. So a test writes into its own `tmp_path` alone, listens on a port
that it was given as free, and uses topics of its own (`tests/support/scheduling.py` names the files
that cannot).

What takes too long for every run has a target of its own, and the run says at its end what it left
out: whole tests by `@pytest.mark.long("make TARGET")`, which `INTERLOCK_LONG=1` runs, and shares of
others by the fixture `left_out`.
"""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.laws.amount import EXAMPLES, IS_LONG

pytest_plugins = ("tests.laws.telling", "tests.conformance.telling")

WANTS = ("kafka", "data", "prometheus", "browser", "ltlf", "node", "go", "curl", "adapters")
MARK = "NOT RUN for want of "
LEFT_OUT = "left out: "
IS_LONG_RUN = os.environ.get("INTERLOCK_LONG") == "1"
# Files that take long begin first, so that no process is left with one when the others are done.
FIRST = ("integration", "laws", "mutants", "simulation")
HERE = Path(__file__).parent
BEGAN_S = time.monotonic()

# The same examples in every run, and no bound on the time that one takes: a test fails neither in
# one run of a hundred nor on a slow machine. `make laws` draws more, and others each time.
settings.register_profile(
    "interlock",
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not IS_LONG,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("interlock")


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders of `FIRST` before the others, in their order; skip what is too long."""
    items.sort(key=lambda item: _rank(item.path))
    for item in items:
        mark = item.get_closest_marker("long")
        if mark is not None and not IS_LONG_RUN:
            item.add_marker(pytest.mark.skip(reason=f"{LEFT_OUT}`{mark.args[0]}` runs it"))


@pytest.fixture
def left_out(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """To say, in the words of a sentence, what this run has left out and which target runs it."""
    return lambda what: request.node.user_properties.append((LEFT_OUT, what))


def _rank(path: Path) -> int:
    folder = path.relative_to(HERE).parts[0] if path.is_relative_to(HERE) else ""
    return FIRST.index(folder) if folder in FIRST else len(FIRST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """With `-n auto`: two processes more than processors, because tests also wait."""
    processors = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    return len(processors) + 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """With `--dist loadfile`, ours; it is loaded only here, since killers run without xdist."""
    if config.getvalue("dist") != "loadfile":
        return None
    from tests.support.scheduling import Scheduling

    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Loudly what was not there, and how many tests it cost; what was left out; the time."""
    skipped = [_reason(report) for report in terminalreporter.stats.get("skipped", [])]
    for reason, count in sorted(Counter(r for r in skipped if r.startswith(MARK)).items()):
        terminalreporter.write_line(f"*** {count} TEST(S) {reason} ***", yellow=True, bold=True)
    for reason, count in sorted(Counter(r for r in skipped if r.startswith(LEFT_OUT)).items()):
        terminalreporter.write_line(f"{LEFT_OUT}{count} test(s); {reason.removeprefix(LEFT_OUT)}")
    passed = terminalreporter.stats.get("passed", [])
    told = {str(what) for r in passed for name, what in r.user_properties if name == LEFT_OUT}
    for what in sorted(told):
        terminalreporter.write_line(f"{LEFT_OUT}{what}")
    terminalreporter.write_line(_times())


def _reason(report: Any) -> str:
    """Why a test was skipped, in the words of whoever skipped it."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    return str(text).removeprefix("Skipped: ")


def _times() -> str:
    """How long all of it took, and how much of it the processors worked."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    worked_s = sum(part.ru_utime + part.ru_stime for part in used)
    took_s = time.monotonic() - BEGAN_S
    return f"the tests took {_minutes(took_s)}, and {_minutes(worked_s)} of processor time"


def _minutes(seconds: float) -> str:
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
