"""The kinds of events and the tools for which a predicate can be true, according to its text.

Input: a predicate as written. Output: two sets, or None for any. Only `==` and `in` between `kind`
or `tool` and literals are analysed, below `&&` and `||`; any other expression may be true for any
event. So only the exclusion of events outside the sets is certain.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from ..cel.ast import Comparison, Constant, ListOf, Logical, Name, Node
from ..check.checked import CheckedPredicate, CheckedSource, CheckedSpec

Words = frozenset[str] | None


class Asked(msgspec.Struct, frozen=True):
    """The kinds and tools of the events of which a predicate can be true."""

    kinds: Words = None
    tools: Words = None

    def both(self, other: Asked) -> Asked:
        """Of an event of which both are true."""
        return Asked(_both(self.kinds, other.kinds), _both(self.tools, other.tools))

    @property
    def is_possible(self) -> bool:
        """True if such an event can exist."""
        return self.kinds != frozenset() and self.tools != frozenset()


ANYTHING: Final = Asked()
SESSION_END: Final = Asked(frozenset({"session.ended"}))


def asked_by_predicates(spec: CheckedSpec) -> dict[str, Asked]:
    """For each predicate of a file the events of which it can be true."""
    return {predicate.name: asked_by(predicate) for predicate in spec.predicates}


def asked_by(declared: CheckedPredicate | CheckedSource) -> Asked:
    """The events of which a predicate can be true, or that a source can be shown something by."""
    node = declared.when.node
    return Asked(_words(node, "kind"), _words(node, "tool"))


def _words(node: Node, field: Literal["kind", "tool"]) -> Words:
    match node:
        case Logical("&&", operands):
            words: Words = None
            for operand in operands:
                words = _both(words, _words(operand, field))
            return words
        case Logical("||", operands):
            return _either(_words(operand, field) for operand in operands)
        case Comparison("==", Name(name), Constant(str() as word)) if name == field:
            return frozenset({word})
        case Comparison("==", Constant(str() as word), Name(name)) if name == field:
            return frozenset({word})
        case Comparison("in", Name(name), ListOf(elements)) if name == field:
            return _either(map(_word, elements))
        case _:
            return None


def _word(node: Node) -> Words:
    match node:
        case Constant(str() as word):
            return frozenset({word})
        case _:
            return None


def _both(one: Words, other: Words) -> Words:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _either(parts: Iterable[Words]) -> Words:
    found: frozenset[str] = frozenset()
    for words in parts:
        if words is None:
            return None
        found |= words
    return found
