"""A finding: a verdict, or an observation of the engine itself, in context and with a stable id."""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

import msgspec

from monitor.trace_key import TraceKey

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")

Mode = Literal["observe", "enforce"]


def mode_of_all(setting: str) -> Mode | None:
    """The mode that the setting `mode` gives every invariant; None: each has its own."""
    modes: dict[str, Mode] = {"observe": "observe", "enforce": "enforce"}
    return modes.get(setting)


EngineFindingType = Literal[
    "gap",
    "lost",
    "id_conflict",
    "provenance",
    "contested",
    "unowned",
    "bypass",
    "break_glass",
    "misplaced",
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
        "misplaced",
        "provenance",
    }
)
"""Types of findings that report something that could not be judged. `unread` is not among them:
finished files count rejected records separately, and `--allow-rejected` may permit some."""


class WitnessEvent(msgspec.Struct, frozen=True):
    """One event of a witness: position in its session's trace from 0, effective time, id.

    `roles` are the conditions of the invariant that it satisfied: predicates, or operands of
    operators. `session`, and `principal` if known, are set if the scope is wider than a session.
    """

    position: int
    time_ns: int
    id: str
    roles: list[str] = []
    session: str = ""
    principal: str = ""

    def is_of(self, trace: TraceKey) -> bool:
        """True if the event belongs to this trace, which is that of its finding."""
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
    """One feature behind a score: its value, the bounds of 90 % of the training data, and its share
    of the score.
    """

    name: str
    meaning: str
    unit: str
    value: float
    usual: tuple[float, float]
    share: float


class Anomaly(msgspec.Struct, frozen=True):
    """The result of a detector: a rank among ordinary sessions, not a proof.

    `p_value` bounds the share of ordinary sessions that ever reach `score`; `model` is the digest
    of the model. Features are sorted by their share, the largest first.
    """

    score: float
    threshold: float
    p_value: float
    model: str
    features: list[AnomalyFeature]


class Born(msgspec.Struct, frozen=True):
    """Invariants that were added to a scope in the middle of its trace.

    `position` and `time_ns` are those of the last event that they did not see; `invariants` maps
    digests to ids; `epoch` is that of the monitor's store. `per` and `scope` identify the trace.
    """

    per: str
    scope: str
    position: int
    time_ns: int
    epoch: int
    invariants: dict[str, str]


class FindingRun(msgspec.Struct, frozen=True):
    """Violations of one binding in a row (`report: edge`), reported under the first of them.

    `count` events violate so far, the latest is `last`. `over` is the event that ended the run;
    null while it continues, and for a single violation.
    """

    count: int
    last: WitnessEvent
    over: WitnessEvent | None = None


class Undecided(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant of a group whose verdict a doubt left open (`monitor/findings/grouping.py`).

    `verdict` is the id of its own verdict, `anchor` the judged event; `unknown` lists the
    predicates and operators whose value was unknown.
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


class KnownRoles(msgspec.Struct, frozen=True):
    """The roles of a principal, by version number `version` of the file of principals."""

    version: int
    roles: tuple[str, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The record that is published, stored and shown. The binding holds its only event values.

    `id` depends on the cause, and never on the time or place of detection. `prevention` is
    `prevented` if the call was stopped before it ran, else `detected`.
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
    standing: KnownRoles | None = None
    """Of the principal at the anchor; None if it was not known."""
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
    excepted_by: str = ""
    """The operator's exception that was in force: then it refuses no call, and stops nobody."""
    respond: list[str] = []
    detail: str = ""
    could_concern: list[str] = []
    """Only for `unread`, `disorder` and `lost`: the invariants whose verdicts in the scope are not
    certain."""
    anomaly: Anomaly | None = None
    """Only for the type `anomaly`."""
    born: Born | None = None
    """Only for the type `birth`."""
    group: str = ""
    """For an undecided verdict, the id of the finding that reports it; else empty."""
    undecided: list[Undecided] = []
    """Only for a group: each invariant that the doubt concerns, the most severe first. The other
    fields are those of one of the most severe verdicts."""
    run: FindingRun | None = None
    """Only for a violation of an invariant with `report: edge`."""

    @property
    def trace(self) -> TraceKey:
        """The trace of the anchor."""
        return TraceKey(self.principal, self.session)

    @property
    def is_growing(self) -> bool:
        """True if later records of the same id may say more: of a group, or of a run."""
        return bool(self.undecided) or self.run is not None

    @property
    def stop(self) -> Literal["kill", "quarantine"] | None:
        """The harder stop that its invariant responds with, if it is a new violation of one that is
        enforced. A prevented one has none (`monitor/kernel/prevented.py`).
        """
        is_new = self.type == "violated" and not self.is_of_known_run
        if not is_new or not self.is_enforced:
            return None
        if "kill" in self.respond:
            return "kill"
        return "quarantine" if "quarantine" in self.respond else None

    @property
    def is_enforced(self) -> bool:
        """True if its invariant is, and no operator has excepted it."""
        return self.mode == "enforce" and not self.excepted_by

    @property
    def is_of_known_run(self) -> bool:
        """True if the violation was reported before, and its run has grown or ended since."""
        return self.run is not None and self.run.count > 1


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
    """The stable id: the same cause gives the same id in a live run, a replay and a second run.

    `subject` is the invariant's id, or the type of an engine finding; `scope` is the session's
    trace if a principal is known; `anchor_id` is preceded by its session (and principal) if
    the scope is wider; `anchor_digest` is `""` unless the anchor's id is in conflict; `life`
    distinguishes events with one id if the first was forgotten (`Header.life_at`).
    """
    if isinstance(scope, TraceKey) and not scope.principal:
        scope = scope.session
    parts = [subject, digest, scope, anchor_id, anchor_digest, binding, verdict, life]
    text = msgspec.json.encode(parts, order="deterministic")
    return "f-" + hashlib.blake2b(text, digest_size=12).hexdigest()
