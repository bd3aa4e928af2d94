"""The digest of an invariant: of everything that can change a verdict of it, and nothing else.

States are stored under it, and findings carry it: what two digests share means the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from .formula.format import format_formula
from .machine import compile_invariant
from .predicate import Predicate
from .showing import describe_sources
from .spec import InvariantSpec, PredicateSpec, Spec

PROGRAM_VERSION: Final = 2
"""Raised whenever the same file could give another verdict than before."""


def invariant_digest(
    spec: Spec, invariant: InvariantSpec, compiled: Mapping[str, Predicate]
) -> str:
    """Of an invariant, over the predicates of its file."""
    named = set(_predicate_names(invariant))
    asked = frozenset[str]().union(*(compiled[name].sources for name in named))
    predicates = [_describe(p) for p in spec.predicates if p.name in named]
    sources = " ".join(str(description) for description in predicates)
    lists = {name: values for name, values in spec.lists.items() if name in sources}
    parts = [
        PROGRAM_VERSION,
        invariant.id,
        invariant.form,
        format_formula(invariant.formula),
        invariant.on_unknown,
        invariant.per,
        predicates,
        lists,
    ]
    if asked:
        parts.append(describe_sources(spec, asked))
    text = msgspec.json.encode(parts, order="deterministic")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def _predicate_names(invariant: InvariantSpec) -> tuple[str, ...]:
    return compile_invariant(invariant).tables.predicates


def _describe(predicate: PredicateSpec) -> list[object]:
    values = [[name, source.text] for name, source in predicate.values]
    return [predicate.name, predicate.when.text, values]
