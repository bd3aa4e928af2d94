"""The content of an aggregate for one binding: `count`, `sum`, `min`, `max`, `avg`, `distinct`.

An event whose predicate is unknown may or may not belong to the aggregate. So an aggregate has a
least and a greatest value over all such choices, and a comparison is known if it has the same
result for all values between the two. Sums are exact: doubles are added as fractions.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple, assert_never

from ..formula.ast import AggregateFunction
from ..model.fact import Value
from ..model.verdict import EventRef
from .codec import Reader, Writer, put_number, put_values, take_number, take_value
from .contract import Count, Key
from .fifo import EMPTY_FIFO, Fifo, fifo

Number = int | Fraction

REFS_KEPT_MAX = 16
"""Chosen: events kept as a witness if no window keeps its own entries."""


class Sample(NamedTuple):
    """One event of an aggregate: a flag for certain membership, and its values."""

    time_ns: int
    position: int
    id: str
    is_certain: bool
    values: tuple[Value, ...]

    def ref(self) -> EventRef:
        return EventRef(self.position, self.time_ns, self.id)


class Totals(NamedTuple):
    """Totals, updated event by event: the certain and possible members, and their sums."""

    certain_count: int = 0
    possible_count: int = 0
    certain_sum: Number = 0
    least_extra: Number = 0
    greatest_extra: Number = 0


class Tally(NamedTuple):
    """Samples inside the window, oldest first, and their totals.

    Without a window, `count` and `sum` keep totals and the newest samples as a witness; the other
    functions keep every sample. `lost_ns` is the newest time at which an entry was not added at a
    bound, or a value was unknown.
    """

    samples: Fifo[Sample]
    totals: Totals = Totals()
    lost_ns: int | None = None

    @property
    def is_empty(self) -> bool:
        """It is certain that no event of the window is counted."""
        return not self.samples.length and self.lost_ns is None


EMPTY_TALLY = Tally(EMPTY_FIFO)


class Range(NamedTuple):
    """Least and greatest value over all choices, infinite if there is none."""

    least: Number | float
    greatest: Number | float


def number(value: Value) -> Number | None:
    """A canonical value as an exact number, or None if it is not a number."""
    if isinstance(value, int):
        return value
    return Fraction(value) if isinstance(value, float) else None


def add(
    tally: Tally, sample: Sample, function: AggregateFunction, horizon_ns: int | None, max_: int
) -> Tally:
    """Take in one event; past `max_` samples it is not taken in, and the loss is kept."""
    samples, totals, lost_ns = expire(tally, sample.time_ns, horizon_ns)
    if horizon_ns is None and function in ("count", "sum"):
        samples = samples.append(sample)
        if samples.end - samples.first > REFS_KEPT_MAX:
            samples = samples.popleft()
    elif samples.end - samples.first >= max_:
        return Tally(samples, totals, sample.time_ns)
    else:
        samples = samples.append(sample)
    return Tally(samples, _shift(totals, sample, 1), lost_ns)


def lose(tally: Tally, time_ns: int) -> Tally:
    """Note that something at `time_ns` could not be taken in."""
    return tally._replace(lost_ns=max(time_ns, tally.lost_ns or 0))


def expire(tally: Tally, now_ns: int, horizon_ns: int | None) -> Tally:
    """Let go of samples that are older than the window. Each is dropped once."""
    if horizon_ns is None:
        return tally
    samples, totals, lost_ns = tally
    shared, first, end = samples
    oldest_ns = now_ns - horizon_ns
    if lost_ns is None and (end == first or shared[first].time_ns >= oldest_ns):
        return tally
    gone, samples = samples.older_than(oldest_ns)
    for sample in gone:
        totals = _shift(totals, sample, -1)
    if lost_ns is not None and lost_ns < oldest_ns:
        lost_ns = None
    return Tally(samples, totals, lost_ns)


def _shift(totals: Totals, sample: Sample, sign: int) -> Totals:
    certain_count, possible_count, certain_sum, least_extra, greatest_extra = totals
    if sample.is_certain and not sample.values:
        return Totals(
            certain_count + sign, possible_count, certain_sum, least_extra, greatest_extra
        )
    amount = amount_of(sample) if sample.values else 0
    if sample.is_certain:
        certain_sum += sign * amount
        return Totals(
            certain_count + sign, possible_count, certain_sum, least_extra, greatest_extra
        )
    if amount < 0:
        least_extra += sign * amount
    else:
        greatest_extra += sign * amount
    return Totals(certain_count, possible_count + sign, certain_sum, least_extra, greatest_extra)


def amount_of(sample: Sample) -> Number:
    """The contribution of an event to a sum."""
    numbers = (number(value) for value in sample.values)
    return sum((n for n in numbers if n is not None), 0)


def value_range(tally: Tally, function: AggregateFunction) -> Range | None:
    """The aggregate's least and greatest value; None is unknown. `tally` must be expired."""
    if tally.lost_ns is not None:
        return _at_least(tally, function)
    totals = tally.totals
    match function:
        case "count":
            return Range(totals.certain_count, totals.certain_count + totals.possible_count)
        case "sum":
            return Range(
                totals.certain_sum + totals.least_extra, totals.certain_sum + totals.greatest_extra
            )
        case "distinct":
            certain = {v for s in tally.samples.items() if s.is_certain for v in s.values}
            every = certain.union(*(s.values for s in tally.samples.items()))
            return Range(len(certain), len(every))
        case "min" | "max":
            return _extreme(tally, function)
        case "avg":
            return _average(tally)
        case "first":
            return _first(tally)
        case _:
            assert_never(function)


def limit_range(tally: Tally, function: AggregateFunction) -> Range | None:
    """The least and greatest value of a limit. `tally` must be expired.

    A limit is unknown as long as no event has certainly given it, or one gave no number (for
    which the memory notes a loss): nobody may spend freely because nothing was granted.
    """
    if tally.lost_ns is not None or not tally.totals.certain_count:
        return None
    return value_range(tally, function)


def _first(tally: Tally) -> Range | None:
    """The value of the earliest event that belongs; each doubtful one before it may be that."""
    values: list[Number] = []
    for sample in sorted(tally.samples.items(), key=lambda sample: sample.position):
        numbers = numbers_of(sample)
        if len(numbers) != 1:
            return None  # The event named no number, or several.
        values += numbers
        if sample.is_certain:
            return Range(min(values), max(values))
    return None


def _at_least(tally: Tally, function: AggregateFunction) -> Range | None:
    """The known range if something is missing: more events only add, and only extend extremes."""
    match function:
        case "count":
            return Range(tally.totals.certain_count, math.inf)
        case "distinct":
            certain = {v for s in tally.samples.items() if s.is_certain for v in s.values}
            return Range(len(certain), math.inf)
        case "min" | "max":
            known = [n for s in tally.samples.items() if s.is_certain for n in numbers_of(s)]
            if not known:
                return None
            return (
                Range(-math.inf, min(known)) if function == "min" else Range(max(known), math.inf)
            )
        case "sum" | "avg" | "first":
            return None
        case _:
            assert_never(function)


def _extreme(tally: Tally, function: AggregateFunction) -> Range | None:
    certain = [n for s in tally.samples.items() if s.is_certain for n in numbers_of(s)]
    if not certain:
        return None
    every = certain + [n for s in tally.samples.items() if not s.is_certain for n in numbers_of(s)]
    if function == "min":
        return Range(min(every), min(certain))
    return Range(max(certain), max(every))


def _average(tally: Tally) -> Range | None:
    """Over choices: doubtful events are added in order of their mean while that helps."""
    certain = [n for s in tally.samples.items() if s.is_certain for n in numbers_of(s)]
    if not certain:
        return None
    doubtful = [numbers_of(s) for s in tally.samples.items() if not s.is_certain]
    groups = sorted((g for g in doubtful if g), key=_mean)
    return Range(
        _pulled(certain, groups, is_lowering=True),
        _pulled(certain, groups[::-1], is_lowering=False),
    )


def _pulled(certain: list[Number], groups: list[list[Number]], *, is_lowering: bool) -> Number:
    """The extreme mean over all choices of groups, which come in the order of their means.

    A group moves the mean towards its own; the first that would move it back ends the search.
    """
    total, count = Fraction(sum(certain)), len(certain)
    for group in groups:
        mean, current = _mean(group), total / count
        if mean >= current if is_lowering else mean <= current:
            break
        total, count = total + sum(group), count + len(group)
    return total / count


def _mean(numbers: list[Number]) -> Fraction:
    return Fraction(sum(numbers)) / len(numbers)


def numbers_of(sample: Sample) -> list[Number]:
    """An event's values as far as they are numbers."""
    numbers = (number(value) for value in sample.values)
    return [n for n in numbers if n is not None]


def count_of(key: Key, tally: Tally, values: Range | None) -> Count:
    """A tally for people; `values` is its range."""
    newest, totals = tally.samples.newest, tally.totals
    return Count(
        key,
        totals.certain_count,
        totals.possible_count,
        values,
        None if newest is None else newest.ref(),
        tally.lost_ns is not None,
    )


def put_sample(sample: Sample, out: Writer) -> Any:
    """A sample as data."""
    event = out.event(sample.position, sample.time_ns, sample.id)
    return [event, sample.is_certain, put_values(sample.values)]


def take_sample(data: Any, source: Reader) -> Sample:
    """A sample."""
    position, is_certain, values = data
    time_ns, id_ = source.event(position)
    return Sample(time_ns, position, id_, is_certain, tuple(map(take_value, values)))


def put_tally(tally: Tally, keeps_totals: bool, out: Writer) -> Any:
    """A tally as data. Its totals are the sums of its samples, unless more was counted."""
    samples = [put_sample(sample, out) for sample in tally.samples.items()]
    totals = [put_number(total) for total in tally.totals] if keeps_totals else None
    return [samples, totals, tally.lost_ns]


def take_tally(data: Any, source: Reader) -> Tally:
    """A tally."""
    samples, totals, lost_ns = data
    taken = [take_sample(sample, source) for sample in samples]
    if totals is not None:
        certain, possible, *sums = (take_number(total) for total in totals)
        return Tally(fifo(taken), Totals(int(certain), int(possible), *sums), lost_ns)
    summed = Totals()
    for sample in taken:
        summed = _shift(summed, sample, 1)
    return Tally(fifo(taken), summed, lost_ns)
