"""Which events a comparison of an aggregate needs: as few of the latest as will show it."""

from __future__ import annotations

import pytest

from invariants.formula.ast import AggregateFunction, Operator
from invariants.operators.minimal_witness import needed
from invariants.operators.tally import Sample


@pytest.mark.parametrize(
    ("function", "relation", "bound", "values", "positions"),
    [
        ("count", ">", 1, [1, 1, 1], [2, 1]),
        ("count", ">=", 1, [1, 1, 1], [2]),
        ("count", "<=", 3, [1, 1], [1, 0]),  # That there are few is shown by all.
        ("sum", ">", 10, [9, 1, 2, 8], [3, 2, 1]),
        ("sum", ">", 8, [9, 2, 1], [0]),  # With the 9 the later ones are not needed.
        ("sum", ">=", 10, [9, 1, 2, 8], [3, 2]),
        ("sum", ">", 2, [5, -1], [1, 0]),  # A negative amount may not be left out.
        ("max", ">", 4, [5, 3, 4], [0]),
        ("max", ">=", 4, [5, 3, 4], [2]),
        ("max", "<", 9, [5, 3], [1, 0]),
        ("min", "<", 4, [1, 5, 3, 4], [2]),
        ("min", "<=", 4, [1, 5, 3, 4], [3]),
        ("avg", ">", 1, [2, 3], [1, 0]),
        ("distinct", ">", 1, [1, 2, 2], [2, 0]),
        ("distinct", ">=", 2, [1, 2, 1], [2, 1]),
    ],
)
def test_the_latest_that_suffice(
    function: AggregateFunction,
    relation: Operator,
    bound: int,
    values: list[int],
    positions: list[int],
) -> None:
    """Latest first; none of them can be left out, unless all stand."""
    samples = [Sample(0, n, f"e{n}", True, (value,)) for n, value in enumerate(values)]
    found = needed(samples[::-1], function, relation, bound)
    assert [sample.position for sample in found] == positions
