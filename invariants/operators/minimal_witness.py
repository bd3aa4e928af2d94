"""The counted events that an aggregate's comparison needs: the latest that suffice.

`count(p) > 3` needs four events, however many there were. If fewer events would not prove it (an
upper bound, an average, a sum with negative amounts), all of them are listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..formula.ast import AggregateFunction, Operator
from ..model.fact import Value
from .tally import Number, Range, Sample, Tally, amount_of, numbers_of


def lately(tally: Tally, function: AggregateFunction) -> Iterable[Sample]:
    """The samples, latest first; of `first` none that is later than the first certain one."""
    if function != "first":
        return tally.samples.newest_first()
    samples = list(tally.samples.newest_first())
    earliest = min((s.position for s in samples if s.is_certain), default=None)
    return [s for s in samples if earliest is None or s.position <= earliest]


def hardest(limits: Range | None, relation: Operator) -> Number | None:
    """The end of a limit's range that is hardest to pass; None if the limit is not known."""
    if limits is None:
        return None
    end = limits.greatest if relation in (">", ">=") else limits.least
    return None if isinstance(end, float) else end


def needed(
    samples: Iterable[Sample], function: AggregateFunction, relation: Operator, limit: Number
) -> list[Sample]:
    """Of certain samples, latest first, a set that is minimal by inclusion.

    Of a count that exceeds its bound, only the samples that it needs are looked at.
    """
    if function == "count" and relation in (">", ">="):
        return _first_beyond(samples, relation, limit)
    everything = list(samples)
    if (function, relation) in {("max", ">"), ("max", ">="), ("min", "<"), ("min", "<=")}:
        return _one_beyond(everything, relation, limit)
    if relation not in (">", ">="):
        return everything
    match function:
        case "sum":
            amounts = [amount_of(sample) for sample in everything]
            if min(amounts, default=0) >= 0:
                return _enough(everything, amounts, relation, limit)
        case "distinct":
            return _enough_values(everything, relation, limit)
        case _:
            pass
    return everything


def limiting(
    samples: Sequence[Sample], function: AggregateFunction, relation: Operator
) -> list[Sample]:
    """Of the certain samples of a limit, latest first, those that show it to be passed.

    Whichever others of them are met beside these, the limit stays at least as easy to pass.
    """
    if function == "first":
        return [samples[-1]]
    is_upper = relation in (">", ">=")
    if relation not in ("==", "!="):
        if function == "min":
            return [min(samples, key=lambda s: min(numbers_of(s)))] if is_upper else [samples[0]]
        if function == "max":
            return [samples[0]] if is_upper else [max(samples, key=lambda s: max(numbers_of(s)))]
        if is_upper and all(amount_of(sample) >= 0 for sample in samples):
            return [samples[0]]
    return list(samples)


def _is_beyond(value: Number, relation: Operator, limit: Number) -> bool:
    match relation:
        case ">":
            return value > limit
        case ">=":
            return value >= limit
        case "<":
            return value < limit
        case _:
            return value <= limit


def _one_beyond(samples: list[Sample], relation: Operator, limit: Number) -> list[Sample]:
    for sample in samples:
        if any(_is_beyond(value, relation, limit) for value in numbers_of(sample)):
            return [sample]
    return samples


def _first_beyond(samples: Iterable[Sample], relation: Operator, limit: Number) -> list[Sample]:
    """As many as it takes to be beyond the limit."""
    kept: list[Sample] = []
    for sample in samples:
        if _is_beyond(len(kept), relation, limit):
            break
        kept.append(sample)
    return kept


def _enough(
    samples: list[Sample], amounts: Sequence[Number], relation: Operator, limit: Number
) -> list[Sample]:
    """Latest ones until they suffice, then without those that were not needed, oldest first."""
    total: Number = 0
    count = 0
    while count < len(samples) and not _is_beyond(total, relation, limit):
        total += amounts[count]
        count += 1
    kept: list[Sample] = []
    for sample, amount in zip(samples[:count][::-1], amounts[:count][::-1], strict=True):
        if _is_beyond(total - amount, relation, limit):
            total -= amount
        else:
            kept.append(sample)
    return kept[::-1]


def _enough_values(samples: list[Sample], relation: Operator, limit: Number) -> list[Sample]:
    """The same of distinct values: an event is needed for the values that no other one has."""
    held: Counter[Value] = Counter()
    count = 0
    while count < len(samples) and not _is_beyond(len(held), relation, limit):
        held.update(set(samples[count].values))
        count += 1
    kept: list[Sample] = []
    for sample in samples[:count][::-1]:
        fewer = held - Counter(set(sample.values))
        if _is_beyond(len(fewer), relation, limit):
            held = fewer
        else:
            kept.append(sample)
    return kept[::-1]
