"""Follows the control topic in a thread, and says what it knows and how old that is.

A view is published once it was read to the end of the topic, so a half-read log never looks
like an answer. Its age is the longest of: since the topic was last read to its end, since a
heartbeat of the monitor last arrived, and the distance between that heartbeat's own time and
this machine's clock. A heartbeat from the future therefore makes a view old, not young.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

from .clock import Clock
from .control_feed import ControlFeed, Entry, Reading
from .control_record import (
    CLOCKS_APART_NS_MAX,
    HEARTBEAT_KEY,
    ControlRecord,
    ControlState,
    ControlView,
)

KEYS_MAX: Final = 200_000
"""Control keys held, some 100 MB. Past it the view counts as unusable: what it lost is unknown."""

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
        self._heartbeat_arrived_ns = 0
        self._started_ns: int | None = None
        self._reset()

    def _reset(self) -> None:
        self._coming: ControlView = ControlView()
        self._feed: ControlFeed | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._stop = threading.Event()
        self._judged_to_ns = 0
        self._heard_ns = 0
        self._has_news = threading.Condition()
        self._is_usable_once = threading.Event()
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
        """Keep what was known and its age, so that a stopped session stays stopped; read anew."""
        if self._feed is not None:
            self._feed.abandon()
        was_usable_once = self._is_usable_once.is_set()
        self._reset()
        if was_usable_once:
            self._is_usable_once.set()

    def standing(self, keys: Iterable[str]) -> tuple[ControlState, str]:
        """The most severe state among `keys` and `global`, by the last view however old it is."""
        view = self._view
        if view is None:
            return "active", ""
        return view.standing(keys, self._clock.wall_ns())

    def record(self, key: str) -> ControlRecord | None:
        view = self._view
        return None if view is None else view.record(key)

    def age_ns(self) -> int | None:
        """How old the view is; None where there is none or no monitor ever wrote a heartbeat."""
        view = self._view
        heartbeat_ns = None if view is None else view.heartbeat_ns
        if heartbeat_ns is None:
            return None
        now_ns = self._clock.monotonic_ns()
        return max(
            now_ns - self._read_to_end_ns,
            now_ns - self._heartbeat_arrived_ns,
            abs(self._clock.wall_ns() - heartbeat_ns),
        )

    def is_usable(self) -> bool:
        age_ns = self.age_ns()
        return age_ns is not None and age_ns <= self.age_ns_max

    @property
    def was_usable(self) -> bool:
        """Whether there was a usable view at any time since the start."""
        return self._is_usable_once.is_set()

    def since_start_ns(self) -> int:
        """How long the topic has been followed in this process or the one it was forked from."""
        return 0 if self._started_ns is None else self._clock.monotonic_ns() - self._started_ns

    def wait_until_usable(self, timeout_s: float) -> bool:
        """Wait for the first usable view."""
        self.start()
        return self._is_usable_once.wait(timeout_s) and self.is_usable()

    def wait_until_judged(self, time_ns: int, timeout_s: float) -> bool:
        """Wait until the monitor has judged what it was sent before `time_ns` of its clock.

        What came of that is then in the view. False where it takes longer, or after `stop`.
        """
        self.start()
        with self._has_news:
            self._has_news.wait_for(
                lambda: self._judged_to_ns >= time_ns or self._stop.is_set(), timeout_s
            )
            return self._judged_to_ns >= time_ns

    def take_in(self, reading: Reading, began_ns: int) -> None:
        """Apply what a poll that began at `began_ns` (monotonic) brought. The thread's alone."""
        if reading.is_restart:
            self._coming = ControlView()
            self._heard_ns = 0
        self.unreadable_count += reading.unreadable_count
        for entry in reading.entries:
            self._apply(entry)
        if not reading.is_at_end or self._coming.keys_count > KEYS_MAX:
            return
        # Before the view, so that a fresh view never shows an old time of reading.
        self._read_to_end_ns = began_ns
        self._view = self._coming
        if not self._is_usable_once.is_set() and self.is_usable():
            self._is_usable_once.set()
        with self._has_news:
            # The heartbeat of the reading before: a stop that was written ahead of it may stand in
            # another partition, and is surely read only by who looks for the end after it.
            self._judged_to_ns = self._heard_ns
            self._heard_ns = self._view.heartbeat_ns or 0
            if self._heard_ns > self._clock.wall_ns() + CLOCKS_APART_NS_MAX:
                self._heard_ns = 0  # From the future: it does not tell what was judged.
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

    def _apply(self, entry: Entry) -> None:
        heartbeat_before = self._coming.heartbeat_ns
        is_applied = self._coming.apply(entry.key, entry.value)
        if not is_applied and entry.value:
            self.unreadable_count += 1
        if entry.key == HEARTBEAT_KEY and self._coming.heartbeat_ns != heartbeat_before:
            self._heartbeat_arrived_ns = self._clock.monotonic_ns()
