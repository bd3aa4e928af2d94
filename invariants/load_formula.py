"""Text of a file into a formula, and what to say where it is an expression of CEL instead.

Newcomers write `never: tool == "pay"`. A formula has no fields: it is written over predicates, and
a name beside `==` is a variable. So text that CEL can read, and that names nothing but fields of
events, is refused as a whole (E418), whatever formulas make of its parts.
"""

from __future__ import annotations

from typing import Final

from .cel.ast import free_names
from .cel.functions import FIELD_TYPES
from .cel.lexer import SyntaxFault
from .cel.parser import parse
from .errors import Fault, SpecError
from .formula.ast import Atom, Formula
from .formula.parser import parse_formula_at
from .shape import Shape
from .spec import Source

SHOWN_CHARACTERS_MAX: Final = 60  # Chosen: a longer expression is not repeated, to keep the line.


def read_formula(source: Source, shape: Shape) -> Formula | None:
    """The formula; None where a fault was told."""
    formula: Formula | None = None
    faults: tuple[Fault, ...] = ()
    try:
        formula = parse_formula_at(source.text, file=shape.file, locate=source.place_at)
    except SpecError as error:
        faults = error.faults
    # A lone name is a predicate: whether there is one of that name is not known here.
    if not isinstance(formula, Atom) and _is_expression(source):
        message = "this is an expression about one event; a formula combines predicates"
        shape.add(source.place_at(0), "E418", message, mend_of_expression(source.text))
        return None
    shape.faults.extend(faults)
    return formula


def mend_of_expression(text: str) -> str:
    """How an expression becomes a predicate."""
    shown = " ".join(text.split())
    if len(shown) > SHOWN_CHARACTERS_MAX or not shown.isprintable():
        return "declare it under `predicates:` with a name, and use that name here"
    return f"declare it under `predicates:`, as in `p: {shown}`, and write its name here: `p`"


def _is_expression(source: Source) -> bool:
    """Does CEL read it, naming fields of events and nothing else?"""
    try:
        names = {name.name for name in free_names(parse(source))}
    except SyntaxFault:
        return False
    return bool(names) and names <= FIELD_TYPES.keys()
