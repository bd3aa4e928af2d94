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
    """`formula` held at no event between two times (both included).

    `undone_by` is the event that ended it, where a `since` had held within that time. Where `after`
    is named, the time begins behind that event: a left side has not failed since then.
    """

    formula: str
    from_ns: int | None
    to_ns: int
    undone_by: EventRef | None = None
    after: EventRef | None = None


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
