"""The machine's verdict on an invariant at an event, and the events that justify it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from .fact import Value

VerdictKind = Literal["holds", "violated", "inconclusive", "pending"]

Binding = tuple[tuple[str, Value], ...]
"""Variables and their values, sorted by name."""

MISSING_BINDING: Binding = (("?", "?"),)
"""The binding `?`: the event has no usable value that the invariant needs."""


@dataclass(frozen=True, slots=True, order=True)
class EventRef:
    """An event of a trace: its position from 0, its effective time, its id.

    `roles` are the parts of a formula that it satisfied, for people; events are equal whatever
    their roles.
    """

    position: int
    time_ns: int
    id: str
    roles: tuple[str, ...] = field(default=(), compare=False)


class Absence(msgspec.Struct, frozen=True):
    """`formula` is false at every event of an interval of the trace.

    These are the events between two times (both included) that are not before `first` or
    `undone_by`, nor after `last`, and that are after `after` and before `before`, as far as those
    are given: times alone do not distinguish events of equal time. `undone_by` is the event that
    ended a `since` which had held.
    """

    formula: str
    from_ns: int | None
    to_ns: int
    undone_by: EventRef | None = None
    after: EventRef | None = None
    first: EventRef | None = None
    last: EventRef | None = None
    before: EventRef | None = None

    def edges(self) -> tuple[EventRef | None, ...]:
        """The events that bound it, in the order of the fields."""
        return self.undone_by, self.after, self.first, self.last, self.before


class Witness(msgspec.Struct, frozen=True):
    """Events and absences that suffice to see the verdict; `unknowns` made it inconclusive."""

    events: tuple[EventRef, ...] = ()
    absences: tuple[Absence, ...] = ()
    unknowns: tuple[EventRef, ...] = ()


class Run(msgspec.Struct, frozen=True):
    """Violations of one binding in a row, which `report: edge` reports under the first of them.

    `count` judged events violate so far, the latest is `last`. `over` is the event that ended the
    run: the invariant held or was in doubt, or the session ended; None while the run continues.
    """

    count: int
    last: EventRef
    over: EventRef | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One invariant, one anchor event, one binding.

    `is_escalated` means that `on_unknown: violate` turned inconclusive into `violated`.
    `decided_ns` is the time at which it was known: the anchor's own, or a deadline's, or the end's.
    `run` is set by `report: edge`. If its count is above 1, the verdict repeats an earlier one, of
    its first event, and has no witness.
    """

    invariant: str
    kind: VerdictKind
    anchor: EventRef
    binding: Binding
    witness: Witness
    decided_ns: int
    is_escalated: bool = False
    reason: str = ""
    run: Run | None = None
