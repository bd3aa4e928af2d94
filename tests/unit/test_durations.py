"""A duration that is suggested lasts exactly as long as the one that was written."""

from __future__ import annotations

import pytest

from invariants.formula.durations import meant_duration


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10 minutes", "10m"),
        ("10min", "10m"),
        ("10 MIN", "10m"),
        ("1.5h", "90m"),
        ("2.5 hours", "150m"),
        ("0.25s", "250ms"),
        ("1h30m", "90m"),
        ("1m30s", "90s"),
        ("1 h 30 min", "90m"),
        ("2w", "14d"),
        ("1.5 days", "36h"),
        ("1000us", "1ms"),
        ("5000000ns", "5ms"),
        ("90 s", "90s"),
        ("0.5ms", ""),
        ("1 month", ""),
        ("1 year", ""),
        ("0s", ""),
        ("10", ""),
        ("m", ""),
        ("-1m", ""),
        ("9" * 13 + "s", ""),
    ],
)
def test_a_suggested_duration_lasts_as_long(written: str, meant: str) -> None:
    """Units in words, fractions and several units are told exactly, or not at all."""
    assert meant_duration(written) == meant
