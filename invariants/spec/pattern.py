"""Reads `pattern:` of an invariant and expands it to its formula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ..formula.ast import UNBOUNDED, Atom, Formula, Window
from ..formula.parser import parse_span
from ..model.errors import SpecError
from ..yaml.faults import E_KEY_UNKNOWN, E_SHAPE
from ..yaml.nodes import YamlMap, YamlNode, YamlScalar
from . import allowed_calls
from .formula import read_formula
from .model import PredicateSpec
from .pattern_table import PATTERNS, Form, Parts, Pattern
from .typed_yaml import Shape, did_you_mean, sort_of

TIMES_MAX: Final = 2**31 - 1  # Chosen: far beyond any count that a session can hold.


class Expansion(NamedTuple):
    """The form and formula that a pattern abbreviates, with the predicates that it makes."""

    form: Form
    formula: Formula
    predicates: tuple[PredicateSpec, ...] = ()


def read_pattern(node: YamlNode, identity: str, shape: Shape) -> Expansion | None:
    """The expansion of a pattern of the invariant `identity`; None if a fault was reported."""
    top = shape.map_of(node, "`pattern`")
    if top is None:
        return None
    if len(top.entries) != 1:
        message = f"`pattern` takes one pattern, not {len(top.entries)}"
        shape.add(top.place, E_SHAPE, message, "write one invariant for each")
        return None
    key, value = top.entries[0]
    if key.text == allowed_calls.NAME:
        expanded = allowed_calls.read_allowed_calls(value, identity, shape)
        return None if expanded is None else Expansion("never", *expanded)
    pattern = PATTERNS.get(key.text)
    if pattern is None:
        message = f"there is no pattern `{key.text}`"
        shape.add(
            key.place,
            E_KEY_UNKNOWN,
            message,
            did_you_mean(key.text, (*PATTERNS, allowed_calls.NAME)),
        )
        return None
    told_before = len(shape.faults)
    read = _read_items if pattern.is_list else _read_parts
    parts = read(value, f"the pattern `{key.text}`", pattern, shape)
    if parts is None or len(shape.faults) > told_before:
        return None
    return Expansion(*pattern.expand(parts))


def _read_items(node: YamlNode, what: str, pattern: Pattern, shape: Shape) -> Parts | None:
    items = shape.items_of(node, what)
    if items is None:
        return None
    if len(items) < 2:
        shape.add(node.place, E_SHAPE, f"{what} needs at least two events", "name them in order")
        return None
    formulas = [_read_formula(item, f"an item of {what}", shape) for item in items]
    return Parts({}, [formula for formula in formulas if formula is not None])


def _read_parts(node: YamlNode, what: str, pattern: Pattern, shape: Shape) -> Parts | None:
    top = shape.map_of(node, what)
    if not isinstance(top, YamlMap):
        return None
    keys = shape.keys_of(top, what, (*pattern.required, *pattern.optional), pattern.required)
    formulas: dict[str, Formula] = {}
    for name, value in keys.items():
        if name in ("within", "times"):
            continue
        formula = _read_formula(value, f"`{name}` of {what}", shape)
        if formula is None:
            continue
        formulas[name] = formula
        if name in pattern.atoms and not isinstance(formula, Atom):
            message = f"`{name}` of {what} must be one predicate, since it is counted"
            mend = "declare a predicate for it, as in `failed(tool=t)`"
            shape.add(value.place, E_SHAPE, message, mend)
    return Parts(formulas, (), _read_within(keys, what, shape), _read_times(keys, what, shape))


def _read_formula(node: YamlNode, what: str, shape: Shape) -> Formula | None:
    source = shape.expression_of(node, what)
    return read_formula(source, shape) if source is not None else None


def _read_within(keys: Mapping[str, YamlNode], what: str, shape: Shape) -> Window:
    if "within" not in keys:
        return UNBOUNDED
    source = shape.expression_of(keys["within"], f"`within` of {what}")
    if source is None:
        return UNBOUNDED
    try:
        return Window(0, parse_span(source.text, file=shape.file, locate=source.place_at))
    except SpecError as error:
        shape.faults.extend(error.faults)
        return UNBOUNDED


def _read_times(keys: Mapping[str, YamlNode], what: str, shape: Shape) -> int:
    node = keys.get("times")
    if node is None or not shape.has_value(node, f"`times` of {what}"):
        return 0
    value = node.value if isinstance(node, YamlScalar) else None
    if type(value) is int and 0 <= value <= TIMES_MAX:
        return value
    message = f"`times` of {what} must be a whole number from 0, not {sort_of(node)}"
    shape.add(node.place, E_SHAPE, message, "write the allowed number of events, as in `3`")
    return 0
