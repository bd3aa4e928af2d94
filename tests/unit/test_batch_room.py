"""A batch ends at a number of records, at a stop, or when it has taken long enough."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from monitor.service.batch import Batch
from monitor.service.loop import PACE_MIN, Loop, LoopSettings
from tests.support.rim import HandClock

SETTINGS = LoopSettings(batch_records_max=10, batch_ns_max=500_000_000)
WIDE = LoopSettings(batch_records_max=5_000, batch_ns_max=500_000_000)


def has_room(clock: HandClock, batch: Batch) -> bool:
    loop = SimpleNamespace(_settings=SETTINGS, _clock=clock)
    return Loop._has_room(cast(Any, loop), batch)


def next_pace(pace: int, *, records: int, seconds: float) -> int:
    clock = HandClock()
    batch = Batch(clock.monotonic_ns(), records_count=records)
    clock.move(seconds)
    loop = SimpleNamespace(_settings=WIDE, _clock=clock, _pace=pace)
    loop._has_room = lambda batch: Loop._has_room(cast(Any, loop), batch)
    return Loop._next_pace(cast(Any, loop), batch)


def test_records_that_are_slow_to_judge_end_a_batch_early() -> None:
    """Stops, signs of life and others' files come between batches: none may take seconds."""
    clock = HandClock()
    batch = Batch(clock.monotonic_ns(), records_count=3)
    clock.move(0.4)
    assert has_room(clock, batch)
    clock.move(0.1)
    assert not has_room(clock, batch)


def test_one_record_is_always_taken() -> None:
    """However long it took to come this far, each turn gets on."""
    clock = HandClock()
    batch = Batch(clock.monotonic_ns())
    clock.move(60)
    assert has_room(clock, batch)


def test_a_full_batch_and_one_with_a_new_stop_take_no_more() -> None:
    clock = HandClock()
    assert has_room(clock, Batch(clock.monotonic_ns(), records_count=9))
    assert not has_room(clock, Batch(clock.monotonic_ns(), records_count=10))
    assert not has_room(clock, Batch(clock.monotonic_ns(), is_urgent=True))


def test_no_more_is_read_ahead_than_was_judged_in_time() -> None:
    """5,000 records of a flood of findings took ten seconds, in which nobody looked for others."""
    assert next_pace(5_000, records=600, seconds=0.5) == 600
    assert next_pace(600, records=3, seconds=0.5) == PACE_MIN


def test_the_pace_comes_back_when_records_are_judged_quickly() -> None:
    assert next_pace(600, records=200, seconds=0.1) == 1_200
    assert next_pace(4_000, records=200, seconds=0.1) == 5_000
    assert next_pace(600, records=5_000, seconds=0.4) == 5_000
