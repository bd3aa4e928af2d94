"""The content of `once` and `since` for one binding: at which times the right side held.

Everything here is a pure function on small tuples. A `Slice` keeps two copies of the truth, one
pessimistic (`certain`) and one optimistic (`possible`), as Kleene's unknown asks.

Source: the thinned queue is the sliding-window reduction for `once[a,b]`: of three times
x < y < z with z - x <= b - a, every window of that length which holds y also holds x or z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..formula.ast import Window
from ..model.trace_point import TracePoint
from ..model.verdict import Absence, EventRef
from .codec import Reader, Writer
from .contract import (
    EARLIEST_NS,
    FALSE_READING,
    UNKNOWN_PAST,
    Birth,
    Entry,
    Grounds,
    Key,
    Reading,
    Times,
    absence_at,
    absence_in,
    ref_of,
)

NEVER_BLURRED: Final = -1


@dataclass(frozen=True, slots=True)
class SinceTexts:
    """The parts of a `since`, or of a `once`, as explanations name them."""

    whole: str
    right: str
    """The right side, shortened to a line."""
    body: str
    """The right side, whole."""
    undoing: str
    """The condition that ends it: the left side's negation, or empty."""


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

    @property
    def is_empty(self) -> bool:
        """Nothing in it can make it true."""
        return not (self.certain or self.possible or self.lost_ns)


def push(old: Slice | None, entry: Entry, truth: int, window: Window, *, entries_max: int) -> Slice:
    """Take in that the right side was `truth` (unknown or true) at `entry`."""
    if old is None:
        only = (entry,)
        return Slice(entry.position, *((only, ()) if truth == 2 else ((), only)))
    _, certain, possible, lost_ns, lost_count, _, past = old
    grown = _thinned(certain if truth == 2 else possible, entry, window)
    if len(grown) > entries_max:
        # A span that has passed out of the window is over: the new one does not begin there.
        is_open = lost_ns is not None and not _is_over(lost_ns, entry.time_ns, window)
        first_ns = lost_ns[0] if lost_ns is not None and is_open else entry.time_ns
        return old._replace(
            stamp=entry.position,
            lost_ns=(first_ns, entry.time_ns),
            lost_count=lost_count + 1,
            past=UNKNOWN_PAST,
        )
    if truth == 2:
        certain = grown
    else:
        possible = grown
    return Slice(entry.position, certain, possible, lost_ns, lost_count, None, past)


def _thinned(entries: tuple[Entry, ...], entry: Entry, window: Window) -> tuple[Entry, ...]:
    """`entries` and `entry`, without those that no later reading can need."""
    if window.low_ns == 0:
        return (entry,)
    if window.high_ns is None:
        # The oldest is in every window that any other is in.
        return entries[:1] or (entry,)
    kept = list(entries)
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
    perhaps = _newest_inside(held.possible, now_ns, window)
    if perhaps is None or (certain is not None and certain.position > perhaps.position):
        perhaps = certain
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
    return span_ns[0] <= now_ns - window.low_ns and not _is_over(span_ns, now_ns, window)


def _is_over(span_ns: tuple[int, int], now_ns: int, window: Window) -> bool:
    return window.high_ns is not None and span_ns[1] < now_ns - window.high_ns


def settle(held: Slice, position: int, blur: int, *, is_weakened: bool) -> Slice:
    """The same slice touched at `position`: a blur that it missed is written into it."""
    if held.stamp >= blur and not is_weakened:
        return held._replace(stamp=position)
    merged = sorted({*held.certain, *held.possible})
    # A blur leaves of a past that was supposed to hold no more than a doubt.
    past = min(held.past, UNKNOWN_PAST)
    return Slice(position, (), tuple(merged), held.lost_ns, held.lost_count, past=past)


def undone(held: Slice, now: TracePoint, window: Window, blur: int) -> Slice:
    """The slice after its left side failed: empty, but for the event that did it."""
    if held.is_empty:
        return held
    had_held = read(held, now.time_ns, window, blur).truth > 0
    return Slice(now.position, undone_by=ref_of(now) if had_held else None)


def dies_ns(held: Slice, high_ns: int) -> int:
    """The last time at which the slice can still matter, for a window that ends at `high_ns`."""
    times = [entries[-1].time_ns for entries in (held.certain, held.possible) if entries]
    if held.lost_ns is not None:
        times.append(held.lost_ns[1])
    return max(times) + high_ns if times else EARLIEST_NS


def collect_ended(
    texts: SinceTexts, window: Window, undone_by: EventRef | None, grounds: Grounds, now: TracePoint
) -> None:
    """Record why a `once` or `since` is false.

    Of a `once` nothing in the window made its body true. A `since` can have been undone: it is
    false from then on, as far as that event is remembered, and at the event at hand in any case.
    """
    if not texts.undoing:
        grounds.miss(absence_in(texts.body, window, now))
    elif undone_by is None:
        grounds.miss(absence_at(texts.whole, now))
    else:
        last = ref_of(now)
        since = Absence(texts.whole, undone_by.time_ns, now.time_ns, undone_by, last=last)
        grounds.miss(since)


def collect_begun(
    texts: SinceTexts, reading: Reading, grounds: Grounds, truth: int, now: TracePoint
) -> None:
    """Record the event that began a `once` or `since`, and that nothing undid it."""
    if reading.entry is None:
        return
    first, *others = reading.entry.refs()
    begun = EventRef(first.position, first.time_ns, first.id, (texts.right,))
    grounds.add(truth, begun, *others)
    if texts.undoing and truth == 2:
        from_ns, last = first.time_ns, ref_of(now)
        grounds.miss(Absence(texts.undoing, from_ns, now.time_ns, after=first, last=last))


def unseen_span(birth: Birth, past: int) -> Slice:
    """A span of time in which the right side may have held, up to an event that was not seen."""
    first_ns = 0 if birth.is_time_known else EARLIEST_NS
    return Slice(birth.position, lost_ns=(first_ns, birth.time_ns), past=past)


def times_max(window: Window) -> int:
    """Times of one binding, certain or possible: the thinned queue."""
    if window.low_ns == 0:
        return 1
    if window.high_ns is None:
        return 2
    width_ns = max(window.high_ns - window.low_ns, 1)
    return 2 * -(-window.high_ns // width_ns) + 2


def times_of(key: Key, held: Slice) -> Times:
    """The content of a slice, for people."""
    return Times(
        key,
        tuple(entry.refs()[0] for entry in held.certain),
        tuple(entry.refs()[0] for entry in held.possible),
        held.lost_ns is not None,
    )


def put_slice(held: Slice, blur: int, now_ns: int, window: Window, out: Writer) -> list[Any]:
    """A slice as data, without what no reading from `now_ns` on can see.

    Blurs are written into it, so that neither the last one nor `stamp` is needed.
    """
    if held.stamp < blur:
        held = settle(held, held.stamp, blur, is_weakened=True)
    certain, possible, lost_ns = held.certain, held.possible, held.lost_ns
    if window.high_ns is not None:
        oldest_ns = now_ns - window.high_ns
        certain = tuple(entry for entry in certain if entry.time_ns >= oldest_ns)
        possible = tuple(entry for entry in possible if entry.time_ns >= oldest_ns)
        lost_ns = None if lost_ns is None or lost_ns[1] < oldest_ns else lost_ns
    if window.low_ns == 0:  # What lies before another entry is never the newest in a window.
        possible = possible[-1:]
        if certain and possible and possible[0].position < certain[-1].position:
            possible = ()
    data: list[Any] = [
        [out.entry(entry) for entry in certain],
        [out.entry(entry) for entry in possible],
        None if lost_ns is None else [*lost_ns, held.past],
        held.lost_count,
        out.maybe_ref(held.undone_by),
    ]
    return data


def take_slice(data: Any, source: Reader) -> Slice:
    """A slice."""
    certain, possible, lost, lost_count, undone_by = data
    lost_ns, past = None, UNKNOWN_PAST
    if lost is not None:
        first_ns, last_ns, past = lost
        lost_ns = (first_ns, last_ns)
    return Slice(
        NEVER_BLURRED,
        tuple(source.entry(entry) for entry in certain),
        tuple(source.entry(entry) for entry in possible),
        lost_ns,
        lost_count,
        source.maybe_ref(undone_by),
        past,
    )
