"""A trained model: usual values, two heads, their zero, and the threshold of an alarm.

Pure values; `training.py` creates them, `model_file.py` writes and reads them, and `detector.py`
uses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from detectors.baseline import Baseline
from detectors.calibrate import Calibration
from detectors.features import FEATURES
from detectors.forest import Floats, Forest, path_length, path_lengths, shortening
from detectors.novelty import Rarity

FOREST_WEIGHT: Final = 1 / 4
RARITY_WEIGHT: Final = 3 / 4
"""Chosen on recorded sessions (docs/detection.md): rarity finds most attacks there, and the forest
finds sessions that are odd without being rare in any column."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The zero and the unit of one head: per feature the mean contribution over the moments of
    training, and the standard deviation of the sum.
    """

    means: Floats
    deviation: float


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """Converts a row to a score.

    `usual` contains, per feature, the bounds of the middle 90 % of the moments in training.
    """

    forest: Forest
    rarity: Rarity
    by_forest: Head
    by_rarity: Head
    usual: tuple[tuple[float, float], ...]

    def value(self, row: list[float]) -> float:
        """The score: the weighted mean of both heads in standard deviations; larger is stranger."""
        path = path_length(self.forest, np.array(row))
        begin = _expected_at_roots(self.forest)
        forest = (begin - path - float(self.by_forest.means.sum())) / self.by_forest.deviation
        terms = sum(self.rarity.terms(row)) - float(self.by_rarity.means.sum())
        return FOREST_WEIGHT * forest + RARITY_WEIGHT * terms / self.by_rarity.deviation

    def values(self, rows: list[list[float]]) -> Floats:
        """`value` of many rows, to rounding; faster than one by one from some ten on."""
        parts = self.parts(rows)
        values: Floats = parts @ np.array([FOREST_WEIGHT, RARITY_WEIGHT])
        return values

    def parts(self, rows: list[list[float]]) -> Floats:
        """The scores of each head for many rows, `float64[n, 2]`: forest, rarity."""
        begin = _expected_at_roots(self.forest) - float(self.by_forest.means.sum())
        forest = (begin - path_lengths(self.forest, np.array(rows))) / self.by_forest.deviation
        terms = np.array([sum(self.rarity.terms(row)) for row in rows])
        rarity = (terms - float(self.by_rarity.means.sum())) / self.by_rarity.deviation
        return np.stack([forest, rarity], axis=1)

    def shares(self, row: list[float]) -> Floats:
        """The contribution of each feature to the score, `float64[F]`; they sum to `value`, to
        rounding.
        """
        _, falls = shortening(self.forest, np.array(row))
        forest = (falls - self.by_forest.means) / self.by_forest.deviation
        terms = (np.array(self.rarity.terms(row)) - self.by_rarity.means) / self.by_rarity.deviation
        shares: Floats = FOREST_WEIGHT * forest + RARITY_WEIGHT * terms
        return shares


@dataclass(frozen=True, slots=True)
class Training:
    """How a model came to be, for people and for `digest`s; nothing of it changes a score."""

    sessions_count: int
    groups_count: int
    moments_count: int
    """Scored actions in training."""
    grouped_by: str
    calibration: Literal["split", "cross"]
    seed: int
    made_with: str
    """Name and version of the library that grew the forest."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Everything that scoring needs. `key` is None if it is stored in a separate file."""

    heads: Heads
    baseline: Baseline
    calibration: Calibration
    training: Training
    key: bytes | None
    key_digest: bytes
    """Tells whether a key file is the one that the model was trained with."""


def make_head(added: Floats) -> Head:
    """A head from the contribution of each feature at each moment of training, `float64[n, F]`."""
    deviation = float(added.sum(axis=1).std())
    # If all moments are equal there is no unit; 1 keeps scores finite.
    return Head(added.mean(axis=0), deviation if deviation > 1e-9 else 1.0)


def usual_of(rows: Floats) -> tuple[tuple[float, float], ...]:
    """Per feature, the 5th and the 95th of 100 parts of the moments in training."""
    assert rows.shape[1] == len(FEATURES)
    low, high = np.quantile(rows, (0.05, 0.95), axis=0)
    return tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))


def _expected_at_roots(forest: Forest) -> float:
    return float(forest.length.take(forest.roots).sum()) / forest.trees_count
