"""The memory of `once` and `since` for one binding: at which times the right side held.

Everything here is a pure function on small tuples. A `Slice` keeps two copies of the truth, one
pessimistic (`certain`) and one optimistic (`possible`), as Kleene's unknown asks.

Source: the thinned queue is the sliding-window reduction for `once[a,b]`: of three times
x < y < z with z - x <= b - a, every window of that length which holds y also holds x or z.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from .formula.ast import Window
from .moment import Moment
from .verdict import EventRef

UNKNOWN_PAST: Final = 1
"""How a span of time reads of which nothing is known: unknown."""


class Entry(NamedTuple):
    """An event at which the right side held, and the earlier events that made it hold."""

    time_ns: int
    position: int
    id: str
    because: tuple[EventRef, ...] = ()

    def refs(self) -> tuple[EventRef, ...]:
        """The event and what it rests on, latest first."""
        return (EventRef(self.position, self.time_ns, self.id), *self.because)


class Slice(NamedTuple):
    """Times at which the right side held for certain, or perhaps; oldest first.

    `stamp` is the position at which the slice was last touched: entries of a slice that was
    touched before the last *blur* (an event at which the left side was unknown for everyone)
    count as possible only. `lost_ns` spans times that found no room.
    """

    stamp: int
    certain: tuple[Entry, ...] = ()
    possible: tuple[Entry, ...] = ()
    lost_ns: tuple[int, int] | None = None
    lost_count: int = 0
    undone_by: EventRef | None = None
    """Of a slice without entries: the event at which the left side failed."""
    past: int = UNKNOWN_PAST
    """How `lost_ns` reads: unknown, or as is supposed of what lies before a birth."""


class Reading(NamedTuple):
    """The truth of a slice at a time, and the entry that decides it."""

    truth: int
    entry: Entry | None = None


FALSE_READING = Reading(0)


def push(old: Slice | None, entry: Entry, truth: int, window: Window, *, entries_max: int) -> Slice:
    """Take in that the right side was `truth` (unknown or true) at `entry`."""
    if old is None:
        only = (entry,)
        return Slice(entry.position, *((only, ()) if truth == 2 else ((), only)))
    certain, possible = old.certain, old.possible
    grown = _thinned(certain if truth == 2 else possible, entry, window)
    if len(grown) > entries_max:
        first_ns = old.lost_ns[0] if old.lost_ns else entry.time_ns
        return old._replace(
            stamp=entry.position,
            lost_ns=(first_ns, entry.time_ns),
            lost_count=old.lost_count + 1,
            past=UNKNOWN_PAST,
        )
    if truth == 2:
        certain = grown
    else:
        possible = grown
    return Slice(entry.position, certain, possible, old.lost_ns, old.lost_count, past=old.past)


def _thinned(entries: tuple[Entry, ...], entry: Entry, window: Window) -> tuple[Entry, ...]:
    """`entries` and `entry`, without those that no later reading can need."""
    if window.low_ns == 0:
        return (entry,)
    kept = list(entries)
    if window.high_ns is None:
        kept = kept[:1]  # The oldest is in every window that any other is in.
        return (*kept, entry) if not kept else tuple(kept)
    oldest_ns = entry.time_ns - window.high_ns
    first = 0
    while first < len(kept) and kept[first].time_ns < oldest_ns:
        first += 1
    kept = kept[first:]
    width_ns = window.high_ns - window.low_ns
    while len(kept) >= 2 and entry.time_ns - kept[-2].time_ns <= width_ns:
        kept.pop()
    return (*kept, entry)


def read(held: Slice | None, now_ns: int, window: Window, blur: int) -> Reading:
    """True if some entry's age at `now_ns` is in the window."""
    if held is None:
        return FALSE_READING
    certain = _newest_inside(held.certain, now_ns, window)
    if certain is not None and held.stamp >= blur:
        return Reading(2, certain)
    possible = _newest_inside(held.possible, now_ns, window)
    perhaps = possible or certain
    past = 0
    if held.lost_ns is not None and _overlaps(held.lost_ns, now_ns, window):
        past = held.past if held.stamp >= blur else min(held.past, UNKNOWN_PAST)
    if perhaps is not None and past != 2:
        return Reading(1, perhaps)
    return Reading(past) if past else FALSE_READING


def _newest_inside(entries: tuple[Entry, ...], now_ns: int, window: Window) -> Entry | None:
    for entry in reversed(entries):
        age_ns = now_ns - entry.time_ns
        if age_ns < window.low_ns:
            continue
        return entry if window.high_ns is None or age_ns <= window.high_ns else None
    return None


def _overlaps(span_ns: tuple[int, int], now_ns: int, window: Window) -> bool:
    first_ns, last_ns = span_ns
    is_over = window.high_ns is not None and last_ns < now_ns - window.high_ns
    return first_ns <= now_ns - window.low_ns and not is_over


def settle(held: Slice, position: int, blur: int, *, is_weakened: bool) -> Slice:
    """The same slice touched at `position`: a blur that it missed is written into it."""
    if held.stamp >= blur and not is_weakened:
        return held._replace(stamp=position)
    merged = sorted({*held.certain, *held.possible})
    # A blur leaves of a past that was supposed to hold no more than a doubt.
    past = min(held.past, UNKNOWN_PAST)
    return Slice(position, (), tuple(merged), held.lost_ns, held.lost_count, past=past)


def undone(held: Slice, now: Moment, window: Window, blur: int) -> Slice:
    """The slice after its left side failed: empty, but for the event that did it."""
    if not (held.certain or held.possible or held.lost_ns):
        return held
    had_held = read(held, now.time_ns, window, blur).truth > 0
    return Slice(now.position, undone_by=_ref(now) if had_held else None)


def _ref(now: Moment) -> EventRef:
    return EventRef(now.position, now.time_ns, now.id)


def dies_ns(held: Slice, window: Window) -> int | None:
    """The last time at which the slice can still matter; None where it always can."""
    if window.high_ns is None:
        return None
    times = [entries[-1].time_ns for entries in (held.certain, held.possible) if entries]
    if held.lost_ns is not None:
        times.append(held.lost_ns[1])
    return max(times) + window.high_ns if times else -1
