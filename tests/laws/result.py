"""What a run of the laws has looked at: as lines at its end, and as the last result in a page.

Counts come from the processes in which the laws ran, with the reports of their tests.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

LAW, EXHAUSTIVE = "law", "exhaustive"
BEGIN, END = "<!-- begin of the last result -->", "<!-- end of the last result -->"

LAW_HEAD = (
    "| law | distinct cases | two or more operators | verdicts vary | both "
    "| time | when | revision | first seed |"
)
SMALL_HEAD = "| every small formula | invariants | traces | time | when | revision | first seed |"

Counts = dict[str, Any]


@dataclass
class Results:
    """All that was told by the tests of one run."""

    cases_asked: int
    first_seed: int
    laws: list[Counts] = field(default_factory=list)
    exhaustive: list[Counts] = field(default_factory=list)
    failed_count: int = 0
    seconds: float = 0.0
    durations_s: dict[str, float] = field(default_factory=dict)

    def take(self, report: pytest.TestReport) -> None:
        """Take in one report; the last of a test has all that it told."""
        self.failed_count += report.failed
        self.seconds += report.duration
        if report.when == "call":
            self.durations_s[report.nodeid] = report.duration
        if report.when != "teardown":
            return
        for name, told in report.user_properties:
            if name not in (LAW, EXHAUSTIVE):
                continue
            assert isinstance(told, dict), "the counts of a test"
            counts: Counts = {**told, "seconds": self.durations_s.get(report.nodeid, 0.0)}
            if name == LAW:
                self.laws.append(counts)
            elif name == EXHAUSTIVE:
                self._add_part(counts)

    def _add_part(self, part: Counts) -> None:
        """A family of small formulas may be cut into parts, which run beside each other."""
        for known in self.exhaustive:
            if known["law"] == part["law"]:
                known.update({n: known[n] + part[n] for n in known if n != "law"})
                return
        self.exhaustive.append(part)

    def is_whole(self) -> bool:
        """Whether something ran, and nothing failed."""
        return bool(self.laws or self.exhaustive) and not self.failed_count

    def lines(self) -> list[str]:
        """One line for each law, and for each family of small formulas."""
        told = [
            f"law {c['law']}: {c['cases_count']} distinct cases, {_shares(c)}"
            for c in sorted(self.laws, key=_by_law)
            if c["cases_count"]
        ]
        told += [
            f"exhaustive {c['law']}: {c['invariants_count']} invariants, {c['traces_count']} traces"
            for c in sorted(self.exhaustive, key=_by_law)
        ]
        if told:
            told.append(f"laws: INTERLOCK_LAWS_SEED={self.first_seed}, {self.seconds:.0f} s")
        return told

    def write(self, page: Path) -> None:
        """Put the result into a page, between the two marks; laws that did not run keep theirs."""
        text = page.read_text("utf-8")
        before, rest = text.split(BEGIN)
        known, after = rest.split(END)
        page.write_text(f"{before}{BEGIN}\n{self.markdown(known)}{END}{after}", "utf-8")

    def markdown(self, known: str) -> str:
        """The result as a page has it; `known` is what stood there before."""
        first, _, second = known.partition(SMALL_HEAD)
        when = f"{datetime.now(UTC):%Y-%m-%d} | `{revision()}` | {self.first_seed}"
        rows = _rows(first) | {
            c["law"]: f"| `{c['law']}` | {c['cases_count']:,} | {_percent(c, 'nested_count')} "
            f"| {_percent(c, 'varying_count')} | {_percent(c, 'demanding_count')} "
            f"| {c['seconds'] / 60:.0f} min | {when} |"
            for c in self.laws
            if c["cases_count"]
        }
        whole = _rows(second) | {
            c["law"]: f"| `{c['law']}` | {c['invariants_count']:,} | {c['traces_count']:,} "
            f"| {c['seconds'] / 60:.0f} min | {when} |"
            for c in self.exhaustive
        }
        return (
            "No law failed. Each row is the last long run of its law.\n\n"
            f"{LAW_HEAD}\n|---|---|---|---|---|---|---|---|---|\n{_joined(rows)}\n"
            f"{SMALL_HEAD}\n|---|---|---|---|---|---|---|\n{_joined(whole)}"
        )


def revision() -> str:
    """The commit that is checked out, and whether files differ from it."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or "unknown"


def _rows(table: str) -> dict[str, str]:
    """The rows of a table that was written before, by their laws."""
    found = (line for line in table.splitlines() if line.startswith("| `"))
    return {line.split("`")[1]: line for line in found}


def _joined(rows: dict[str, str]) -> str:
    return "".join(f"{rows[law]}\n" for law in sorted(rows))


def _by_law(counts: Counts) -> str:
    return str(counts["law"])


def _percent(counts: Counts, name: str) -> str:
    return f"{100 * counts[name] / counts['cases_count']:.0f} %"


def _shares(counts: Counts) -> str:
    return (
        f"{_percent(counts, 'nested_count')} with two or more operators, "
        f"{_percent(counts, 'varying_count')} with verdicts that vary, "
        f"{_percent(counts, 'demanding_count')} with both"
    )
