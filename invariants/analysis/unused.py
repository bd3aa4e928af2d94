"""Lists that no expression of their file uses (`check.py`: predicates and sources)."""

from __future__ import annotations

from ..cel.parser import parse
from ..cel.references import references_of
from ..spec import Spec


def unused_lists(spec: Spec) -> list[str]:
    """The names of unused lists; empty if an expression chooses a list at run time."""
    written = [text for source in spec.sources for text in (source.when, source.values)]
    for predicate in spec.predicates:
        written += [predicate.when, *(value for _, value in predicate.values)]
    named: set[str] = set()
    for source in written:
        lists = references_of(parse(source)).lists
        if lists is None:
            return []
        named |= lists
    return [name for name in spec.lists if name not in named]
