"""Lists that no expression of their file names; of predicates and sources `check.py` warns."""

from __future__ import annotations

from ..cel.ast import Name, walk
from ..cel.check import list_name
from ..cel.parser import parse
from ..spec import Spec


def unused_lists(spec: Spec) -> list[str]:
    """Their names; none where some expression finds its list at the event only."""
    written = [text for source in spec.sources for text in (source.when, source.values)]
    for predicate in spec.predicates:
        written += [predicate.when, *(value for _, value in predicate.values)]
    nodes = [node for source in written for node in walk(parse(source))]
    named = [name for node in nodes if (name := list_name(node)) is not None]
    mentions = sum(isinstance(node, Name) and node.name == "lists" for node in nodes)
    return [] if mentions > len(named) else [name for name in spec.lists if name not in named]
