"""A session's anomaly scores as the coordinates of a curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from replay.report.scores import Scored
from replay.report.view import Chart, ChartMark

WIDTH: Final = 960
HEIGHT: Final = 200
LEFT: Final = 50
TOP: Final = 18
BOTTOM: Final = 24
POINTS_MAX: Final = 960
"""Chosen: one point per pixel. If there are more scores, the highest of each interval is drawn."""


def draw_chart(scores: Sequence[Scored]) -> Chart | None:
    """The chart of a session; None if it has no scores."""
    if not scores:
        return None
    threshold = scores[-1].threshold
    values = [s.score for s in scores] + ([threshold] if threshold is not None else [])
    low, high = min(values), max(values)
    margin = (high - low) * 0.1 or 0.1
    low, high = low - margin, high + margin
    last = max(scores[-1].position, 1)

    def x_of(scored: Scored) -> float:
        return round(LEFT + (WIDTH - LEFT - 10) * scored.position / last, 1)

    def y_of(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low), 1)

    peak = max(scores, key=lambda s: s.score)
    said = f"highest score {peak.score:.3f} at event {peak.position}"
    if threshold is None:
        said += "; the model was trained on too few sessions to set a threshold"
    else:
        above = sum(s.score > threshold for s in scores)
        said += f"; threshold {threshold:.3f}, exceeded at {above} of {len(scores)} events"
    return Chart(
        width=WIDTH,
        height=HEIGHT,
        line=" ".join(f"{x_of(s)},{y_of(s.score)}" for s in _thinned(scores)),
        threshold_y=None if threshold is None else y_of(threshold),
        threshold_text="" if threshold is None else "threshold",
        labels=(
            (y_of(high - margin) + 4, f"{high - margin:.2f}"),
            (y_of(low + margin) + 4, f"{low + margin:.2f}"),
        ),
        marks=(ChartMark(x_of(peak), y_of(peak.score), said),),
        summary=said[:1].upper() + said[1:] + ".",
    )


def _thinned(scores: Sequence[Scored]) -> list[Scored]:
    size = -(-len(scores) // POINTS_MAX)
    stretches = (scores[start : start + size] for start in range(0, len(scores), size))
    return [max(stretch, key=lambda s: s.score) for stretch in stretches]
