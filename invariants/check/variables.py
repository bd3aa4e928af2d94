"""Variables that were probably intended as a field of the event or a predicate (E418).

In a formula a name next to `==` is a variable. One that no predicate names takes any value, so that
`never: p and tool == "pay"` puts no condition on the tool, and the invariant would not have the
meaning that its author intended. `spec/formula.py` reports a formula that is an expression as a
whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..cel.functions import FIELD_TYPES
from ..formula.ast import AggregateComparison, Comparison, Constant, Variable
from ..formula.format import format_formula
from ..model.errors import Fault
from ..spec.formula import mend_of_expression
from ..spec.model import InvariantSpec
from .normal_form import atom_variables, term_variables
from .safety import atoms_of, subformulas


def check_variables(
    invariant: InvariantSpec, predicates: Collection[str], file: str
) -> Iterator[Fault]:
    """One fault for each comparison with such a name; `predicates` are those of the file."""
    named = {name for atom in atoms_of(invariant.formula) for name in atom_variables(atom)}
    for node in subformulas(invariant.formula):
        match node:
            case Comparison(_, left, right):
                variables = [*term_variables(left), *term_variables(right)]
            case AggregateComparison(bound_term=bound) if bound is not None:
                variables = [*term_variables(bound)]
            case _:
                continue
        for variable in variables:
            if variable in named:
                continue
            shown = format_formula(node)
            if variable in predicates:
                message = f"`{variable}` is a predicate; in `{shown}` it would be a variable"
                mend = _mend_of_predicate(node, variable, predicates)
            elif variable in FIELD_TYPES:
                message = f"`{variable}` is a field of events; formulas cannot read fields"
                mend = _mend_of_field(node, variable, shown)
            else:
                continue
            yield Fault(file, node.place, "E418", message, mend)


def _mend_of_field(node: Comparison | AggregateComparison, field: str, shown: str) -> str:
    if isinstance(node, Comparison) and any(
        isinstance(side, Constant) for side in (node.left, node.right)
    ):
        return mend_of_expression(shown)
    return (
        f"declare a value in a predicate's `with`, as in `value: {field}`, and write `p(value=x)`"
    )


def _mend_of_predicate(
    node: Comparison | AggregateComparison, name: str, predicates: Collection[str]
) -> str:
    if isinstance(node, Comparison):
        for side in (node.left, node.right):
            if isinstance(side, Constant) and side.value in (("bool", "true"), ("bool", "false")):
                is_true = (side.value == ("bool", "true")) == (node.operator == "==")
                return f"write `{name}`" if is_true else f"write `not {name}`"
        names = [side.name for side in (node.left, node.right) if isinstance(side, Variable)]
        if len(names) == 2 and set(names) <= set(predicates):
            both = " iff ".join(names)
            return f"write `{both}`" if node.operator == "==" else f"write `not ({both})`"
    return f"declare a value in the predicate's `with`, and write `{name}(value=x)`"
