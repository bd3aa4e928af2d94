"""What is called the same gives the same verdicts: held against the reference on random runs."""

from __future__ import annotations

from random import Random

from invariants.analysis.equivalence import mean_the_same
from invariants.analysis.mutants import mutants_of
from invariants.check.checked import CheckedSpec
from invariants.check.specs import RefusedNames, check_specs
from invariants.formula.format import format_formula
from invariants.model.errors import Place
from invariants.model.source_text import SourceText
from invariants.reference import judge
from invariants.spec.model import InvariantSpec, PredicateSpec, Spec
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.engines import Step
from tests.support.formulas import PREDICATES, choose_invariant, choose_run

ANYWHERE = Place()
EVENTS_MAX = 5  # Chosen: the reference tries every choice of unknown events and values.


def spec_of(*, is_free: bool) -> CheckedSpec:
    """The predicates of the laws; free ones can be true of any event, the others of one kind."""
    predicates = tuple(
        PredicateSpec(
            name,
            SourceText(f'args.{name} == "{name}"' if is_free else 'kind == "x"', ANYWHERE),
            tuple((value, SourceText(f"args.{value}", ANYWHERE)) for value in values),
            ANYWHERE,
        )
        for name, values in PREDICATES.items()
    )
    spec = Spec("law.yaml", predicates=predicates)
    return check_specs([(spec, RefusedNames())]).specs[0]


SPEC = spec_of(is_free=False)


def _marks(invariant: InvariantSpec, run: tuple[Step, ...]) -> set[tuple[int, str]]:
    trace = [step for step in run if not isinstance(step, int)]
    kinds = judge(invariant, trace)
    return {(at, kind) for (at, _), kind in kinds.items() if kind in ("violated", "inconclusive")}


def test_what_is_called_the_same_is_the_same() -> None:
    """No trace tells an invariant from a mutant that is left out as meaning the same."""
    compared = 0
    for number in range(CASES // 10):
        random = Random(FIRST_SEED * 1_000_003 + number)
        invariant = choose_invariant(random.choice)
        for mutant in mutants_of(SPEC, invariant).found:
            if not mean_the_same(invariant, mutant.invariant):
                continue
            for _ in range(3):
                run = choose_run(random.choice)[:EVENTS_MAX]
                compared += 1
                assert _marks(invariant, run) == _marks(mutant.invariant, run), (
                    f"{format_formula(invariant.formula)} | {mutant.change} (number {number})"
                )
    assert compared >= CASES // 80
