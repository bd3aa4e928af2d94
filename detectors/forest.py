"""The isolation forest as flat arrays: scores and attributions with numpy alone.

Input: rows of features. Output: scores equal to scikit-learn's `score_samples` to 1e-12, and how
much each feature shortened the paths. Training is in `forest_training.py`.

Source: F. T. Liu, K. M. Ting, Z.-H. Zhou, "Isolation Forest", ICDM 2008, section 4; rows are
cast to float32 and compared to float64 thresholds by `<=`, as scikit-learn does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_EULER_GAMMA: Final = 0.5772156649015329


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees laid end to end; `int64[n]` or `float64[n]` over all nodes.

    A leaf is its own child on both sides and has the threshold +inf, so that every row takes
    `depth_max` steps through every tree, leaves included.
    """

    features_count: int
    samples_max: int
    """Rows that each tree was grown from."""
    depth_max: int
    roots: Integers
    children: Integers
    """`int64[2n]`: left and right of each node, by turns."""
    feature: Integers
    threshold: Floats
    length: Floats
    """For a leaf: its depth and the mean path below it (`c(n)`). For an inner node: the expected
    rest, which is the mean over the training rows that passed it."""

    @property
    def trees_count(self) -> int:
        return len(self.roots)


def mean_path(rows_count: int) -> float:
    """`c(n)`, the mean path of a search that fails in a tree of n rows (Liu et al., eq. 1)."""
    if rows_count <= 1:
        return 0.0
    if rows_count == 2:
        return 1.0
    harmonic = math.log(rows_count - 1.0) + _EULER_GAMMA
    return 2.0 * harmonic - 2.0 * (rows_count - 1.0) / rows_count


def path_length(forest: Forest, row: Floats) -> float:
    """The mean path of one row, `float64[F]`; short is strange. Cost: `depth_max` numpy steps."""
    leaves = _walk(forest, _cast(row))
    return float(forest.length.take(leaves).sum()) / forest.trees_count


def path_lengths(forest: Forest, rows: Floats) -> Floats:
    """Mean paths of many rows, `float64[n, F]`. Memory: 8 bytes for each row and tree."""
    cast = _cast(rows)
    nodes = np.broadcast_to(forest.roots, (len(cast), forest.trees_count))
    numbers = np.arange(len(cast))[:, None]
    for _ in range(forest.depth_max):
        goes_right = cast[numbers, forest.feature[nodes]] > forest.threshold[nodes]
        nodes = forest.children[nodes * 2 + goes_right]
    lengths: Floats = forest.length[nodes].sum(axis=1) / forest.trees_count
    return lengths


def shortening(forest: Forest, row: Floats) -> tuple[float, Floats]:
    """The reduction of the mean path by each feature, `float64[F]`, and the initial expectation.

    At each node that a row passes, the reduction of the expected length is credited to the feature
    of its split. They are additive: begin - sum(reductions) = `path_length`, to rounding.
    """
    cast = _cast(row)
    falls = np.zeros(forest.features_count)
    nodes = forest.roots
    begin = float(forest.length.take(nodes).sum())
    for _ in range(forest.depth_max):
        split_on = forest.feature.take(nodes)
        goes_right = cast.take(split_on) > forest.threshold.take(nodes)
        following = forest.children.take(nodes * 2 + goes_right)
        fall = forest.length.take(nodes) - forest.length.take(following)
        falls += np.bincount(split_on, weights=fall, minlength=forest.features_count)
        nodes = following
    return begin / forest.trees_count, falls / forest.trees_count


def _walk(forest: Forest, cast: npt.NDArray[np.float32]) -> Integers:
    nodes = forest.roots
    feature, threshold, children = forest.feature, forest.threshold, forest.children
    for _ in range(forest.depth_max):
        goes_right = cast.take(feature.take(nodes)) > threshold.take(nodes)
        nodes = children.take(nodes * 2 + goes_right)
    return nodes


def _cast(rows: Floats) -> npt.NDArray[np.float32]:
    """As in scikit-learn. A value that is not a number would always go left and look ordinary."""
    assert np.isfinite(rows).all(), "features are finite"
    cast: npt.NDArray[np.float32] = rows.astype(np.float32)
    return cast
