"""Follows the control topic in a thread, and reports its records and the age of this view.

A view is published only after it was read to the end of the topic, so that a partly read log is
never used as an answer. The age is computed for the shards that contain a session's events. It is
the maximum of three: the time since the topic was last read to its end, the time since a heartbeat
for these shards arrived, and the distance between their watermark and this machine's clock. A
heartbeat from the future therefore makes a view old, not young. If several vouchers can stop a
session, the oldest heartbeat counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from .clock import Clock
from .control_feed import ControlFeed, FeedEntry, FeedReading
from .control_record import CLOCKS_APART_NS_MAX, ControlRecord, ControlState, ControlView
from .watermarks import Heard, Shard, Watermarks

KEYS_MAX: Final = 200_000
"""Control keys held, about 100 MB. Beyond it the view counts as unusable, since its losses are
unknown."""

POLL_S: Final = 0.2
RETRY_FIRST_S: Final = 0.1
RETRY_LONGEST_S: Final = 5.0


class ControlFollower:
    """See the module. Reading the view takes no lock: it is one reference, replaced whole.

    `age_ns_max` is the age up to which the view is usable.
    """

    def __init__(
        self, open_feed: Callable[[], ControlFeed], clock: Clock, *, age_ns_max: int
    ) -> None:
        self._open_feed = open_feed
        self._clock = clock
        self.age_ns_max = age_ns_max
        self._view: ControlView | None = None
        self._read_to_end_ns = 0
        self._started_ns: int | None = None
        self._reset()

    def _reset(self) -> None:
        self._coming: ControlView = ControlView()
        self._feed: ControlFeed | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._stop = threading.Event()
        self._judged = Watermarks()
        self._heard = Watermarks()
        self._has_news = threading.Condition()
        self._usable_once: set[Shard | None] = set()
        """The shards for which a caller has found a usable view."""
        self.was_heard = False
        """True if any shard was watched at any time since the start."""
        self.errors_count = 0
        self.unreadable_count = 0

    def start(self) -> None:
        """Begin to follow, unless that was done."""
        if self._thread is not None or self._stop.is_set():
            return
        with self._starting:
            if self._started_ns is None:
                self._started_ns = self._clock.monotonic_ns()
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="interlock-control", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # Without a thread there is no view, and the guard answers accordingly.
                    self.errors_count += 1
                    return
                self._thread = thread

    def stop(self, timeout_s: float) -> None:
        """End the thread. Safe to call twice."""
        self._stop.set()
        with self._has_news:
            self._has_news.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def after_fork_in_child(self) -> None:
        """Keep the records and their age, so that a stopped session stays stopped, and read
        again.
        """
        if self._feed is not None:
            self._feed.abandon()
        usable_once, was_heard = self._usable_once, self.was_heard
        self._reset()
        self._usable_once, self.was_heard = usable_once, was_heard

    def standing(self, keys: Iterable[str]) -> tuple[ControlState, str]:
        """The most severe state among `keys` and `global`, by the last view however old it is."""
        view = self._view
        if view is None:
            return "active", ""
        return view.standing(keys, self._clock.wall_ns())

    def record(self, key: str) -> ControlRecord | None:
        view = self._view
        return None if view is None else view.record(key)

    def age_ns(self, shards: Sequence[Shard | None] = (None,)) -> int | None:
        """The age of the view for these shards; None if one of them has no view.

        None among the shards means an unknown shard: the oldest age counts for it.
        """
        oldest = self._oldest(shards)
        return None if oldest is None else oldest[0]

    def silent_voucher(self, shards: Sequence[Shard | None]) -> str:
        """The voucher that makes the view too old for them if it never sent a heartbeat; else
        empty.
        """
        oldest, view = self._oldest(shards), self._view
        if view is None or oldest is None or oldest[0] <= self.age_ns_max:
            return ""
        last = view.watermarks.last_of(oldest[1].voucher)
        is_silent = last is not None and self._age_ns(last) > self.age_ns_max
        return oldest[1].voucher if is_silent else ""

    def _oldest(self, shards: Sequence[Shard | None]) -> tuple[int, Heard] | None:
        view = self._view
        if view is None:
            return None
        ages = [view.watermarks.of(shard).oldest(self._age_ns) for shard in {*shards}]
        known = [age for age in ages if age is not None]
        return max(known) if len(known) == len(ages) else None

    def _age_ns(self, heard: Heard) -> int:
        now_ns = self._clock.monotonic_ns()
        return max(
            now_ns - self._read_to_end_ns,
            now_ns - heard.arrived_ns,
            abs(self._clock.wall_ns() - heard.time_ns),
        )

    @property
    def last_age_ns(self) -> int | None:
        """How long ago any voucher vouched for anything; None before any heartbeat."""
        view = self._view
        last = None if view is None else view.watermarks.last
        return None if last is None else self._age_ns(last)

    def is_usable(self, shards: Sequence[Shard | None] = (None,)) -> bool:
        """True if the view is recent enough for these shards."""
        age_ns = self.age_ns(shards)
        is_usable = age_ns is not None and age_ns <= self.age_ns_max
        if is_usable:
            self._usable_once.update(shards)
        return is_usable

    def was_usable(self, shards: Sequence[Shard | None] = (None,)) -> bool:
        """True if a caller found a usable view of them at any time since the start."""
        return self._usable_once.issuperset(shards)

    def since_start_ns(self) -> int:
        """How long the topic has been followed in this process or the one it was forked from."""
        return 0 if self._started_ns is None else self._clock.monotonic_ns() - self._started_ns

    def wait_until_usable(self, timeout_s: float, shards: Sequence[Shard | None] = (None,)) -> bool:
        """Wait for a usable view of these shards."""
        self.start()
        with self._has_news:
            return self._has_news.wait_for(lambda: self.is_usable(shards), timeout_s)

    def wait_until_judged(
        self, time_ns: int, timeout_s: float, shards: Sequence[Shard | None] = (None,)
    ) -> bool:
        """Wait until the monitor has judged everything that was sent to it before `time_ns` of its
        clock.

        The resulting stops are then in the view. False if this takes longer, or after `stop`.
        """
        self.start()
        with self._has_news:
            self._has_news.wait_for(
                lambda: self._is_judged(time_ns, shards) or self._stop.is_set(), timeout_s
            )
            return self._is_judged(time_ns, shards)

    def _is_judged(self, time_ns: int, shards: Sequence[Shard | None]) -> bool:
        judged = [self._judged.of(shard).judged_ns for shard in shards]
        return all(judged_ns is not None and judged_ns >= time_ns for judged_ns in judged)

    def take_in(self, reading: FeedReading, began_ns: int) -> None:
        """Apply the result of a poll that began at `began_ns` (monotonic). Called only by the
        thread.
        """
        if reading.is_restart:
            self._coming = ControlView()
            self._heard = Watermarks()
        self.unreadable_count += reading.unreadable_count
        for entry in reading.entries:
            self._apply(entry)
        if not reading.is_at_end or self._coming.keys_count > KEYS_MAX:
            return
        # Before the view, so that a fresh view never shows an old time of reading.
        self._read_to_end_ns = began_ns
        self._view = self._coming
        last_age_ns = self.last_age_ns
        if last_age_ns is not None and last_age_ns <= self.age_ns_max:
            self.was_heard = True
        with self._has_news:
            # The heartbeat of the previous reading: a stop that was written before it may be in
            # another partition, and is certain to be read only after looking for the end again.
            latest_ns = self._clock.wall_ns() + CLOCKS_APART_NS_MAX
            self._judged, self._heard = self._heard, self._view.watermarks.copy(latest_ns)
            self._has_news.notify_all()

    def _run(self) -> None:
        pause_s = RETRY_FIRST_S
        while not self._stop.is_set():
            began_ns = self._clock.monotonic_ns()
            try:
                if self._feed is None:
                    self._feed = self._open_feed()
                self.take_in(self._feed.poll(POLL_S), began_ns)
                pause_s = RETRY_FIRST_S
            except OSError:
                self.errors_count += 1
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, RETRY_LONGEST_S)
        if self._feed is not None:
            self._feed.close()

    def _apply(self, entry: FeedEntry) -> None:
        arrived_ns = self._clock.monotonic_ns()
        if not self._coming.apply(entry.key, entry.value, arrived_ns) and entry.value:
            self.unreadable_count += 1
