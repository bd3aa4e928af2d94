"""Usual behaviour: the number of groups of sessions with each item, and the usual sizes of items.

Input: the observations of ordinary sessions, each with its group (a task, an agent). Output: a
`Baseline`, which contains only numbers and no text. Groups are counted instead of sessions, since
fifty runs of one task are one observation. An item of a single group counts as new: training
compares each group with a baseline that excludes it (`training.py`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from detectors.bloom import mix
from detectors.observation import Observation, ObservedAction, ObservedOutcome, Source

ENTRIES_MAX: Final = 200_000
"""Things that a baseline remembers. Past it the rarest are left out, which makes them unknown."""
SAMPLES_MAX: Final = 5_000
"""Sizes of one thing that are kept while learning."""
SAMPLES_MIN: Final = 3
"""With fewer sizes of one item, no usual size is known."""
SPREAD_MIN: Final = 0.15
"""Chosen: sizes are logarithms; values of constant length may still vary by a sixth."""
DEVIATION_MAX: Final = 10.0
_NORMAL: Final = 1.4826
"""The standard deviation of a normal distribution in median absolute deviations."""

TOOL, STEP, SHAPE, PATH, PATH_SOURCE, SOURCE = range(1, 7)
"""Sorts of counted items; the first part of the hashed value."""
ACTION_SIZE, RESULT_SIZE, RESULT_WORDS, ACTION_NUMBER = range(7, 11)
"""Sorts of sizes."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The counts from training."""

    groups_count: int = 0
    counts: Mapping[int, int] = field(default_factory=dict)
    """In how many groups a thing occurred."""
    usual: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    """Median and spread of sizes."""
    left_out_count: int = 0
    """Things that found no room."""

    def tool_surprise(self, action: ObservedAction) -> float:
        """-log2 of the share of groups that used the tool."""
        count = self.counts.get(mix(TOOL, action.tool), 0)
        return math.log2((self.groups_count + 1) / (count + 0.5))

    def step_surprise(self, action: ObservedAction) -> float:
        """-log2 of the frequency with which this tool followed the previous one.

        It falls back to the tool itself if too little is known of the previous one.
        """
        counts = self.counts
        step = counts.get(mix(STEP, action.previous, action.tool), 0)
        tool = counts.get(mix(TOOL, action.tool), 0)
        return math.log2((tool + 2) / (step + 0.5))

    def source_surprise(self, action: ObservedAction) -> float:
        """The maximum over values: -log2 of the frequency of this argument's current origin."""
        return max(
            (self._source_surprise(action, v.path, v.source) for v in action.values), default=0.0
        )

    def knows_tool(self, action: ObservedAction) -> bool:
        return mix(TOOL, action.tool) in self.counts

    def knows_shape(self, action: ObservedAction) -> bool:
        return mix(SHAPE, action.shape) in self.counts

    def deviation(self, sort: int, tool: int, size: float) -> float:
        """The distance of a size above (negative: below) the usual one, in robust deviations."""
        entry = self.usual.get(mix(sort, tool))
        if entry is None:
            return 0.0
        return max(-DEVIATION_MAX, min((size - entry[0]) / entry[1], DEVIATION_MAX))

    def _source_surprise(self, action: ObservedAction, path: int, source: Source) -> float:
        counts = self.counts
        paths = counts.get(mix(PATH, action.tool, path), 0)
        sources = counts.get(mix(PATH_SOURCE, action.tool, path, source), 0)
        share = counts.get(mix(SOURCE, source), 0) / max(self.groups_count, 1)
        # Each group may use several sources, so that the estimate may pass 1.
        return -math.log2(min((sources + share + 0.05) / (paths + 1.2), 1.0))


def learn_baseline(sessions: Iterable[tuple[str, Sequence[Observation]]]) -> Baseline:
    """The baseline of sessions, each with its group. Memory: bounded by the things that occur."""
    groups: dict[int, set[str]] = defaultdict(set)
    sizes: dict[int, list[float]] = defaultdict(list)
    names = set()
    for group, observations in sessions:
        names.add(group)
        for observation in observations:
            for thing in _things(observation):
                groups[thing].add(group)
            for thing, size in _sizes(observation):
                if len(sizes[thing]) < SAMPLES_MAX:
                    sizes[thing].append(size)
    counted = sorted(((len(who), thing) for thing, who in groups.items()), reverse=True)
    return Baseline(
        groups_count=len(names),
        counts={thing: count for count, thing in counted[:ENTRIES_MAX]},
        usual={t: _usual(s) for t, s in sizes.items() if len(s) >= SAMPLES_MIN},
        left_out_count=max(len(counted) - ENTRIES_MAX, 0),
    )


def _things(observation: Observation) -> Iterable[int]:
    """The items that an observation contains."""
    if not isinstance(observation, ObservedAction):
        return
    tool = observation.tool
    yield mix(TOOL, tool)
    yield mix(STEP, observation.previous, tool)
    yield mix(SHAPE, observation.shape)
    for value in observation.values:
        yield mix(PATH, tool, value.path)
        yield mix(PATH_SOURCE, tool, value.path, value.source)
        yield mix(SOURCE, value.source)


def _sizes(observation: Observation) -> Iterable[tuple[int, float]]:
    if isinstance(observation, ObservedAction):
        yield mix(ACTION_SIZE, observation.tool), observation.size
        if observation.number:
            yield mix(ACTION_NUMBER, observation.tool), observation.number
    elif isinstance(observation, ObservedOutcome):
        yield mix(RESULT_SIZE, observation.tool), observation.size
        yield mix(RESULT_WORDS, observation.tool), observation.new_words


def _usual(sizes: Sequence[float]) -> tuple[float, float]:
    middle = median(sizes)
    spread = median(abs(size - middle) for size in sizes)
    return middle, spread * _NORMAL + SPREAD_MIN
