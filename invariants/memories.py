"""The memories of past operators, as one type: each kind of cell has its own module.

A memory is a frozen description with an `initial` cell, a `read` and a `step`; cells are immutable
values that `state.py` can encode. `touched_by` determines at compile time which events can change a
cell, so that the others cost nothing.
"""

from __future__ import annotations

from .memory_aggregate import AggregateMemory
from .memory_previous import PreviousMemory
from .memory_since import ClosedSinceMemory, SinceMemory

PastMemory = ClosedSinceMemory | SinceMemory | PreviousMemory | AggregateMemory
