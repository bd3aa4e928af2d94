"""The anomaly score at each event of a session, as the chart draws it."""

from __future__ import annotations

from typing import NamedTuple

from monitor.trace_key import TraceKey
from replay.timeline.timeline import Timeline


class Scored(NamedTuple):
    """A score. `threshold` is None if the model was calibrated on too few sessions."""

    position: int
    score: float
    threshold: float | None


def scores_of(timeline: Timeline, trace: TraceKey) -> list[Scored]:
    """The scores of a session; empty if the timeline has no detector."""
    detector, index = timeline.detector, timeline.sessions.get(trace)
    if detector is None or index is None or not index.inputs:
        return []
    track = timeline.track(trace, index.inputs[-1])
    taken = [step for step in track.steps if step.fate == "taken"]
    if not taken:
        return []
    state = detector.initial(is_whole=taken[0].header.position == 1)
    scores: list[Scored] = []
    for step in taken:
        state, score = detector.step(state, step.event)
        if score is not None:
            scores.append(Scored(step.header.position - 1, score.value, score.threshold))
    return scores
