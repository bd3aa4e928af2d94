"""Short conditions: a set of valuations written as a formula that a person can read.

Input: the valuations that a condition must accept, those that it must reject, and their atoms; any
other valuation is impossible and may go either way. Output: a disjunction of conjunctions. A
valuation is an integer whose bit i is the truth of atom i.

Method: each uncovered valuation is widened by dropping literals while no rejected valuation is
accepted; the widest result of a few orders is kept; redundant ones are removed at the end. The
result is short, deterministic and not always the shortest.

Source: the expand and irredundant steps of Espresso (Brayton et al. 1984).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from ..formula.ast import Binary, Formula, Not


class Cube(NamedTuple):
    """A conjunction of literals: the atoms that it names, and which of them are to be true."""

    mask: int
    wanted: int

    def takes(self, valuation: int) -> bool:
        """True if the conjunction is true."""
        return valuation & self.mask == self.wanted


def cover(taken: Sequence[int], refused: Sequence[int], atoms_count: int) -> list[Cube]:
    """Cubes that take each of the one and none of the other; none at all for an empty set.

    Cost: `len(taken) * atoms_count ** 2 * len(refused)` at the worst.
    """
    cubes: list[Cube] = []
    for valuation in sorted(taken):
        if not any(cube.takes(valuation) for cube in cubes):
            cubes.append(_widened(valuation, taken, refused, atoms_count))
    for cube in list(cubes):
        others = [other for other in cubes if other is not cube]
        if all(any(other.takes(v) for other in others) for v in taken):
            cubes = others
    return sorted(cubes, key=lambda cube: (cube.mask.bit_count(), -cube.mask, -cube.wanted))


def _widened(
    valuation: int, taken: Sequence[int], refused: Sequence[int], atoms_count: int
) -> Cube:
    found = []
    for first in range(max(atoms_count, 1)):
        mask = (1 << atoms_count) - 1
        for step in range(atoms_count):
            narrower = mask & ~(1 << (first + step) % atoms_count)
            if not any((v ^ valuation) & narrower == 0 for v in refused):
                mask = narrower
        cube = Cube(mask, valuation & mask)
        size = sum(map(cube.takes, taken))
        found.append((mask.bit_count(), -size, -mask, cube))
    return min(found)[3]


def condition(cubes: Sequence[Cube], atoms: Sequence[Formula]) -> Formula | None:
    """The cubes as a formula; None if it is always true. There must be a cube."""
    conjunctions = [_conjunction(cube, atoms) for cube in cubes]
    members = [member for member in conjunctions if member is not None]
    if len(members) < len(conjunctions):
        return None
    return reduce(lambda left, right: Binary("or", left, right), members)


def _conjunction(cube: Cube, atoms: Sequence[Formula]) -> Formula | None:
    literals = [
        atom if cube.wanted >> index & 1 else Not(atom)
        for index, atom in enumerate(atoms)
        if cube.mask >> index & 1
    ]
    # What is true is read first.
    literals.sort(key=lambda literal: isinstance(literal, Not))
    if not literals:
        return None
    return reduce(lambda left, right: Binary("and", left, right), literals)
