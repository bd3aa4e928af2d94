"""The cases that a law is held against: drawn, told apart, counted, and varied enough.

A case is *demanding* when its formula has two or more temporal operators or aggregates, and its
verdicts are not all the same. A law that passes on cases of which most are dull says little, so a
law that has too few demanding ones fails, whatever it found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from random import Random

from invariants.formula.ast import Aggregate, Formula, Temporal, Until
from invariants.spec.model import InvariantSpec
from tests.support.engines import Step, Verdicts, final_verdicts
from tests.support.formulas import FUTURE_OPERATORS, Choose, choose_invariant, choose_run

DEMANDING_SHARE_MIN = 0.4
SHARE_KNOWN_FROM = 500  # Chosen: a share of a half is below 0.4 once in 340,000 times by chance.
FORMULAS_TRIED, RUNS_TRIED = 4, 4  # Measured: with them more than half of all cases are demanding.

Run = tuple[Step, ...]


def nodes_of(node: object) -> Iterator[object]:
    """A formula and everything that it is made of."""
    yield node
    for name in getattr(node, "__dataclass_fields__", ()):
        yield from nodes_of(getattr(node, name))


def operators_count(formula: Formula) -> int:
    """How many temporal operators and aggregates a formula has."""
    return sum(isinstance(node, Temporal | Until | Aggregate) for node in nodes_of(formula))


def varies(verdicts: Verdicts) -> bool:
    """Whether not all events that are judged, and bindings, have the same verdict."""
    return len(set(verdicts.values())) >= 2


@dataclass
class Census:
    """How many distinct cases a law has seen, and how many of them were of a demanding kind."""

    law: str
    cases_count: int = 0
    nested_count: int = 0
    varying_count: int = 0
    demanding_count: int = 0
    judged_count: int = 0

    def cases(
        self,
        count: int,
        first_seed: int,
        *,
        future: tuple[str, ...] = FUTURE_OPERATORS,
        has_overflow: bool = False,
        is_fit: Callable[[InvariantSpec], bool] = lambda invariant: True,
        formulas_tried: int = FORMULAS_TRIED,
    ) -> Iterator[tuple[int, InvariantSpec, Run]]:
        """So many distinct cases, each with its seed; at their end the census is held."""
        seen: set[int] = set()
        seed = first_seed
        while len(seen) < count:
            choose = Random(seed).choice
            invariant = _choose_nested(choose, future, is_fit, formulas_tried)
            run, verdicts = _choose_varying(choose, invariant, has_overflow)
            key = hash((invariant.form, invariant.on_unknown, invariant.formula, repr(run)))
            if key not in seen:
                seen.add(key)
                self._note(invariant.formula, verdicts)
                yield seed, invariant, run
            seed += 1
        self.hold()

    def _note(self, formula: Formula, verdicts: Verdicts) -> None:
        is_nested, is_varying = operators_count(formula) >= 2, varies(verdicts)
        self.cases_count += 1
        self.nested_count += is_nested
        self.varying_count += is_varying
        self.demanding_count += is_nested and is_varying
        self.judged_count += bool(verdicts)

    def hold(self) -> None:
        """Fails where too few cases were demanding."""
        if self.cases_count >= SHARE_KNOWN_FROM:
            assert self.demanding_count >= DEMANDING_SHARE_MIN * self.cases_count, self

    def as_data(self) -> dict[str, str | int]:
        """All of it, as a report of a test carries it from one process to another."""
        return asdict(self)


def _choose_nested(
    choose: Choose,
    future: tuple[str, ...],
    is_fit: Callable[[InvariantSpec], bool],
    formulas_tried: int,
) -> InvariantSpec:
    """The first of a few with two or more operators, else the last: small ones stay among them."""
    while True:
        invariant = choose_invariant(choose, future=future)
        if is_fit(invariant):
            formulas_tried -= 1
            if not formulas_tried or operators_count(invariant.formula) >= 2:
                return invariant


def _choose_varying(
    choose: Choose, invariant: InvariantSpec, has_overflow: bool
) -> tuple[Run, Verdicts]:
    """The first of a few runs whose verdicts vary, else the last.

    The reference is asked and not the machine, whose faults must not choose their cases.
    """
    run = choose_run(choose, has_overflow=has_overflow)
    verdicts = final_verdicts("reference", invariant, run)
    for _ in range(RUNS_TRIED - 1):
        if varies(verdicts):
            break
        run = choose_run(choose, has_overflow=has_overflow)
        verdicts = final_verdicts("reference", invariant, run)
    return run, verdicts
