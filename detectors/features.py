"""The features of a session: a table, and how each is kept up, event by event.

Input: a `FeatureCounts`, an observation and a baseline. Output: the tally after it; and, at an
action, the row of numbers that is scored, in the order of `FEATURES`. Each costs the same at the
thousandth event as at the first. Every number is finite and bounded by `VALUE_MAX`.

Times are not looked at: producers choose them, and recordings often hold none that mean anything.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

import msgspec

from detectors.baseline import (
    ACTION_NUMBER,
    ACTION_SIZE,
    RESULT_SIZE,
    RESULT_WORDS,
    Baseline,
)
from detectors.observation import Observation, ObservedAction, ObservedOutcome

FEATURES_VERSION: Final = 1
"""To be raised when a feature is computed otherwise: models of before are then refused."""
VALUE_MAX: Final = 1e6
TOOLS_MAX: Final = 64
"""Different tools of a session that are remembered; further ones each count as new."""
UNUSUAL_SOURCE_BITS: Final = 3.0
"""Chosen: an argument that in fewer than one case of eight comes from there."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column. `is_told` means that large values are informative by themselves (see
    `novelty.py`).
    """

    name: str
    unit: str
    meaning: str
    is_told: bool = True


FEATURES: Final = (
    Feature("tool_surprise_max", "bit", "the least usual tool of the session"),
    Feature("tool_surprise_mean", "bit", "how unusual its tools are on average"),
    Feature("step_surprise_max", "bit", "the least usual tool after the one before it"),
    Feature("step_surprise_mean", "bit", "how unusual the order of its tools is on average"),
    Feature(
        "source_surprise_max",
        "bit",
        "an argument from an unusual origin (user, results, neither)",
    ),
    Feature("source_surprise_mean", "bit", "how unusual the origins of arguments are on average"),
    Feature("tools_unknown_count", "1", "actions with tools that no ordinary session used"),
    Feature("sources_unusual_count", "1", "actions with an argument from a rare origin"),
    Feature(
        "fed_by_results_count",
        "1",
        "actions with a value found mostly in tools' results and not in the user's words",
    ),
    Feature(
        "results_share_max",
        "1",
        "the largest share of a value that occurred only in tools' results",
    ),
    Feature("action_size_max", "deviation", "arguments longer than usual for their tool"),
    Feature("action_number_max", "deviation", "a number larger than usual for its tool"),
    Feature("result_size_max", "deviation", "a result longer than usual for its tool"),
    Feature(
        "result_words_max",
        "deviation",
        "a result with more words that the user did not say than usual for its tool",
    ),
    Feature("unasked_count", "1", "actions with tools that no word of the user suggests"),
    Feature("shapes_unknown_count", "1", "actions with arguments that their tool never had"),
    Feature("repeated_count", "1", "actions taken again with the same arguments"),
    Feature("failed_count", "1", "actions that failed"),
    Feature("actions_count", "1", "actions so far", is_told=False),
    Feature("tools_count", "1", "different tools so far", is_told=False),
    Feature("tool_uses_max", "1", "uses of the tool that was used most", is_told=False),
    Feature("messages_count", "1", "messages of the user", is_told=False),
    Feature(
        "user_share_min",
        "1",
        "the smallest share of a value's words that the user had said",
        is_told=False,
    ),
)


class FeatureCounts(msgspec.Struct, frozen=True, array_like=True):
    """The state of a session for its features; a few hundred bytes, whatever its length."""

    actions: int = 0
    messages: int = 0
    failed: int = 0
    repeated: int = 0
    unasked: int = 0
    fed: int = 0
    tools_unknown: int = 0
    shapes_unknown: int = 0
    sources_unusual: int = 0
    tool_max: float = 0.0
    tool_sum: float = 0.0
    step_max: float = 0.0
    step_sum: float = 0.0
    source_max: float = 0.0
    source_sum: float = 0.0
    results_share_max: float = 0.0
    user_share_min: float = 1.0
    action_size_max: float = 0.0
    action_number_max: float = 0.0
    result_size_max: float = 0.0
    result_words_max: float = 0.0
    tools: tuple[tuple[int, int], ...] = ()
    """Tools of the session with how often they were used, up to `TOOLS_MAX`."""
    tools_count: int = 0


def schema_digest() -> str:
    """Names the table and its version: a model trained with another one is refused."""
    table = [[f.name, f.unit, f.is_told] for f in FEATURES]
    text = json.dumps([FEATURES_VERSION, table]).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def advance(tally: FeatureCounts, observation: Observation, baseline: Baseline) -> FeatureCounts:
    """The tally after an observation."""
    if isinstance(observation, ObservedAction):
        return _after_action(tally, observation, baseline)
    if isinstance(observation, ObservedOutcome):
        return _after_outcome(tally, observation, baseline)
    return msgspec.structs.replace(tally, messages=tally.messages + 1)


def row(tally: FeatureCounts) -> list[float]:
    """The features in the order of the table, after at least one action."""
    count = max(tally.actions, 1)
    values = (
        tally.tool_max,
        tally.tool_sum / count,
        tally.step_max,
        tally.step_sum / count,
        tally.source_max,
        tally.source_sum / count,
        tally.tools_unknown,
        tally.sources_unusual,
        tally.fed,
        tally.results_share_max,
        tally.action_size_max,
        tally.action_number_max,
        tally.result_size_max,
        tally.result_words_max,
        tally.unasked,
        tally.shapes_unknown,
        tally.repeated,
        tally.failed,
        tally.actions,
        tally.tools_count,
        max((uses for _, uses in tally.tools), default=0),
        tally.messages,
        tally.user_share_min,
    )
    return [min(float(value), VALUE_MAX) for value in values]


def _after_action(
    tally: FeatureCounts, action: ObservedAction, baseline: Baseline
) -> FeatureCounts:
    tool = baseline.tool_surprise(action)
    step = baseline.step_surprise(action)
    source = baseline.source_surprise(action)
    tools, is_new = _used(tally.tools, action.tool)
    size = baseline.deviation(ACTION_SIZE, action.tool, action.size)
    number = baseline.deviation(ACTION_NUMBER, action.tool, action.number)
    return FeatureCounts(
        actions=tally.actions + 1,
        messages=tally.messages,
        failed=tally.failed,
        repeated=tally.repeated + action.is_repeated,
        unasked=tally.unasked + (not action.is_asked),
        fed=tally.fed + (action.results_share >= 0.5),
        tools_unknown=tally.tools_unknown + (not baseline.knows_tool(action)),
        shapes_unknown=tally.shapes_unknown + (not baseline.knows_shape(action)),
        sources_unusual=tally.sources_unusual + (source > UNUSUAL_SOURCE_BITS),
        tool_max=max(tally.tool_max, tool),
        tool_sum=tally.tool_sum + tool,
        step_max=max(tally.step_max, step),
        step_sum=tally.step_sum + step,
        source_max=max(tally.source_max, source),
        source_sum=tally.source_sum + source,
        results_share_max=max(tally.results_share_max, action.results_share),
        user_share_min=min(tally.user_share_min, action.user_share),
        action_size_max=max(tally.action_size_max, size),
        action_number_max=max(tally.action_number_max, number),
        result_size_max=tally.result_size_max,
        result_words_max=tally.result_words_max,
        tools=tools,
        tools_count=tally.tools_count + is_new,
    )


def _after_outcome(
    tally: FeatureCounts, outcome: ObservedOutcome, baseline: Baseline
) -> FeatureCounts:
    size = baseline.deviation(RESULT_SIZE, outcome.tool, outcome.size)
    new_words = baseline.deviation(RESULT_WORDS, outcome.tool, outcome.new_words)
    return msgspec.structs.replace(
        tally,
        failed=tally.failed + outcome.is_failed,
        result_size_max=max(tally.result_size_max, size),
        result_words_max=max(tally.result_words_max, new_words),
    )


def _used(
    tools: tuple[tuple[int, int], ...], tool: int
) -> tuple[tuple[tuple[int, int], ...], bool]:
    for index, (known, uses) in enumerate(tools):
        if known == tool:
            return (*tools[:index], (tool, uses + 1), *tools[index + 1 :]), False
    if len(tools) >= TOOLS_MAX:
        return tools, True
    return (*tools, (tool, 1)), True
