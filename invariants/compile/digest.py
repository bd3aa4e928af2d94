"""The digest of an invariant: of everything that can change its verdicts, and nothing else.

States are stored under it, and findings contain it: invariants with the same digest have the same
meaning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final

import msgspec

from ..cel.references import describe
from ..check.checked import CheckedPredicate, CheckedSpec
from ..check.safety import atoms_of, subformulas
from ..formula.ast import AggregateComparison, Formula
from ..formula.format import format_formula
from ..runtime.data_source import describe_sources
from ..spec.model import InvariantSpec

PROGRAM_VERSION: Final = 5
"""Raised whenever the same file could give another verdict than before."""


def invariant_digest(spec: CheckedSpec, invariant: InvariantSpec) -> str:
    """Of an invariant, over the predicates of its file.

    It covers everything that the invariant refers to, directly or indirectly: predicates with the
    values that the formula reads, lists, sources. It does not cover the order of declarations in
    the file or the layout of expressions.
    """
    used = _values_used(invariant.formula)
    predicates = [predicate for predicate in spec.predicates if predicate.name in used]
    asked = frozenset[str]().union(*(predicate.sources for predicate in predicates))
    parts = [
        PROGRAM_VERSION,
        invariant.id,
        invariant.form,
        format_formula(invariant.formula),
        invariant.on_unknown,
        invariant.per,
        sorted(_describe(predicate, used[predicate.name], spec) for predicate in predicates),
        describe_sources(spec, asked),
    ]
    text = msgspec.json.encode(parts, order="deterministic")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def _values_used(formula: Formula) -> dict[str, set[str]]:
    """The predicates of a formula, each with the names of the values that the formula reads."""
    used: dict[str, set[str]] = {}
    for atom in atoms_of(formula):
        used.setdefault(atom.predicate, set()).update(name for name, _ in atom.arguments)
    for node in subformulas(formula):
        if isinstance(node, AggregateComparison):
            for aggregate in node.aggregates:
                if aggregate.value is not None:
                    used[aggregate.atom.predicate].add(aggregate.value)
    return used


def _describe(
    predicate: CheckedPredicate, used: Collection[str], spec: CheckedSpec
) -> tuple[str, object]:
    values = {n: describe(value.node, spec.lists) for n, value in predicate.values if n in used}
    return predicate.name, [describe(predicate.when.node, spec.lists), values]
