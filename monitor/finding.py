"""A finding: a verdict (or what the engine itself noticed) in its context, with a lasting id."""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

import msgspec

from monitor.trace_key import TraceKey

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")

EngineFindingType = Literal[
    "gap",
    "lost",
    "id_conflict",
    "provenance",
    "contested",
    "unowned",
    "split",
    "after_end",
    "unscoped",
    "unread",
    "disorder",
    "capacity",
    "unevaluable",
    "anomaly",
    "birth",
]
FindingType = Literal["violated", "inconclusive"] | EngineFindingType
UNJUDGED_TYPES: Final[frozenset[FindingType]] = frozenset(
    {
        "inconclusive",
        "gap",
        "lost",
        "capacity",
        "disorder",
        "unscoped",
        "unevaluable",
        "unowned",
        "provenance",
    }
)
"""Findings that say that something could not be judged. `unread` is left out: finished files count
their rejected records, and may be allowed some."""


class WitnessEvent(msgspec.Struct, frozen=True):
    """One event of a witness: position in its session's trace from 0, effective time, id.

    `roles` say what of the invariant it made true: a predicate, or the operand of an operator.
    `session` is named where the scope is wider than a session, and its `principal` if known.
    """

    position: int
    time_ns: int
    id: str
    roles: list[str] = []
    session: str = ""
    principal: str = ""

    def is_of(self, trace: TraceKey) -> bool:
        """Whether it stands in this trace, which is its finding's."""
        return not self.session or (self.principal, self.session) == trace


class WitnessAbsence(msgspec.Struct, frozen=True):
    """`formula` is false at every event from one time to another (both included).

    The interval begins at `first`, at `undone_by` (which ended what had held) or behind `after`,
    and ends with `last` or in front of `before`, as far as those events are named.
    """

    formula: str
    from_ns: int | None
    to_ns: int
    undone_by: WitnessEvent | None = None
    after: WitnessEvent | None = None
    first: WitnessEvent | None = None
    last: WitnessEvent | None = None
    before: WitnessEvent | None = None


class AnomalyFeature(msgspec.Struct, frozen=True):
    """One feature behind a score: its value, the bounds between which 90 % of training lay, and
    what it added to the score.
    """

    name: str
    meaning: str
    unit: str
    value: float
    usual: tuple[float, float]
    share: float


class Anomaly(msgspec.Struct, frozen=True):
    """What a detector found: no certainty, a rank among ordinary sessions.

    `p_value` bounds the share of ordinary sessions that ever reach `score`; `model` names the
    model by its digest. Features stand in the order of what they added, the largest first.
    """

    score: float
    threshold: float
    p_value: float
    model: str
    features: list[AnomalyFeature]


class Born(msgspec.Struct, frozen=True):
    """Invariants that began to watch a scope in the middle of its trace.

    `position` and `time_ns` are of the last event that they have not seen; `invariants` are ids by
    digest; `epoch` is that of the monitor's store. `per` and `scope` say whose trace it is.
    """

    per: str
    scope: str
    position: int
    time_ns: int
    epoch: int
    invariants: dict[str, str]


class Undecided(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant of a group that one doubt left undecided (`monitor/grouping.py`).

    `verdict` is the id of its own verdict, `anchor` the event that it judges; `unknown` names the
    predicates and operators that could not be told.
    """

    verdict: str
    invariant: str
    digest: str
    severity: Severity
    summary: str = ""
    owner: str = ""
    tags: list[str] = []
    unknown: list[str] = []
    anchor: WitnessEvent
    decided_ns: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is published, stored and shown. Never holds a value of an event but the binding.

    `id` depends on what caused it and never on when or where it was found. `prevention` says
    whether the call had been stopped (`prevented`) or was seen afterwards (`detected`).
    """

    v: int = 1
    id: str
    type: FindingType
    severity: Severity
    invariant: str = ""
    invariant_digest: str = ""
    summary: str = ""
    description: str = ""
    tags: list[str] = []
    owner: str = ""
    references: list[str] = []
    scope_kind: str = "session"
    scope: str
    session: str
    agent: str = ""
    principal: str = ""
    anchor: WitnessEvent
    binding: dict[str, Any] = {}
    witness: list[WitnessEvent] = []
    absences: list[WitnessAbsence] = []
    unknowns: list[WitnessEvent] = []
    decided_ns: int
    is_late: bool = False
    is_escalated: bool = False
    prevention: Literal["detected", "prevented"] = "detected"
    mode: Literal["observe", "enforce"] = "observe"
    respond: list[str] = []
    detail: str = ""
    could_concern: list[str] = []
    """Of the types `unread` and `disorder` alone: the invariants about whose verdicts in the scope
    nothing is certain now."""
    anomaly: Anomaly | None = None
    """Of the type `anomaly` alone."""
    born: Born | None = None
    """Of the type `birth` alone."""
    group: str = ""
    """Of an undecided verdict: the id of the finding that tells of it. Empty if it is decided."""
    undecided: list[Undecided] = []
    """Of a group alone: each invariant that the doubt concerns, the most severe first. The fields
    of a verdict are those of one of the most severe."""

    @property
    def trace(self) -> TraceKey:
        """The trace of its anchor."""
        return TraceKey(self.principal, self.session)


def finding_id(
    *,
    subject: str,
    digest: str,
    scope: str | TraceKey,
    anchor_id: str | tuple[str, ...],
    anchor_digest: str,
    binding: object,
    verdict: str,
    life: str = "",
) -> str:
    """The lasting id: the same cause gives the same id in a live run, a replay, a second run.

    `subject` is the invariant's id, or the type of an engine finding; `scope` is the session's
    trace if a principal is known; `anchor_id` has its session (and principal) beside it where
    the scope is wider; `anchor_digest` is `""` unless the anchor's id
    is in conflict; `life` tells events apart that carry one id because the first was forgotten
    (`Header.life_at`).
    """
    if isinstance(scope, TraceKey) and not scope.principal:
        scope = scope.session
    parts = [subject, digest, scope, anchor_id, anchor_digest, binding, verdict, life]
    text = msgspec.json.encode(parts, order="deterministic")
    return "f-" + hashlib.blake2b(text, digest_size=12).hexdigest()
