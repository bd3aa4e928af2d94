"""Checked files -> the image of their program."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields

from ..check.checked import CheckedSpec
from ..compile.automaton import declared_of
from ..compile.digest import PROGRAM_VERSION, invariant_digest
from ..compile.lower import build_tables
from ..model.limits import DEFAULT_LIMITS, Limits
from ..runtime.data_source import source_digest
from ..runtime.tables import Tables
from ..spec.model import WIDER, InvariantSpec, Per
from .alphabets import EXPRESSIONS, FORMULAS
from .flat import Writer
from .model import (
    FileImage,
    InvariantImage,
    PredicateImage,
    ProgramImage,
    ScopeImage,
    SourceImage,
)


def image_of(specs: Sequence[CheckedSpec], limits: Limits = DEFAULT_LIMITS) -> ProgramImage:
    """The image of a program. It contains what invariants that are enabled use."""
    expressions = Writer(EXPRESSIONS)
    sources: dict[str, SourceImage] = {}
    files, predicates = list[FileImage](), list[PredicateImage]()
    invariants: list[InvariantImage] = []
    for number, spec in enumerate(specs):
        places = _take_sources(number, spec, expressions, sources)
        lists = {name: expressions.content(elements) for name, elements in spec.lists.items()}
        files.append(FileImage(spec.file, lists, places))
        made = [_invariant(number, spec, one, limits) for one in spec.invariants if one.is_enabled]
        invariants += made
        used = {name for one in made for name in one.tables["predicates"][1:]}
        predicates += _predicates(number, spec, used, expressions)
    order = [one.declared.digest for one in invariants]
    whole = hashlib.blake2b(str(PROGRAM_VERSION).encode(), digest_size=8)
    for digest in order:
        whole.update(digest.encode())

    def scope(per: Per) -> ScopeImage:
        return ScopeImage(per, [one for one in invariants if one.declared.per == per])

    kinds = {one.declared.per for one in invariants}
    return ProgramImage(
        digest=whole.hexdigest(),
        limits=limits,
        files=files,
        expressions=expressions.parts,
        predicates=predicates,
        sources=list(sources.values()),
        scopes=[scope("session"), *(scope(per) for per in WIDER if per in kinds)],
        order=order,
        warnings=[fault for spec in specs for fault in spec.warnings],
    )


def _take_sources(
    number: int, spec: CheckedSpec, expressions: Writer, sources: dict[str, SourceImage]
) -> dict[str, int]:
    """Adds a file's sources, by their digests; returns the place of each in the program.

    Files with the same declaration share its memory.
    """
    places: dict[str, int] = {}
    for source in spec.sources:
        digest = source_digest(source, spec.lists)
        if digest not in sources:
            when, values = (expressions.number(part.node) for part in source.expressions)
            sources[digest] = SourceImage(number, source.name, digest, when, values)
        places[source.name] = list(sources).index(digest)
    return places


def _predicates(
    number: int, spec: CheckedSpec, used: set[str], expressions: Writer
) -> list[PredicateImage]:
    return [
        PredicateImage(
            number,
            predicate.name,
            expressions.number(predicate.when.node),
            [(name, expressions.number(value.node)) for name, value in predicate.values],
        )
        for predicate in spec.predicates
        if predicate.name in used
    ]


def _invariant(
    number: int, spec: CheckedSpec, invariant: InvariantSpec, limits: Limits
) -> InvariantImage:
    writer = Writer(FORMULAS)
    tables = build_tables(invariant, limits)
    # Operators first, in the order of their cells.
    for memory in tables.memories:
        writer.number(memory)
    content = {one.name: writer.content(getattr(tables, one.name)) for one in fields(Tables)}
    declared = declared_of(invariant, invariant_digest(spec, invariant))
    return InvariantImage(number, declared, writer.parts, content)
