"""The content of an aggregate: tallies by binding, and events of truncated lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..model.fact import Fact
from .codec import Reader, Writer, by_key, put_fact, take_fact, take_values
from .contract import EARLIEST_NS, UNKNOWN_PAST, Key
from .keyed import EMPTY_KEYED, Keyed, keyed
from .tally import (
    Sample,
    Tally,
    expire,
    put_sample,
    put_tally,
    take_sample,
    take_tally,
)

CUT_MAX: Final = 64
"""Chosen: events with a truncated list that one memory keeps separately; each read checks all."""


class CutSample(NamedTuple):
    """An event that may belong to groups whose value it does not name: its list was too long."""

    sample: Sample
    fact: Fact


class AggregateCell(NamedTuple):
    """Tallies by binding, and events that may belong to any of them.

    `rest_lost_ns`: the newest time at which a binding was not added at a bound; `all_lost_ns`: at
    which an event had more bindings, or more was truncated, than is kept separately.
    """

    tallies: Keyed[Tally]
    rest_lost_ns: int | None = None
    all_lost_ns: int | None = None
    cut: tuple[CutSample, ...] = ()
    born_ns: int | None = None
    """The time of the last event before a birth; events up to then are unknown."""
    past: int = UNKNOWN_PAST
    """The reading of a comparison that only events up to then would decide."""


EMPTY_AGGREGATE: Final = AggregateCell(EMPTY_KEYED)


def dies_ns(tally: Tally, horizon_ns: int) -> int:
    """The last time at which the tally can still matter."""
    newest, lost_ns = tally.samples.newest, tally.lost_ns
    newest_ns = EARLIEST_NS if newest is None else newest.time_ns
    last_ns = newest_ns if lost_ns is None else max(lost_ns, newest_ns)
    return last_ns + horizon_ns


def inside(
    cut: tuple[CutSample, ...], now_ns: int, horizon_ns: int | None
) -> tuple[CutSample, ...]:
    """Those of the events that are in the window."""
    if horizon_ns is None or not cut:
        return cut
    oldest_ns = now_ns - horizon_ns
    return tuple(item for item in cut if item.sample.time_ns >= oldest_ns)


def is_born_inside(cell: AggregateCell, now_ns: int, horizon_ns: int | None) -> bool:
    """True if a birth is in the window."""
    if cell.born_ns is None:
        return False
    return horizon_ns is None or cell.born_ns >= now_ns - horizon_ns


def put_cell(
    cell: AggregateCell, now_ns: int, horizon_ns: int | None, *, keeps_totals: bool, out: Writer
) -> Any:
    """Its tallies, in the order of their keys, without what is over."""
    held: Mapping[Key, Tally] = cell.tallies.held
    rest_ns, all_ns, born_ns = cell.rest_lost_ns, cell.all_lost_ns, cell.born_ns
    if horizon_ns is not None:
        held = {key: one for key, one in held.items() if dies_ns(one, horizon_ns) >= now_ns}
        rest_ns, all_ns, born_ns = (
            None if at_ns is None or at_ns < now_ns - horizon_ns else at_ns
            for at_ns in (rest_ns, all_ns, born_ns)
        )
    tallies = [
        [key, put_tally(expire(tally, now_ns, horizon_ns), keeps_totals, out)]
        for key, tally in by_key(held)
    ]
    cut = inside(cell.cut, now_ns, horizon_ns)
    return [
        tallies,
        [rest_ns, all_ns, cell.tallies.lost_count],
        [[put_sample(item.sample, out), put_fact(item.fact)] for item in cut],
        [born_ns, cell.past],
    ]


def take_cell(data: Any, horizon_ns: int | None, source: Reader) -> AggregateCell:
    """A cell. Without `horizon_ns` its tallies have no end."""
    tallies, (rest_ns, all_ns, lost_count), cut, (born_ns, past) = data
    held = {take_values(key): take_tally(tally, source) for key, tally in tallies}

    def dies(tally: Tally) -> int:
        assert horizon_ns is not None, "only windows that end have a queue"
        return dies_ns(tally, horizon_ns)

    return AggregateCell(
        keyed(held, lost_count, None if horizon_ns is None else dies),
        rest_ns,
        all_ns,
        tuple(CutSample(take_sample(item, source), take_fact(fact)) for item, fact in cut),
        born_ns,
        past,
    )
