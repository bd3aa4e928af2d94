"""The anomaly score at one event of a session, as the chart draws it."""

from __future__ import annotations

from typing import NamedTuple


class Scored(NamedTuple):
    """`threshold` is that of the model's calibration; None where it has too few sessions."""

    position: int
    score: float
    threshold: float | None
