"""Trains an isolation forest: the only file that imports scikit-learn.

Input: rows of features and a seed. Output: a `Forest` of flat arrays. The same rows, seed and
version of scikit-learn give the same forest.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from detectors.contract import ModelError
from detectors.forest import Floats, Forest, Integers, mean_path

TREES_COUNT: Final = 100
SAMPLES_MAX: Final = 256
"""Source for both: Liu et al. 2008, section 4.4; more of either changed nothing there."""


def grow_forest(rows: Floats, seed: int, trees_count: int = TREES_COUNT) -> Forest:
    """A forest trained on `float64[n, F]` rows.

    Raises
    ------
    ModelError
        There are fewer than two rows, or scikit-learn is not installed.
    """
    if len(rows) < 2:
        raise ModelError(f"a forest needs at least 2 scored actions; there are {len(rows)}")
    return flatten(fit(rows, seed, trees_count))


def fit(rows: Floats, seed: int, trees_count: int = TREES_COUNT) -> Any:
    """scikit-learn's own forest of the same rows; tests compare ours with it."""
    try:
        from sklearn.ensemble import IsolationForest
    except ImportError:
        raise ModelError("training needs more packages: pip install 'interlock[train]'") from None
    model = IsolationForest(
        n_estimators=trees_count, max_samples=min(SAMPLES_MAX, len(rows)), random_state=seed
    )
    return model.fit(rows.astype(np.float32))


def flatten(model: Any) -> Forest:
    """scikit-learn's forest as flat arrays."""
    roots, lefts, rights, features, thresholds, lengths = [], [], [], [], [], []
    offset = depth_max = 0
    for estimator, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        tree = estimator.tree_
        is_leaf = tree.children_left < 0
        own = np.arange(len(is_leaf))
        left = np.where(is_leaf, own, tree.children_left)
        right = np.where(is_leaf, own, tree.children_right)
        roots.append(offset)
        lefts.append(left + offset)
        rights.append(right + offset)
        features.append(np.where(is_leaf, 0, columns[tree.feature]))
        thresholds.append(np.where(is_leaf, np.inf, tree.threshold))
        lengths.append(_lengths(tree.n_node_samples, left, right, is_leaf))
        depth_max = max(depth_max, int(tree.max_depth))
        offset += len(is_leaf)
    return Forest(
        features_count=int(model.n_features_in_),
        samples_max=int(model.max_samples_),
        depth_max=depth_max,
        roots=np.array(roots, dtype=np.int64),
        children=np.stack([np.concatenate(lefts), np.concatenate(rights)], 1).ravel(),
        feature=np.concatenate(features).astype(np.int64),
        threshold=np.concatenate(thresholds).astype(np.float64),
        length=np.concatenate(lengths),
    )


def _lengths(counts: Integers, left: Integers, right: Integers, is_leaf: Integers) -> Floats:
    """Path lengths of leaves, and the expected ones of inner nodes, from the leaves up.

    Children come after their parents in scikit-learn's arrays, so one pass each way suffices.
    """
    depth = np.zeros(len(counts))
    for node in range(len(counts)):
        if not is_leaf[node]:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
    lengths = np.zeros(len(counts))
    for node in reversed(range(len(counts))):
        if is_leaf[node]:
            lengths[node] = depth[node] + mean_path(int(counts[node]))
        else:
            inner = counts[left[node]] * lengths[left[node]]
            inner += counts[right[node]] * lengths[right[node]]
            lengths[node] = inner / counts[node]
    return lengths
