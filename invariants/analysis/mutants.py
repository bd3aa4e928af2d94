"""Mutants of an invariant: what its author could have written instead, with one small change.

Input: a checked invariant (patterns are already formulas). Output: invariants that the language
allows and that differ in one place: a dropped part, a swapped operator, a moved bound, a wider or
narrower window, an ignored value. Those that provably have the same meaning are separated
(`equivalence.py`). `monitor/authoring/mutation.py` tests examples against them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

from ..check.checked import CheckedSpec
from ..check.horizon import check_scope
from ..check.normal_form import violating_formula
from ..check.safety import atoms_of, check_formula, subformulas
from ..check.types import check_types
from ..formula.ast import (
    UNBOUNDED,
    Aggregate,
    AggregateComparison,
    Anything,
    Atom,
    Binary,
    Comparison,
    Constant,
    Exists,
    Formula,
    Not,
    Operator,
    SessionEnd,
    Temporal,
    Term,
    UnaryOperator,
    Until,
    Variable,
    Window,
)
from ..formula.format import format_clearly, format_window
from ..model.errors import Place
from ..spec.model import InvariantSpec

MUTANTS_MAX: Final = 400  # Chosen: a formula of forty parts has fewer.
PARTS_MAX: Final = 20_000  # Chosen: of all mutants together, so that huge formulas have fewer.
MILLISECOND_NS: Final = 1_000_000

_NEIGHBOURS: Final[dict[Operator, Operator]] = {
    "==": "!=",
    "!=": "==",
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed invariant; `change` describes the change, and `place` gives its place."""

    invariant: InvariantSpec
    change: str
    place: Place


@dataclass(frozen=True, slots=True)
class Mutants:
    """The mutants that the language allows; `is_cut` means that there were more."""

    found: tuple[Mutant, ...]
    is_cut: bool


def mutants_of(spec: CheckedSpec, invariant: InvariantSpec) -> Mutants:
    """Each mutant once, in the order in which the formula is read."""
    found: list[Mutant] = []
    parts_count = sum(1 for _ in subformulas(violating_formula(invariant)))
    mutants_max = min(MUTANTS_MAX, max(PARTS_MAX // parts_count, 1))
    seen = {(invariant.form, invariant.formula)}
    other = "always" if invariant.form == "never" else "never"
    turned = replace(invariant, form="always" if other == "always" else "never")
    everything = [(_Change(f"`{other}` for `{invariant.form}`", invariant.place), turned)]
    everything += [
        (change, replace(invariant, formula=formula))
        for change, formula in _changed(invariant.formula)
    ]
    for change, mutant in everything:
        key = mutant.form, mutant.formula
        if key in seen or not _is_allowed(spec, mutant):
            continue
        seen.add(key)
        if len(found) == mutants_max:
            return Mutants(tuple(found), is_cut=True)
        place = change.place if change.place != Place() else invariant.formula_source.place
        found.append(Mutant(mutant, change.told, place))
    return Mutants(tuple(found), is_cut=False)


def _is_allowed(spec: CheckedSpec, mutant: InvariantSpec) -> bool:
    terms = (term for atom in atoms_of(mutant.formula) for _, term in atom.arguments)
    if mutant.predicates and any(isinstance(term, Anything) for term in terms):
        return False  # The value of a pattern only carries a text to the finding.
    faults = [
        *check_formula(mutant, spec.file),
        *check_scope(mutant, spec.file),
        *check_types(mutant, spec.values, spec.file),
    ]
    return not any(fault.severity == "error" for fault in faults)


@dataclass(frozen=True, slots=True)
class _Change:
    told: str
    place: Place


_Changed = Iterator[tuple[_Change, Formula]]


def _changed(formula: Formula) -> _Changed:
    """Every formula that differs in one place."""
    for told, instead in _here(formula):
        yield _Change(told, formula.place), instead
    for body, rebuild in _parts(formula):
        for change, instead in _changed(body):
            yield change, rebuild(instead)


_Rebuild = Callable[[Formula], Formula]


def _parts(formula: Formula) -> list[tuple[Formula, _Rebuild]]:
    """Each operand, with a function that replaces it."""
    match formula:
        case Not() | Temporal() | Exists():
            return [(formula.body, lambda new: replace(formula, body=new))]
        case Binary() | Until():
            return [
                (formula.left, lambda new: replace(formula, left=new)),
                (formula.right, lambda new: replace(formula, right=new)),
            ]
        case _:
            return []


def _here(formula: Formula) -> Iterator[tuple[str, Formula]]:
    """The possible replacements of a formula, with its operands kept or dropped."""
    match formula:
        case Atom():
            yield from _of_atom(formula)
        case SessionEnd():
            yield "`not session_end` for `session_end`", Not(formula)
        case Comparison():
            yield from _of_comparison(formula)
        case AggregateComparison():
            yield from _of_aggregate(formula)
        case Not(body):
            yield f"dropped `not` before `{format_clearly(body)}`", body
        case Binary():
            yield from _of_binary(formula)
        case Temporal():
            yield from _of_temporal(formula)
        case Until():
            yield from _of_until(formula)
        case Exists():
            return
        case _:
            assert_never(formula)


def _of_atom(atom: Atom) -> Iterator[tuple[str, Formula]]:
    shown = format_clearly(atom)
    yield f"`not {shown}` for `{shown}`", Not(atom, atom.place)
    yield from _of_arguments(atom)


def _of_arguments(atom: Atom) -> Iterator[tuple[str, Atom]]:
    """An ignored value, and two swapped values."""
    arguments = atom.arguments
    for index, (name, term) in enumerate(arguments):
        if not isinstance(term, Anything):
            kept: tuple[tuple[str, Term], ...] = (
                *arguments[:index],
                (name, Anything()),
                *arguments[index + 1 :],
            )
            instead = replace(atom, arguments=kept)
            yield f"`{format_clearly(instead)}` for `{format_clearly(atom)}`", instead
    for index in range(len(arguments) - 1):
        (one, first), (other, second) = arguments[index : index + 2]
        swapped = (*arguments[:index], (one, second), (other, first), *arguments[index + 2 :])
        instead = replace(atom, arguments=swapped)
        if first != second and isinstance(first, Variable) and isinstance(second, Variable):
            yield f"`{format_clearly(instead)}` for `{format_clearly(atom)}`", instead


def _of_comparison(formula: Comparison) -> Iterator[tuple[str, Formula]]:
    instead = [replace(formula, operator=_NEIGHBOURS[formula.operator])]
    instead += [replace(formula, left=side) for side in _near(formula.left)]
    instead += [replace(formula, right=side) for side in _near(formula.right)]
    for other in instead:
        yield f"`{format_clearly(other)}` for `{format_clearly(formula)}`", other


def _nearby(bound: Variable | Constant | Aggregate) -> list[Constant | Aggregate]:
    """The next bounds: numbers, or limits with another window or function."""
    if not isinstance(bound, Aggregate):
        return [*_near(bound)]
    others = [replace(bound, window=window) for window in _windows(bound.window)]
    others += [replace(bound, atom=atom) for _, atom in _of_arguments(bound.atom)]
    if bound.function == "first":
        others.append(replace(bound, function="max"))
    return [*others]


def _near(side: Variable | Constant) -> list[Constant]:
    """The next numbers below and above a number."""
    if isinstance(side, Constant) and isinstance(side.value, int | float):
        return [Constant(side.value - 1), Constant(side.value + 1)]
    return []


def _of_aggregate(formula: AggregateComparison) -> Iterator[tuple[str, Formula]]:
    aggregate = formula.aggregate
    instead = [replace(formula, bound=bound) for bound in _nearby(formula.bound)]
    # For whole numbers `<` is `<=` with the next bound, which is listed above.
    if aggregate.function not in ("count", "distinct") or formula.operator in ("==", "!="):
        instead.append(replace(formula, operator=_NEIGHBOURS[formula.operator]))
    changed: list[Aggregate] = []
    changed += [replace(aggregate, atom=atom) for _, atom in _of_arguments(aggregate.atom)]
    changed += [replace(aggregate, window=window) for window in _windows(aggregate.window)]
    instead += [replace(formula, aggregate=other) for other in changed]
    for other in instead:
        yield f"`{format_clearly(other)}` for `{format_clearly(formula)}`", other


def _of_binary(formula: Binary) -> Iterator[tuple[str, Formula]]:
    left, right, operator = formula.left, formula.right, formula.operator
    if operator == "implies":
        yield f"dropped the condition `{format_clearly(left)}`", right
        yield "`and` for `implies`", replace(formula, operator="and")
        yield "both sides of `implies` swapped", replace(formula, left=right, right=left)
        yield f"dropped `{format_clearly(right)}`", Not(left, formula.place)
        return
    yield f"dropped `{format_clearly(left)}`", right
    yield f"dropped `{format_clearly(right)}`", left
    if operator == "iff":
        yield "`implies` for `iff`", replace(formula, operator="implies")
        yield "`and` for `iff`", replace(formula, operator="and")
    else:
        other = "or" if operator == "and" else "and"
        yield (
            f"`{other}` for `{operator}`",
            Binary("or" if operator == "and" else "and", left, right, formula.place),
        )


def _of_temporal(formula: Temporal) -> Iterator[tuple[str, Formula]]:
    word = f"{formula.operator}{format_window(formula.window)}"
    yield f"dropped `{word}`", formula.body
    for other in _turned(formula.operator):
        yield f"`{other}` for `{formula.operator}`", replace(formula, operator=other)
    for window in _windows(formula.window):
        shown = f"{formula.operator}{format_window(window)}"
        yield f"`{shown}` for `{word}`", replace(formula, window=window)


def _turned(operator: UnaryOperator) -> tuple[UnaryOperator, ...]:
    """The operators that an author may have confused with this one."""
    match operator:
        case "once":
            return "historically", "previous", "eventually"
        case "historically":
            return "once", "always"
        case "previous":
            return "once", "next"
        case "next":
            return "eventually", "previous"
        case "eventually":
            return "always", "next", "once"
        case "always":
            return "eventually", "historically"
        case _:
            assert_never(operator)


def _of_until(formula: Until) -> Iterator[tuple[str, Formula]]:
    operator, window, left, right = formula.operator, formula.window, formula.left, formula.right
    word = f"{operator}{format_window(window)}"
    alone = Temporal("once" if operator == "since" else "eventually", window, right, formula.place)
    yield f"dropped `{format_clearly(left)}` before `{word}`", alone
    yield f"dropped `{word}` and what stands before it", right
    yield f"dropped `{word}` and what stands behind it", left
    yield f"both sides of `{word}` swapped", replace(formula, left=right, right=left)
    other: Literal["since", "until"] = "until" if operator == "since" else "since"
    yield f"`{other}` for `{operator}`", replace(formula, operator=other)
    for instead in _windows(window):
        shown = f"{operator}{format_window(instead)}"
        yield f"`{shown}` for `{word}`", replace(formula, window=instead)


def _windows(window: Window) -> list[Window]:
    """Twice as wide, half as wide, and without its lower bound; whole milliseconds."""
    low_ns, high_ns = window.low_ns, window.high_ns
    if high_ns is None:
        return []
    half_ns = high_ns // 2 // MILLISECOND_NS * MILLISECOND_NS
    found = [Window(low_ns, high_ns * 2), Window(low_ns, max(half_ns, low_ns)), UNBOUNDED]
    if low_ns:
        found.append(Window(0, high_ns))
    return [other for other in dict.fromkeys(found) if other != window]
