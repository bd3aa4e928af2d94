"""The effective time of an event: its `ts`, as far as it is believed.

    timing_of(event, before_ns, clocks) -> Timing

Input: an event, the time that its trace has reached, and how far clocks are believed. Output: the
time at which it counts, and the doubt about it. Pure: it reads no clock.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from invariants.model.event import SECOND_NS, Event
from invariants.runtime.unsure_time import TimeDoubt

UNSURE_TEXT: Final = (
    ": the distance in time between events of its trace is not known, and windows may be judged "
    "wrongly"
)


class Clocks(NamedTuple):
    """How far the times of producers and gates are believed."""

    lateness_ns: int
    skew_ns: int
    trust_ts: bool
    gate_lateness_ns: int = 0

    @property
    def back_ns_max(self) -> int:
        """How far times may run back in a trace and be raised; beyond it they are in doubt.

        If the source vouches for arrivals, times run back no further.
        """
        return self.lateness_ns + self.skew_ns


class Timing(msgspec.Struct, frozen=True):
    """The effective time of an event, and a flag for an unknown distance from others.

    `is_unsure`: its own time is not known. `disorder` says why, if its trace is to be told: the
    times of its predecessors are in doubt as well then, and verdicts based on them have been given.
    """

    time_ns: int
    doubt: TimeDoubt | None = None
    is_unsure: bool = False
    disorder: str = ""


def timing_of(
    event: Event, before_ns: int, clocks: Clocks, *, is_before_unsure: bool = False
) -> Timing:
    """`ts` moved into [arrival - lateness, arrival + skew], then raised to its predecessor's.

    Otherwise one event stamped 2099 would keep an approval alive for ever. If no source vouches for
    an arrival, and in backfills (`trust_ts`), `ts` is only raised. But a time later than that of
    reading raises nothing, and one that runs back further than clocks differ is raised in doubt,
    since its predecessor's may be wrong. A gate's clock is believed, as long as its events arrive
    in time.
    """
    believed_ns = event.ts_ns
    if event.arrival_ns is not None and not clocks.trust_ts:
        is_of_gate = event.is_of_gate
        lateness_ns = clocks.gate_lateness_ns if is_of_gate else clocks.lateness_ns
        believed_ns = clamped_ns(event, lateness_ns, clocks.skew_ns)
        if is_of_gate and believed_ns != event.ts_ns:
            return _moved(event, believed_ns, before_ns, is_before_unsure=is_before_unsure)
    elif event.read_ns is not None and event.ts_ns > event.read_ns + clocks.skew_ns:
        return Timing(before_ns, TimeDoubt(is_own=True), True)
    if believed_ns >= before_ns and not is_before_unsure:
        return Timing(believed_ns)
    time_ns = max(believed_ns, before_ns)
    # Those of the time before it may have been raised as well.
    sure_ns = min(believed_ns, before_ns - 1) if is_before_unsure else believed_ns
    if time_ns - believed_ns > clocks.back_ns_max:
        back_s = (time_ns - believed_ns) / SECOND_NS
        text = f"its time is {back_s:.0f} s before that of an earlier event{UNSURE_TEXT}"
        return Timing(time_ns, TimeDoubt(sure_ns), True, text)
    return Timing(time_ns, TimeDoubt(sure_ns) if is_before_unsure else None)


def _moved(event: Event, believed_ns: int, before_ns: int, *, is_before_unsure: bool) -> Timing:
    """A gate's event that arrived too late, or before its time: its own time is in doubt.

    Everything that is due before the time at which it counts is decided without it, as ticks may
    have done already. Obligations that begin at it are in doubt at once, for the same reason.
    """
    time_ns = max(believed_ns, before_ns)
    off_s = abs(event.ts_ns - believed_ns) / SECOND_NS
    if event.ts_ns > believed_ns:
        text = f"its gate's clock is {off_s:.3g} s too far ahead of its arrival{UNSURE_TEXT}"
        return Timing(time_ns, TimeDoubt(is_own=True), True, text)
    sure_ns = min(event.ts_ns, before_ns - 1) if is_before_unsure else event.ts_ns
    text = f"it arrived {off_s:.3g} s later than `gate_lateness` allows{UNSURE_TEXT}"
    return Timing(time_ns, TimeDoubt(sure_ns, is_own=True, has_forgotten=True), True, text)


def clamped_ns(event: Event, lateness_ns: int, skew_ns: int) -> int:
    """`ts` moved into the interval that its arrival allows; the event must have an arrival.

    A record of a log directory arrived at some time since the last look that did not find it.
    """
    arrival_ns = event.arrival_ns
    assert arrival_ns is not None, "asked for events that arrived"
    earliest_ns = arrival_ns if event.not_before_ns is None else event.not_before_ns
    time_ns = max(event.ts_ns, earliest_ns - lateness_ns)
    return min(time_ns, arrival_ns + skew_ns)
