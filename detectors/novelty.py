"""The second head: the rarity of each feature's value, feature by feature.

Input: a row. Output: for each used column (`Feature.is_told`), minus the logarithm of the share of
training moments with a value at least as large. It detects what a forest cannot: a value beyond a
feature that was constant in training, since a forest never splits on one, and the joint deviation
of many features.

Source: one-sided, the idea of Z. Li et al., "ECOD", IEEE TKDE 2022; tails here are of the empirical
distribution with one added, so that an unseen value has a finite score.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from detectors.features import FEATURES

KNOTS_MAX: Final = 1_024
"""Values of one feature that are kept: all of the largest half, and an even choice of the rest."""


@dataclass(frozen=True, slots=True)
class Rarity:
    """Per column: increasing values, and the surprisal (natural logarithm) of reaching each.

    `surprisals` has one more: of exceeding the last value. A column that is not used has neither.
    """

    values: tuple[tuple[float, ...], ...]
    surprisals: tuple[tuple[float, ...], ...]

    def terms(self, row: Sequence[float]) -> list[float]:
        """The contribution of each column; 0 if it is not used. Cost: a bisection each."""
        return [
            rest[bisect_left(values, value)] if rest else 0.0
            for value, values, rest in zip(row, self.values, self.surprisals, strict=True)
        ]


def learn_rarity(rows: Sequence[Sequence[float]]) -> Rarity:
    """From the rows of training."""
    assert rows, "the caller requires some"
    values, surprisals = [], []
    for feature, column in zip(FEATURES, zip(*rows, strict=True), strict=True):
        knots, rest = _tails(sorted(column)) if feature.is_told else ((), ())
        values.append(knots)
        surprisals.append(rest)
    return Rarity(tuple(values), tuple(surprisals))


def _tails(column: list[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Different values that rise, and -ln((n(>= value) + 1) / (n + 1)) of each."""
    count = len(column)
    knots = _kept(sorted(set(column)))
    rest = [-math.log((count - bisect_left(column, knot) + 1) / (count + 1)) for knot in knots]
    return tuple(knots), (*rest, math.log(count + 1))


def _kept(knots: list[float]) -> list[float]:
    """At most `KNOTS_MAX`; the tail of large values is the important part."""
    if len(knots) <= KNOTS_MAX:
        return knots
    half = KNOTS_MAX // 2
    low = knots[:-half]
    return [low[index * len(low) // half] for index in range(half)] + knots[-half:]
