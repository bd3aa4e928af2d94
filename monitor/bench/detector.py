"""Detection on recorded sessions with known labels: the figures of one split.

Input: observations of sessions with their labels (`suite`, `user_task`, `model`, `benign_kind`,
`attack_succeeded`, `attack_kind`). Output: for every session and every scorer the largest score
that it ever had, under heads trained on ordinary sessions of *other tasks* (five folds).

A task is run by every model and attacked many times, so sessions of a task in training would give
away those in the test. Attacks are never used for training, nor for any choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from detectors.baseline import Baseline
from detectors.calibrate import NOTHING_SCORED
from detectors.features import FEATURES
from detectors.forest import Floats, path_lengths
from detectors.forest_training import grow_forest
from detectors.model import Heads
from detectors.observation import Observation
from detectors.training import GroupedSession, fit_heads, folds, rows

FOLDS_COUNT: Final = 5
SCORERS: Final = ("whole", "forest", "rarity", "actions", "plain")
"""The detector; each head alone; rarity without the features of results; a forest over counts."""

PLAIN: Final = (
    "actions_count",
    "tools_count",
    "tool_uses_max",
    "messages_count",
    "repeated_count",
    "failed_count",
    "tools_unknown_count",
    "step_surprise_mean",
)
"""Columns of the plain forest, which sees a session as a sequence of names."""
OF_RESULTS: Final = ("result_size_max", "result_words_max")

_plain_columns: Final = [index for index, f in enumerate(FEATURES) if f.name in PLAIN]
_result_columns: Final = [index for index, f in enumerate(FEATURES) if f.name in OF_RESULTS]


@dataclass(frozen=True, slots=True)
class LabelledSession:
    """One recorded session."""

    id: str
    label: Mapping[str, Any]
    observations: Sequence[Observation]

    @property
    def task(self) -> str:
        return f"{self.label['suite']}/{self.label['user_task']}"

    @property
    def is_ordinary(self) -> bool:
        """A user's task, done without an attack."""
        return bool(self.label["benign_kind"] == "user_task")

    @property
    def is_attack(self) -> bool:
        """An injection that reached its goal."""
        return self.label["attack_kind"] == "injection" and self.label["attack_succeeded"] is True


Scores = dict[str, Floats]
"""Session id -> its largest score by each of `SCORERS`."""


def score_split(sessions: Sequence[LabelledSession], seed: int) -> Scores:
    """Every session whose task is one of an ordinary session, scored by heads that did not see
    that task; and those of no such task by the heads of the first fold.
    """
    by_task: dict[str, list[LabelledSession]] = {}
    for session in sessions:
        by_task.setdefault(session.task, []).append(session)
    ordinary = grouped(session for session in sessions if session.is_ordinary)
    scores: Scores = {}
    for number, (fitted, held_back) in enumerate(folds(ordinary, FOLDS_COUNT, seed)):
        tasks = {session.group for session in held_back}
        if number == 0:
            tasks |= by_task.keys() - {session.group for session in ordinary}
        scores |= score_with(fitted, [s for task in sorted(tasks) for s in by_task[task]], seed)
    return scores


def score_with(
    fitted: Sequence[GroupedSession], held_back: Iterable[LabelledSession], seed: int
) -> Scores:
    """Sessions scored by heads of others."""
    baseline, heads, _ = fit_heads(fitted, seed)
    plain = _PlainForest(fitted, baseline, seed)
    return {s.id: _maxima(heads, baseline, plain, s.observations) for s in held_back}


def grouped(sessions: Iterable[LabelledSession]) -> list[GroupedSession]:
    """Sessions as training takes them, each with its task."""
    return [GroupedSession(session.task, session.observations) for session in sessions]


class _PlainForest:
    """The baseline of the detector: an isolation forest over counts of whole sessions."""

    def __init__(self, fitted: Sequence[GroupedSession], baseline: Baseline, seed: int) -> None:
        last = [made[-1] for s in fitted if (made := list(rows(s.observations, baseline)))]
        self._forest = grow_forest(np.array(last)[:, _plain_columns], seed)

    def score(self, row: list[float]) -> float:
        return -float(path_lengths(self._forest, np.array([row])[:, _plain_columns])[0])


def _maxima(
    heads: Heads, baseline: Baseline, plain: _PlainForest, observations: Sequence[Observation]
) -> Floats:
    made = list(rows(observations, baseline))
    if not made:
        return np.full(len(SCORERS), NOTHING_SCORED)
    parts = heads.parts(made).max(axis=0)
    terms = np.array([heads.rarity.terms(row) for row in made])
    actions = np.delete(terms, _result_columns, axis=1).sum(axis=1).max()
    whole = heads.values(made).max()
    return np.array([whole, parts[0], parts[1], actions, plain.score(made[-1])])
