"""The flat forest is scikit-learn's forest, and the second head sees what it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.contract import ModelError
from detectors.features import FEATURES
from detectors.forest import Floats, Forest, mean_path, path_length, path_lengths, shortening
from detectors.forest_training import fit, flatten, grow_forest
from detectors.model import make_head
from detectors.novelty import KNOTS_MAX, learn_rarity

WIDTH = len(FEATURES)
TOLERANCE = 1e-12


def random_rows(seed: int, count: int, *, ties: bool = False) -> Floats:
    """Columns of several sorts: normal, counts with many ties, constant, huge, tiny."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, WIDTH))
    rows[:, 1::5] = random.integers(0, 4, size=rows[:, 1::5].shape)
    rows[:, 2::5] = 7.0
    rows[:, 3::5] *= 1e6
    rows[:, 4::5] *= 1e-6
    return np.round(rows, 1) if ties else rows


def score_rows(forest: Forest, rows: Floats) -> Floats:
    """Scores as the paper and scikit-learn define them: in [-1, 0), small is strange."""
    scores: Floats = -np.exp2(-path_lengths(forest, rows) / mean_path(forest.samples_max))
    return scores


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("seed", "count"), [(0, 2), (1, 7), (2, 255), (3, 256), (4, 3_000)])
def test_scores_equal_scikit_learns(seed: int, count: int, ties: bool) -> None:
    """`score_rows` and `score_samples` agree to 1e-12, on rows of training and on others."""
    trained = random_rows(seed, count, ties=ties)
    model = fit(trained, seed)
    forest = flatten(model)
    asked = np.concatenate([trained, random_rows(seed + 100, 20_000, ties=ties)])
    expected = model.score_samples(asked.astype(np.float32))
    assert np.abs(score_rows(forest, asked) - expected).max() <= TOLERANCE


def test_scores_equal_at_the_edges_of_float32() -> None:
    """On each threshold, and one float32 or float64 beside it, both go the same way."""
    trained = random_rows(5, 500)
    model = fit(trained, 5)
    forest = flatten(model)
    inner = np.flatnonzero(np.isfinite(forest.threshold))[:300]
    rows = []
    for node in inner:
        threshold = forest.threshold[node]
        near32 = np.float32(threshold)
        for value in (
            threshold,
            np.nextafter(threshold, np.inf),
            np.nextafter(threshold, -np.inf),
            float(near32),
            float(np.nextafter(near32, np.float32(np.inf))),
            float(np.nextafter(near32, np.float32(-np.inf))),
        ):
            row = trained[node % len(trained)].copy()
            row[forest.feature[node]] = value
            rows.append(row)
    asked = np.array(rows)
    expected = model.score_samples(asked.astype(np.float32))
    assert np.abs(score_rows(forest, asked) - expected).max() <= TOLERANCE


def test_the_path_of_one_row_is_that_of_many() -> None:
    """The form for one row and the form for many give the same."""
    rows = random_rows(6, 300)
    forest = grow_forest(rows, 6)
    one_by_one = np.array([path_length(forest, row) for row in rows])
    assert np.abs(one_by_one - path_lengths(forest, rows)).max() <= TOLERANCE


def test_mean_path_is_that_of_the_paper() -> None:
    """c(1) = 0, c(2) = 1, and scikit-learn's values beyond."""
    from sklearn.ensemble._iforest import _average_path_length

    counts = np.arange(0, 1_000)
    ours = np.array([mean_path(int(count)) for count in counts])
    assert np.abs(ours - _average_path_length(counts)).max() <= TOLERANCE


def test_the_credits_of_features_add_up() -> None:
    """Where paths begin, less what each feature took off, is the path's length."""
    rows = random_rows(7, 400)
    forest = grow_forest(rows, 7)
    lengths = path_lengths(forest, rows)
    for row, length in zip(rows[:100], lengths, strict=False):
        begin, falls = shortening(forest, row)
        assert begin - falls.sum() == pytest.approx(length, abs=1e-9)


def test_the_same_seed_grows_the_same_forest() -> None:
    """A forest depends on rows and seed alone."""
    rows = random_rows(8, 300)
    first, second, other = grow_forest(rows, 1), grow_forest(rows, 1), grow_forest(rows, 2)
    assert (score_rows(first, rows) == score_rows(second, rows)).all()
    assert (score_rows(first, rows) != score_rows(other, rows)).any()


def test_a_forest_does_not_see_what_was_constant_and_rarity_does() -> None:
    """The reason for the second head: 0 in all of training, then 1,000,000."""
    rows = random_rows(9, 500)
    rows[:, 0] = 0.0
    odd = rows[:1].copy()
    odd[0, 0] = 1e6
    forest, rarity = grow_forest(rows, 9), learn_rarity(rows.tolist())
    assert score_rows(forest, odd) == score_rows(forest, rows[:1])
    assert sum(rarity.terms(odd[0].tolist())) > sum(rarity.terms(rows[0].tolist())) + 5


def test_rarity_is_minus_the_logarithm_of_the_tail() -> None:
    """-ln((n(>= value) + 1) / (n + 1)), and 0 for columns that are not told."""
    column = [0.0, 0.0, 1.0, 2.0]
    rarity = learn_rarity([[value] * WIDTH for value in column])
    terms = {value: rarity.terms([value] * WIDTH)[0] for value in (-1.0, 0.0, 0.5, 1.0, 2.0, 3.0)}
    expected = {-1.0: 5 / 5, 0.0: 5 / 5, 0.5: 3 / 5, 1.0: 3 / 5, 2.0: 2 / 5, 3.0: 1 / 5}
    assert terms == {value: pytest.approx(-np.log(share)) for value, share in expected.items()}
    told = [feature.is_told for feature in FEATURES]
    assert [term > 0 for term in rarity.terms([3.0] * WIDTH)] == told


def test_rarity_keeps_a_bounded_number_of_values() -> None:
    """Past the bound the large values all stay, and surprisals still rise."""
    rarity = learn_rarity(np.random.default_rng(0).normal(size=(5_000, WIDTH)).tolist())
    for values, rest in zip(rarity.values, rarity.surprisals, strict=True):
        assert len(values) <= KNOTS_MAX
        assert list(rest) == sorted(rest)


def test_a_forest_needs_two_rows() -> None:
    """One row is no forest: told as an error that a user can mend."""
    with pytest.raises(ModelError, match="2 scored actions"):
        grow_forest(np.zeros((1, WIDTH)), 0)


def test_rows_that_are_not_finite_are_a_fault_of_ours() -> None:
    """NaN compares false everywhere and would look ordinary: features never are it."""
    forest: Any = grow_forest(random_rows(1, 50), 0)
    with pytest.raises(AssertionError, match="finite"):
        score_rows(forest, np.full((1, WIDTH), np.nan))


def test_a_head_of_equal_moments_has_a_unit() -> None:
    """Where all of training is alike scores stay finite."""
    assert make_head(np.zeros((10, WIDTH))).deviation == 1.0
