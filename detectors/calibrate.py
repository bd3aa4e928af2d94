"""Calibrates scores to alarms with a known rate of false alarms.

Input: for each ordinary session that was not used in training, its group and its largest score.
Output: a threshold that a session of a new group exceeds, at any moment, with a probability of at
most `false_alarms`; or the number of additional groups that are needed.

A running session is scored repeatedly, so a threshold for single scores would be exceeded far more
often: the calibration uses the maximum over a session's prefixes. Sessions of one group (a task, an
agent) are similar, so groups are the exchangeable units. With K groups each has the weight 1/(K +
1), shared evenly by its sessions, and the last 1/(K + 1) represents the new session.

Source: hierarchical conformal prediction: Y. Lee, R. F. Barber, R. Willett, "Distribution-free
inference with hierarchical data", 2023, section 3. With a group for each session it is split
conformal prediction (Vovk et al., "Algorithmic Learning in a Random World", 2005).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

NOTHING_SCORED: Final = -1e9
"""The maximum of a session without any action; a number, so that it can be stored."""
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores that rise, each with its weight; weights sum to K / (K + 1)."""

    false_alarms: float
    groups_count: int
    scores: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()

    @property
    def missing_groups(self) -> int:
        """Groups still needed before any score can be called an alarm."""
        return max(groups_needed(self.false_alarms) - self.groups_count, 0)

    @property
    def threshold(self) -> float | None:
        """A score above it is an alarm; None if there are too few groups."""
        if self.missing_groups:
            return None
        tail = 1.0 / (self.groups_count + 1)
        for score, weight in zip(reversed(self.scores), reversed(self.weights), strict=True):
            tail += weight
            if tail > self.false_alarms + _ROUNDING:
                return score
        return NOTHING_SCORED

    def p_value(self, score: float) -> float | None:
        """The share of ordinary sessions that ever reach this score, from above; None as before."""
        if self.missing_groups:
            return None
        first = bisect_left(self.scores, score)
        return min(math.fsum(self.weights[first:]) + 1.0 / (self.groups_count + 1), 1.0)


def groups_needed(false_alarms: float) -> int:
    """The least K with 1/(K + 1) <= `false_alarms`: 19 for 5 %, 99 for 1 %."""
    assert 0 < false_alarms < 1
    return math.ceil(1.0 / false_alarms - 1.0 - _ROUNDING)


def calibrate(maxima: Iterable[tuple[str, float]], false_alarms: float) -> Calibration:
    """From the group and the largest score of each session."""
    known = sorted((score, group) for group, score in maxima)
    sizes = Counter(group for _, group in known)
    share = 1.0 / (len(sizes) + 1)
    return Calibration(
        false_alarms=false_alarms,
        groups_count=len(sizes),
        scores=tuple(score for score, _ in known),
        weights=tuple(share / sizes[group] for _, group in known),
    )
