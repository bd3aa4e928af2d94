"""Explains a score: the features with the largest contributions, with actual and usual values.

Input: heads and a row. Output: reasons, the largest first. Shares are additive: over all features
they sum to the score (path attribution for the forest, the terms themselves for rarity).
"""

from __future__ import annotations

from typing import Final

from detectors.contract import Reason
from detectors.features import FEATURES
from detectors.model import Heads

REASONS_MAX: Final = 5


def explain(heads: Heads, row: list[float], reasons_max: int = REASONS_MAX) -> tuple[Reason, ...]:
    """The features that raised the score most; those that lowered it are left out."""
    shares = heads.shares(row)
    order = sorted(range(len(FEATURES)), key=lambda index: (-shares[index], index))
    return tuple(
        Reason(
            feature=FEATURES[index].name,
            meaning=FEATURES[index].meaning,
            unit=FEATURES[index].unit,
            value=row[index],
            usual=heads.usual[index],
            share=float(shares[index]),
        )
        for index in order[:reasons_max]
        if shares[index] > 0
    )
