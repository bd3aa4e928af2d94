"""Trains a model on ordinary sessions.

Input: the observations of sessions, each with its group, and options. Output: a `Model`. The same
sessions in the same order, options and library give the same model.

Every session of training is compared with a baseline that excludes its group (the groups are cut
into folds): otherwise nothing in training would ever be new, and a forest never splits on a
constant. Calibration uses groups that were not used for the heads at all.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from detectors.baseline import Baseline, learn_baseline
from detectors.bloom import Words
from detectors.calibrate import NOTHING_SCORED, calibrate
from detectors.contract import ModelError
from detectors.features import FeatureCounts, advance, row
from detectors.forest import Floats, shortening
from detectors.forest_training import grow_forest
from detectors.model import Heads, Model, Training, make_head, usual_of
from detectors.novelty import learn_rarity
from detectors.observation import Heard, Observation, ObservedAction, read
from invariants.model.event import Event

FOLDS_COUNT: Final = 10
"""Folds of groups for the rows of training. Chosen: each baseline lacks a tenth."""
CROSS_FOLDS_COUNT: Final = 5
"""Measured: in simulations 5-fold cross-conformal calibration held 5 % at n = 40 to 400."""
GROUPS_MIN: Final = 4
MOMENTS_MAX: Final = 50_000
"""Rows that heads are learned from; past it an even choice. A tree takes 256 of them."""


class GroupedSession(NamedTuple):
    """One ordinary session."""

    group: str
    observations: Sequence[Observation]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """`false_alarms`: the share of ordinary sessions that may raise one, above 0 and below 1."""

    false_alarms: float = 0.05
    calibration: Literal["split", "cross"] = "split"
    grouped_by: str = "task"
    seed: int = 0


def observe(words: Words, events: Iterable[Event]) -> list[Observation]:
    """All observations of one session."""
    heard, observations = Heard(), []
    for event in events:
        heard, observation = read(words, heard, event)
        if observation is not None:
            observations.append(observation)
    return observations


def train(
    sessions: Sequence[GroupedSession], options: TrainingOptions, key: bytes, key_digest: bytes
) -> Model:
    """The model; its `key` is given, and the caller may take it out.

    Raises
    ------
    ModelError
        There are too few sessions or groups to learn anything from.
    """
    groups = sorted({session.group for session in sessions})
    if len(groups) < GROUPS_MIN:
        raise ModelError(
            f"{len(sessions)} sessions of {len(groups)} groups (by {options.grouped_by}) are too "
            f"few for training; the minimum is {GROUPS_MIN} groups"
        )
    if options.calibration == "split":
        fitted, held_back = _halves(sessions, groups, options.seed)
        baseline, heads, moments_count = fit_heads(fitted, options.seed)
        maxima = [(s.group, largest_score(heads, baseline, s.observations)) for s in held_back]
    else:
        maxima = _cross_maxima(sessions, groups, options.seed)
        baseline, heads, moments_count = fit_heads(sessions, options.seed)
    return Model(
        heads=heads,
        baseline=baseline,
        calibration=calibrate(maxima, options.false_alarms),
        training=Training(
            sessions_count=len(sessions),
            groups_count=len(groups),
            moments_count=moments_count,
            grouped_by=options.grouped_by,
            calibration=options.calibration,
            seed=options.seed,
            made_with=_library(),
        ),
        key=key,
        key_digest=key_digest,
    )


def fit_heads(sessions: Sequence[GroupedSession], seed: int) -> tuple[Baseline, Heads, int]:
    """A baseline of all of the sessions, and heads learned from rows that each was held out for."""
    made: list[list[float]] = []
    for fitted, held_back in folds(sessions, FOLDS_COUNT, seed):
        baseline = learn_baseline(fitted)
        for session in held_back:
            made += rows(session.observations, baseline)
    if len(made) > MOMENTS_MAX:
        made = [made[index * len(made) // MOMENTS_MAX] for index in range(MOMENTS_MAX)]
    if len(made) < 2:
        raise ModelError("the sessions contain no actions (such as `tool.requested`) for training")
    return learn_baseline(sessions), _heads(made, seed), len(made)


def rows(observations: Iterable[Observation], baseline: Baseline) -> Iterator[list[float]]:
    """The row of each action of a session, in order."""
    tally = FeatureCounts()
    for observation in observations:
        tally = advance(tally, observation, baseline)
        if isinstance(observation, ObservedAction):
            yield row(tally)


def largest_score(heads: Heads, baseline: Baseline, observations: Iterable[Observation]) -> float:
    """The largest score that a session ever has."""
    made = list(rows(observations, baseline))
    return float(heads.values(made).max()) if made else NOTHING_SCORED


def folds(
    sessions: Sequence[GroupedSession], count: int, seed: int
) -> Iterator[tuple[list[GroupedSession], list[GroupedSession]]]:
    """Cuts by group, in an order drawn from the seed: (the rest, the fold)."""
    groups = sorted({session.group for session in sessions})
    random.Random(seed).shuffle(groups)  # noqa: S311 (a cut that can be repeated, no secret)
    for number in range(min(count, len(groups))):
        fold = frozenset(groups[number :: min(count, len(groups))])
        yield (
            [session for session in sessions if session.group not in fold],
            [session for session in sessions if session.group in fold],
        )


def _halves(
    sessions: Sequence[GroupedSession], groups: Sequence[str], seed: int
) -> tuple[list[GroupedSession], list[GroupedSession]]:
    """One half to learn from, one half to calibrate with."""
    return next(folds(sessions, 2, seed))


def _cross_maxima(
    sessions: Sequence[GroupedSession], groups: Sequence[str], seed: int
) -> list[tuple[str, float]]:
    """Each session's largest score under heads that its group had no part in."""
    maxima = []
    for fitted, held_back in folds(sessions, CROSS_FOLDS_COUNT, seed):
        baseline, heads, _ = fit_heads(fitted, seed)
        maxima += [(s.group, largest_score(heads, baseline, s.observations)) for s in held_back]
    return maxima


def _heads(made: list[list[float]], seed: int) -> Heads:
    matrix = np.array(made)
    forest = grow_forest(matrix, seed)
    rarity = learn_rarity(made)
    falls: Floats = np.array([shortening(forest, values)[1] for values in matrix])
    terms: Floats = np.array([rarity.terms(values) for values in made])
    return Heads(forest, rarity, make_head(falls), make_head(terms), usual_of(matrix))


def _library() -> str:
    from importlib.metadata import version

    return f"scikit-learn {version('scikit-learn')}"
