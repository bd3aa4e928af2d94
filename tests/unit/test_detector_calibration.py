"""What an alarm promises: the rate of ordinary sessions that ever raise one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.calibrate import NOTHING_SCORED, calibrate, groups_needed


@pytest.mark.parametrize(
    ("rate", "needed"), [(0.5, 1), (0.1, 9), (0.05, 19), (0.01, 99), (0.001, 999), (0.03, 33)]
)
def test_so_many_groups_are_needed(rate: float, needed: int) -> None:
    """The least K with 1 / (K + 1) <= rate, exactly; one less is too few."""
    assert groups_needed(rate) == needed
    assert 1 / (needed + 1) <= rate + 1e-12
    assert 1 / needed > rate
    short = calibrate([(f"g{n}", float(n)) for n in range(needed - 1)], rate)
    assert (short.threshold, short.p_value(1e9), short.missing_groups) == (None, None, 1)
    enough = calibrate([(f"g{n}", float(n)) for n in range(needed)], rate)
    assert enough.threshold == needed - 1
    assert enough.missing_groups == 0


def test_no_sessions_calibrate_nothing() -> None:
    """All that are needed are missing."""
    assert calibrate([], 0.05).missing_groups == 19


Maxima = st.lists(
    st.tuples(st.sampled_from([f"g{n}" for n in range(40)]), st.integers(-5, 5).map(float)),
    max_size=120,
)


@given(Maxima, st.sampled_from([0.05, 0.1, 0.3]), st.integers(-12, 12))
def test_an_alarm_is_a_small_p_value(
    maxima: list[tuple[str, float]], rate: float, half: int
) -> None:
    """A score is above the threshold exactly where its p-value is at most the rate."""
    calibration = calibrate(maxima, rate)
    threshold, p_value = calibration.threshold, calibration.p_value(half / 2)
    if threshold is None:
        assert p_value is None
    else:
        assert p_value is not None
        assert (half / 2 > threshold) == (p_value <= rate + 1e-9)


def test_weights_are_shared_within_a_group() -> None:
    """A group of a thousand sessions weighs as much as a group of one."""
    many = [("busy", 100.0 + n) for n in range(1_000)]
    few = [(f"g{n}", float(n)) for n in range(39)]
    calibration = calibrate(many + few, 0.05)
    assert math.fsum(calibration.weights) == pytest.approx(40 / 41)
    # The busy group alone takes 1/41 of the room and the session to come another: 2/41 < 0.05.
    assert calibration.threshold == 38.0


def realised(rng: np.random.Generator, groups: int, rate: float, spread: float) -> bool:
    """One draw: calibrate on some groups, ask whether a session of a new group alarms."""

    def session(effect: float) -> float:
        return float((effect + rng.normal(size=8)).max())

    effects = rng.normal(scale=spread, size=groups)
    maxima = [
        (f"g{n}", session(effect))
        for n, effect in enumerate(effects)
        for _ in range(rng.integers(1, 6))
    ]
    threshold = calibrate(maxima, rate).threshold
    assert threshold is not None
    return session(float(rng.normal(scale=spread))) > threshold


@pytest.mark.parametrize("spread", [0.0, 2.0])
@pytest.mark.parametrize(("groups", "rate"), [(19, 0.05), (60, 0.05), (40, 0.1)])
def test_the_rate_of_false_alarms_holds(groups: int, rate: float, spread: float) -> None:
    """Sessions of new groups alarm at most at the rate (3 standard errors), and not never."""
    rng = np.random.default_rng(1)
    draws = 3_000
    share = sum(realised(rng, groups, rate, spread) for _ in range(draws)) / draws
    error = 3 * math.sqrt(rate * (1 - rate) / draws)
    assert rate / 4 < share <= rate + error


def test_single_scores_would_not_hold_the_rate() -> None:
    """Why maxima are calibrated: by scores of single moments a session alarms far too often."""
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(1_000):
        moments = [(f"g{n}", float(rng.normal())) for n in range(60)]
        threshold = calibrate(moments, 0.05).threshold
        assert threshold is not None
        alarms += rng.normal(size=8).max() > threshold
    assert alarms / 1_000 > 0.2


def test_a_session_without_actions_counts() -> None:
    """It never alarms, and it is one of the ordinary sessions all the same."""
    quiet = [(f"q{n}", NOTHING_SCORED) for n in range(20)]
    assert calibrate(quiet, 0.05).threshold == NOTHING_SCORED
