"""Lists that no expression of their file uses (`check/specs.py`: predicates and sources)."""

from __future__ import annotations

from ..check.checked import CheckedSpec


def unused_lists(spec: CheckedSpec) -> list[str]:
    """The names of unused lists; empty if an expression chooses a list at run time."""
    named: set[str] = set()
    for declared in spec.declared:
        for expression in declared.expressions:
            lists = expression.references.lists
            if lists is None:
                return []
            named |= lists
    return [name for name in spec.lists if name not in named]
