"""Corrections for a formula with a misplaced future operator (E405).

Input: an invariant and its misplaced operator. Output: a correction as text. If an accepted formula
has the same meaning, that formula is the correction. The usual form is not always one:
`never: p and eventually[5m] q` forbids q after p, and `never: p and not eventually[5m] q` requires
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from typing import Final, Literal

from ..formula.ast import FUTURE_OPERATORS, Binary, Formula, Not, Temporal, Until
from ..formula.format import format_formula
from ..spec.model import InvariantSpec
from .normal_form import conjuncts

_ALONE: Final = {"next": "next q", "until": "(a until[10m] q)"}

Form = Literal["never", "always"]
_Stated = tuple[Form, Formula]


def mend_of_future(
    invariant: InvariantSpec,
    misplaced: Temporal | Until,
    is_accepted: Callable[[InvariantSpec], bool],
) -> str:
    """The first accepted formula of equal meaning; else the two allowed forms."""
    for form, formula in _equals(invariant.form, invariant.formula):
        if is_accepted(replace(invariant, form=form, formula=formula)):
            return f"write `{form}: {format_formula(formula)}`"
    parts = [*_parts(invariant)]
    if parts and all(is_accepted(replace(invariant, formula=part)) for part in parts):
        written = " and ".join(f"`always: {format_formula(part)}`" for part in parts)
        return f"write two invariants, {written}"
    part = _ALONE.get(misplaced.operator, f"{misplaced.operator}[10m] q")
    return (
        f"for a required event write `always: p implies {part}`, "
        "for a forbidden one `always: p implies always[10m] not q`"
    )


def _equals(form: Form, formula: Formula) -> Iterator[_Stated]:
    """Formulas of equal meaning, by the laws of Kleene and by past operators for future ones."""
    match form, formula:
        case ("never", Temporal("eventually", window, body)) | (
            "always",
            Temporal("always", window, body),
        ):
            if not window.low_ns:  # All events from each one on, itself among them: all events.
                yield form, body
        case "always", Binary("implies", left, right):
            ahead, rest = _split(right)
            if ahead is not None and not rest:
                yield from (("always", replace(formula, right=said)) for said in _pushed(ahead))
                if isinstance(ahead, Not):
                    yield from _looking_back(left, ahead.body)
        case "never", _:
            ahead, rest = _split(formula)
            if ahead is not None and rest:
                given = reduce(_both, rest)
                yield from _looking_back(given, ahead)
                for said in _pushed(Not(ahead)):
                    yield "always", Binary("implies", given, said)


def _looking_back(given: Formula, ahead: Formula) -> Iterator[_Stated]:
    """It must not be that `ahead` comes after `given`: at what comes, that `given` was before."""
    match ahead:
        case Temporal("eventually", window, body):
            yield "never", _both(body, Temporal("once", window, given))
        case Temporal("next", window, body):
            yield "never", _both(body, Temporal("previous", window, given))


def _parts(invariant: InvariantSpec) -> Iterator[Formula]:
    """`p implies q` and `p implies eventually r` of `always: p implies (q and eventually r)`."""
    match invariant.form, invariant.formula:
        case "always", Binary("implies", left, right):
            ahead, rest = _split(right)
            if ahead is not None and rest:
                yield Binary("implies", left, reduce(_both, rest))
                yield Binary("implies", left, ahead)


def _both(left: Formula, right: Formula) -> Formula:
    return Binary("and", left, right)


def _split(formula: Formula) -> tuple[Formula | None, list[Formula]]:
    """The only conjunct with a future operator, if there is just one, and the others."""
    members = [*conjuncts(formula)]
    ahead = [member for member in members if _speaks_ahead(member)]
    if len(ahead) != 1:
        return None, members
    return ahead[0], [member for member in members if member is not ahead[0]]


def _speaks_ahead(formula: Formula) -> bool:
    body = formula.body if isinstance(formula, Not) else formula
    return isinstance(body, Temporal | Until) and body.operator in FUTURE_OPERATORS


def _pushed(formula: Formula) -> Iterator[Formula]:
    """`not eventually q` is `always not q`, and the other way round."""
    match formula:
        case Not(Not(body)):
            yield body
        case Not(Temporal("eventually", window, body)):
            yield Temporal("always", window, _negated(body))
        case Not(Temporal("always", window, body)):
            yield Temporal("eventually", window, _negated(body))
        case _:
            pass


def _negated(formula: Formula) -> Formula:
    return formula.body if isinstance(formula, Not) else Not(formula)
