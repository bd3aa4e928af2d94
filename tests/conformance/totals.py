"""How many cases of other tools were run, and how many our language cannot say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

TALLY = "tally"
"""The name under which a test's report carries a tally."""


@dataclass
class Tally:
    """The cases of one tool: how many agreed, which did not, and what the others lack."""

    tool: str
    unit: str
    is_recorded: bool = True
    """Cases that others wrote; generated ones are told, but not part of the sum."""
    passed_count: int = 0
    failures: list[str] = field(default_factory=list)
    lacking: Counter[str] = field(default_factory=Counter)

    def note(self, case: str, difference: str) -> None:
        """A case that was run; an empty difference is agreement."""
        if difference:
            self.failures.append(f"{case}: {difference}")
        else:
            self.passed_count += 1

    def as_data(self) -> dict[str, Any]:
        """All of it, as a report carries it from one process to another."""
        return asdict(self) | {"lacking": dict(self.lacking)}

    @classmethod
    def of(cls, data: dict[str, Any]) -> Tally:
        """The tally that was carried."""
        return cls(**data | {"lacking": Counter(data["lacking"])})

    def describe(self) -> list[str]:
        """One line, and one for each construct that our language lacks."""
        line = f"  {self.tool}: {self.passed_count} {self.unit} passed"
        line += f", {self.lacking.total()} cannot say, {len(self.failures)} failed"
        return [line, *(f"    {count}: {what}" for what, count in self.lacking.most_common())]


TALLIES: list[Tally] = []
"""Those of the test that runs now."""


def begin(tool: str, unit: str, *, is_recorded: bool = True) -> Tally:
    """A tally that the end of the test run tells."""
    tally = Tally(tool, unit, is_recorded)
    TALLIES.append(tally)
    return tally


def describe(tallies: Sequence[Tally]) -> list[str]:
    """All of them; the last line is the sum of the recorded cases, and of all failures."""
    recorded = [tally for tally in tallies if tally.is_recorded]
    passed = sum(tally.passed_count for tally in recorded)
    lacking = sum(tally.lacking.total() for tally in recorded)
    failed = sum(len(tally.failures) for tally in tallies)
    lines = [line for tally in tallies for line in tally.describe()]
    return [*lines, f"conformance: {passed} passed, {lacking} cannot say, {failed} failed"]
