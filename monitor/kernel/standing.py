"""The state of an invariant in one session, as plain frozen values: for text, JSON and the report.

Created by `inspect.py`. Times are ns since 1970, positions count a session's events from 0. Lists
that an attacker can make long are truncated at `SHOWN_MAX`; their counts are not.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from monitor.findings.model import WitnessEvent

SHOWN_MAX: Final = 100
"""Chosen: bindings, slices, pending verdicts of one invariant that are spelt out."""

TruthName = Literal["false", "unknown", "true", "unbound"]
"""`unbound`: the formula has a variable, and the event at hand gives it no value."""

Status = Literal[
    "violated", "inconclusive", "satisfied", "currently_violated", "currently_satisfied"
]


class Plain(msgspec.Struct, frozen=True, kw_only=True):
    """A value that is shown and never changed."""


class Since(Plain, frozen=True):
    """The event since which a value is unchanged; `is_at_least` if it may be older."""

    position: int
    time_ns: int
    id: str
    is_at_least: bool = False


class FormulaValue(Plain, frozen=True):
    """A sub-formula's value at the event; `depth` counts from 0 at the whole formula."""

    depth: int
    text: str
    value: TruthName
    since: Since | None = None


class BoundValues(Plain, frozen=True):
    """The values of all sub-formulas for one binding."""

    binding: dict[str, Any]
    values: list[FormulaValue]


class SliceStanding(Plain, frozen=True):
    """The memory of a `once`, `since` or `previous` for one binding."""

    binding: dict[str, Any]
    value: TruthName
    certain: list[WitnessEvent]
    possible: list[WitnessEvent]
    has_lost: bool


class TallyStanding(Plain, frozen=True):
    """The state of an aggregate for one binding; `least` and `greatest` bound its value."""

    binding: dict[str, Any]
    certain_count: int
    possible_count: int
    least: int | float | str | None
    greatest: int | float | str | None
    newest: WitnessEvent | None
    has_lost: bool


class MemoryStanding(Plain, frozen=True):
    """The state of one temporal operator or aggregate."""

    text: str
    slices: list[SliceStanding] = []
    tallies: list[TallyStanding] = []
    bindings_count: int = 0
    lost_count: int = 0


class PendingStanding(Plain, frozen=True):
    """A pending verdict; `if_ended` is its value if the session ended now."""

    anchor: WitnessEvent
    binding: dict[str, Any]
    deadline_ns: int | None
    if_ended: str


class InvariantStanding(Plain, frozen=True):
    """One invariant on the session."""

    id: str
    digest: str
    severity: str
    mode: str
    status: Status
    formula: str
    violating: str
    waits_for: str
    bindings: list[BoundValues]
    bindings_count: int
    memories: list[MemoryStanding]
    pending: list[PendingStanding]
    pending_count: int
    lost_count: int
