"""Gives equal predicates of several files one name, and different ones different names.

A name belongs to its file. To compare invariants of two files, predicates of equal text (with equal
lists) get one name; different predicates of one name get their file's name added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import assert_never

import msgspec

from ..cel.references import describe
from ..check.checked import CheckedPredicate, CheckedSpec
from ..formula.ast import (
    Aggregate,
    AggregateComparison,
    Atom,
    Binary,
    Comparison,
    Exists,
    Formula,
    Not,
    SessionEnd,
    Temporal,
    Until,
)
from ..runtime.data_source import describe_sources
from ..spec.model import InvariantSpec
from .event_domain import Asked, asked_by


@dataclass(frozen=True, slots=True)
class Named:
    """Invariants with their files, over one set of predicates."""

    invariants: tuple[tuple[CheckedSpec, InvariantSpec], ...]
    asked: Mapping[str, Asked]
    """Of which events each predicate can be true."""
    values: Mapping[str, tuple[str, ...]]
    """The names under `with`."""


def named(specs: Sequence[CheckedSpec]) -> Named:
    """All invariants of all files."""
    known: dict[bytes, str] = {}
    asked: dict[str, Asked] = {}
    values: dict[str, tuple[str, ...]] = {}
    invariants: list[tuple[CheckedSpec, InvariantSpec]] = []
    for spec in specs:
        names: dict[str, str] = {}
        for predicate in spec.predicates:
            meaning = _meaning(spec, predicate)
            if meaning not in known:
                known[meaning] = _free_name(predicate.name, spec.file, asked)
            name = names[predicate.name] = known[meaning]
            asked[name] = asked_by(predicate)
            values[name] = predicate.value_names
        invariants += [
            (spec, replace(invariant, formula=_renamed(invariant.formula, names.__getitem__)))
            for invariant in spec.invariants
        ]
    return Named(tuple(invariants), asked, values)


def _free_name(name: str, file: str, taken: Mapping[str, object]) -> str:
    """The name itself, or with its file, or with a number."""
    short = file.replace("\\", "/").rsplit("/", 1)[-1]
    tried = chain((name, f"{name} ({short})"), (f"{name} ({short} {n})" for n in count(2)))
    return next(one for one in tried if one not in taken)


def _meaning(spec: CheckedSpec, predicate: CheckedPredicate) -> bytes:
    parts = [
        describe(predicate.when.node, spec.lists),
        [[name, describe(value.node, spec.lists)] for name, value in predicate.values],
        describe_sources(spec, predicate.sources),
    ]
    return msgspec.json.encode(parts, order="deterministic")


def _renamed(formula: Formula, name: Callable[[str], str]) -> Formula:
    match formula:
        case Atom():
            return replace(formula, predicate=name(formula.predicate))
        case AggregateComparison(aggregate, _, bound):
            if isinstance(bound, Aggregate):
                bound = _with_name(bound, name)
            return replace(formula, aggregate=_with_name(aggregate, name), bound=bound)
        case SessionEnd() | Comparison():
            return formula
        case Not(body) | Temporal(_, _, body) | Exists(_, body):
            return replace(formula, body=_renamed(body, name))
        case Binary() | Until():
            left, right = _renamed(formula.left, name), _renamed(formula.right, name)
            return replace(formula, left=left, right=right)
    assert_never(formula)


def _with_name(aggregate: Aggregate, name: Callable[[str], str]) -> Aggregate:
    atom = replace(aggregate.atom, predicate=name(aggregate.atom.predicate))
    return replace(aggregate, atom=atom)
