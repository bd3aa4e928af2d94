"""Reads a formula, and recognises an expression of CEL in its place.

Newcomers write `never: tool == "pay"`. A formula has no fields: it combines predicates, and a name
next to `==` is a variable. So a text that is valid CEL and names only fields of events is refused
as a whole (E418), even if it is a valid formula.
"""

from __future__ import annotations

from typing import Final

from ..cel.ast import free_names
from ..cel.functions import FIELD_TYPES
from ..cel.lexer import SyntaxFault
from ..cel.parser import parse
from ..formula.ast import Atom, Formula
from ..formula.parser import parse_formula_at
from ..model.errors import Fault, SpecError
from ..model.source_text import SourceText
from .typed_yaml import Shape

SHOWN_CHARACTERS_MAX: Final = 60  # Chosen: a longer expression is not repeated, to keep the line.


def read_formula(source: SourceText, shape: Shape) -> Formula | None:
    """The formula; None if a fault was reported."""
    formula: Formula | None = None
    faults: tuple[Fault, ...] = ()
    try:
        formula = parse_formula_at(source.text, file=shape.file, locate=source.place_at)
    except SpecError as error:
        faults = error.faults
    # A single name is a predicate; `check/specs.py` checks if it is declared.
    if not isinstance(formula, Atom) and _is_expression(source):
        message = "this is an expression about one event; a formula combines predicates"
        shape.add(source.place_at(0), "E418", message, mend_of_expression(source.text))
        return None
    shape.faults.extend(faults)
    return formula


def mend_of_expression(text: str) -> str:
    """The correction that makes a predicate of an expression."""
    shown = " ".join(text.split())
    if len(shown) > SHOWN_CHARACTERS_MAX or not shown.isprintable():
        return "declare it under `predicates:` with a name, and use that name here"
    return f"declare it under `predicates:`, as in `p: {shown}`, and write its name here: `p`"


def _is_expression(source: SourceText) -> bool:
    """True if it is valid CEL and names only fields of events."""
    try:
        names = {name.name for name in free_names(parse(source, explains=False))}
    except SyntaxFault:
        return False
    return bool(names) and names <= FIELD_TYPES.keys()
