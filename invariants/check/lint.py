"""Permitted but suspicious invariants: warnings W501, W503, W504 and W507.

Applied only to formulas without an error, so that a warning never refers to a misreading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..formula.ast import AggregateComparison, Atom, Binary, Comparison, Formula, Temporal
from ..formula.format import format_formula
from ..model.errors import Fault
from ..spec.model import InvariantSpec
from .normal_form import atom_variables, term_variables, violating_formula
from .safety import subformulas


def lint_formula(invariant: InvariantSpec, file: str) -> Iterator[Fault]:
    """Warnings about one invariant's formula."""
    formula = invariant.formula
    if not invariant.is_enabled:
        message = f"`{invariant.id}` has `enabled: false`: it is checked but does not run"
        yield Fault(file, invariant.place, "W507", message, "remove that to run it", "warning")
    if invariant.form == "never" and isinstance(formula, Binary) and formula.operator == "implies":
        message = (
            "`never: a implies b` is violated at every event where `a` is false, "
            "which is rarely intended"
        )
        mend = "write `always: a implies b`, or `never: a and b`"
        yield Fault(file, formula.place, "W501", message, mend, "warning")
    for node in subformulas(formula):
        if isinstance(node, Temporal) and node.operator in ("previous", "next"):
            other = "once" if node.operator == "previous" else "eventually"
            message = f"`{node.operator}` refers to the neighbouring event of any kind"
            mend = f"write `{other}` with a window, unless that is intended"
            yield Fault(file, node.place, "W503", message, mend, "warning")
    yield from _lonely_variables(invariant, file)


def _lonely_variables(invariant: InvariantSpec, file: str) -> Iterator[Fault]:
    if invariant.predicates:
        return  # The variable of a pattern only carries a value to the finding.
    violating = violating_formula(invariant)
    if isinstance(invariant.formula, AggregateComparison) and isinstance(violating, Binary):
        return  # A limit's variables group its events; its trigger names them once more.
    leaves = [node for node in subformulas(invariant.formula) if _variables(node)]
    counts = Counter(variable for leaf in leaves for variable in _variables(leaf))
    for leaf in leaves:
        for variable in sorted(set(_variables(leaf))):
            if counts[variable] == 1:
                message = (
                    f"the variable `{variable}` is used only once, in `{format_formula(leaf)}`"
                )
                mend = f"write `_` in place of `{variable}`, or use it"
                if isinstance(leaf, Comparison):
                    mend = f"give it a value of the event: `p(name={variable})`"
                yield Fault(file, leaf.place, "W504", message, mend, "warning")


def _variables(leaf: Formula) -> list[str]:
    """The variables of a leaf, as often as they occur in it."""
    match leaf:
        case Atom(arguments=arguments):
            return [name for _, term in arguments for name in term_variables(term)]
        case Comparison(_, left, right):
            return [name for term in (left, right) for name in term_variables(term)]
        case AggregateComparison():
            grouped = [atom_variables(aggregate.atom) for aggregate in leaf.aggregates]
            named = frozenset() if leaf.bound_term is None else term_variables(leaf.bound_term)
            return [name for names in (*grouped, named) for name in sorted(names)]
        case _:
            return []
