"""The two sides of `since` and `until`: what is known of them beforehand."""

from __future__ import annotations

from .nodes import FALSE_NODE, TRUE_NODE, Node, atoms
from .specialise import Known, folded


def touched_sides(
    left: Node | None, right: Node, known: Known, is_end: bool
) -> tuple[Node | None, Node] | None:
    """Both sides folded; a true left side becomes none. None if neither has an effect."""
    if left is not None:
        left = folded(left, known, is_end)
    if left is TRUE_NODE:
        left = None
    right = folded(right, known, is_end)
    return None if left is None and right is FALSE_NODE else (left, right)


def names_all(left: Node | None, slots: tuple[int, ...]) -> bool:
    """True if each atom of a left side that names a variable names all of them."""
    spoken = [] if left is None else [atom for atom in atoms(left) if atom.slots]
    return all({slot for _, slot in atom.slots} == set(slots) for atom in spoken)
