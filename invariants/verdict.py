"""What the machine says of an invariant at an event, and the events that justify it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .fact import Value

VerdictKind = Literal["holds", "violated", "inconclusive", "pending"]

Binding = tuple[tuple[str, Value], ...]
"""Variables and their values, sorted by name."""

MISSING_BINDING: Binding = (("?", "?"),)
"""The binding `?`: the event has no usable value where the invariant needs one."""


@dataclass(frozen=True, slots=True, order=True)
class EventRef:
    """An event of a trace: its position from 0, its effective time, its id.

    `roles` say what of a formula it made true, for people; an event is the same in any role.
    """

    position: int
    time_ns: int
    id: str
    roles: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Absence:
    """`formula` is false at every event of an interval of the trace.

    These are the events between two times (both included) which do not stand before `first` or
    `undone_by`, nor behind `last`, and which stand behind `after` and before `before`, as far as
    those are named: times alone do not tell events of equal time apart. `undone_by` is the event
    that ended a `since` which had held.
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


@dataclass(frozen=True, slots=True)
class Witness:
    """Events and absences that suffice to see the verdict; `unknowns` made it inconclusive."""

    events: tuple[EventRef, ...] = ()
    absences: tuple[Absence, ...] = ()
    unknowns: tuple[EventRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One invariant, one anchor event, one binding.

    `is_escalated` says that `on_unknown: violate` made `violated` of what was inconclusive.
    `decided_ns` is the time at which it was known: the anchor's own, or a deadline's, or the end's.
    """

    invariant: str
    kind: VerdictKind
    anchor: EventRef
    binding: Binding
    witness: Witness
    decided_ns: int
    is_escalated: bool = False
    reason: str = ""
