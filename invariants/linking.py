"""The predicates and sources of several files, linked into one program.

Sources get their places in the program, and expressions learn which parts they have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .cel.common import CommonParts
from .checked import CheckedSpec
from .predicate import Predicate, compile_predicate
from .showing import Showing, compile_source


def take_sources(
    spec: CheckedSpec, digest_key: bytes, sources: dict[str, Showing]
) -> dict[str, int]:
    """Adds a file's sources, by their digests; returns the index of each in the program.

    Files with the same declaration share its memory.
    """
    places: dict[str, int] = {}
    for source in spec.sources:
        made = compile_source(
            source,
            file=spec.file,
            lists=spec.lists,
            digest_key=digest_key,
            sources=spec.source_places,
        )
        sources.setdefault(made.digest, made)
        places[source.name] = list(sources).index(made.digest)
    return places


def common_parts(specs: Sequence[CheckedSpec]) -> CommonParts:
    """The parts that expressions of predicates have in common, over all files."""
    common = CommonParts()
    for spec in specs:
        for predicate in spec.predicates:
            for expression in predicate.expressions:
                common.take(expression.node, spec.lists)
    return common


def predicates_of(
    spec: CheckedSpec, digest_key: bytes, places: Mapping[str, int], common: CommonParts
) -> Mapping[str, Predicate]:
    """The predicates of a file, by name; `places` are those of its sources in the program."""
    return {
        predicate.name: compile_predicate(
            predicate, lists=spec.lists, digest_key=digest_key, sources=places, common=common
        )
        for predicate in spec.predicates
    }
