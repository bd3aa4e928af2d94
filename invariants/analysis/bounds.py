"""An upper bound on the memory of each part of an invariant in one scope.

At the bound, existing entries are kept, and further entries are unknown (docs/language.md,
Bounds). An entry is an event's time, position and id, with values if they are aggregated: about 300
bytes in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from ..checked import CheckedSpec
from ..compiling import compile_invariant
from ..formula.ast import Window
from ..formula.format import format_formula
from ..limits import Limits
from ..memories import PastMemory
from ..memory_aggregate import AggregateMemory
from ..memory_previous import PreviousMemory
from ..memory_since import ClosedSinceMemory, SinceMemory
from ..spec import InvariantSpec, Per


@dataclass(frozen=True, slots=True)
class Bound:
    """One sub-formula: the kind of its entries, and the bounds on bindings and entries."""

    invariant: str
    formula: str
    keeps: str
    bindings_max: int
    entries_max: int
    setting: str
    """The setting that bounds it, or what else does."""
    per: Per = "session"


def bounds_of(specs: Sequence[CheckedSpec], limits: Limits) -> list[Bound]:
    """The bounds of all invariants and sources of some files."""
    found = [
        replace(bound, per=i.per)
        for spec in specs
        for i in spec.invariants
        for bound in _of(i, limits)
    ]
    sources = {source.name: source for spec in specs for source in spec.sources}
    return found + [
        Bound("", f"source {name}", "fingerprints", 1, limits.pairs_max, "pairs_max")
        for name in sources
    ]


def _of(invariant: InvariantSpec, limits: Limits) -> Iterator[Bound]:
    tables = compile_invariant(invariant, limits).tables
    for memory in tables.memories:
        yield _of_memory(invariant.id, memory, limits)
    if tables.future is not None:
        text = format_formula(invariant.formula)
        count = limits.pending_max
        yield Bound(invariant.id, text, "pending verdicts", count, count, "pending_max")


def _of_memory(invariant: str, memory: PastMemory, limits: Limits) -> Bound:
    match memory:
        case ClosedSinceMemory():
            return _slices(invariant, memory.text, 1, memory.window, limits)
        case SinceMemory():
            return _slices(invariant, memory.text, limits.slices_max, memory.window, limits)
        case PreviousMemory():
            return Bound(invariant, memory.text, "the last two events", 1, 2, "its shape")
        case AggregateMemory():
            groups = limits.slices_max if memory.slots else 1
            entries = groups * limits.window_entries_max
            settings = "slices_max, window_entries_max" if memory.slots else "window_entries_max"
            return Bound(invariant, memory.text, "samples", groups, entries, settings)
        case _:
            assert_never(memory)


def _slices(invariant: str, text: str, bindings: int, window: Window, limits: Limits) -> Bound:
    each = min(2 * _times_max(window), 2 * limits.window_entries_max)
    setting = "its window" if bindings == 1 else "slices_max, its window"
    return Bound(invariant, text, "times", bindings, bindings * each, setting)


def _times_max(window: Window) -> int:
    """Times of one binding, certain or possible: the thinned queue of `slices.py`."""
    if window.low_ns == 0:
        return 1
    if window.high_ns is None:
        return 2
    width_ns = max(window.high_ns - window.low_ns, 1)
    return 2 * -(-window.high_ns // width_ns) + 2
