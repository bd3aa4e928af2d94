"""Findings -> planned actions: alerts and stops.

Pure: it reads no clock and has no effects. Its plan is stored together with the finding and carried
out afterwards (`monitor/actions/`). An action's id is derived from the finding, the kind and the
target, so that planning the same finding twice gives the same actions.

- Only a `violated` finding of an invariant in mode `enforce` stops a target. In mode `observe`
  the intended response is recorded as `would`, and shown; likewise under an operator's exception.
- An inconclusive finding, and a finding of the engine itself (a gap, a conflict of ids), alert.
- Stops are planned for each verdict, alerts for each finding as reported: one for a group of
  undecided verdicts, and one more if its severity rises (`monitor/findings/grouping.py`).
- The breaker bounds the number of stops (`monitor/response/breaker.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from invariants.spec.model import ActionKind

from ..findings.incident import incident_of
from ..findings.model import Finding, Severity

ActionState = Literal["planned", "would", "held", "done", "failed"]
ActionMode = Literal["observe", "enforce"]

URGENCY: Final[Mapping[ActionKind, int]] = {"kill": 0, "quarantine": 1, "alert": 2}
"""The order in which actions are carried out: stops before alerts. The numbers are stored, and the
store takes those below 2 for stops (`monitor/store/schema.py`): a new kind takes the next number.
"""

ENFORCING_KINDS: Final[tuple[ActionKind, ...]] = ("quarantine", "kill")
LOG_TARGET: Final = "log"
WEBHOOK_TARGET: Final = "webhook"


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One planned effect on one target.

    `target` is `log` or `webhook` for an alert, else a key of the control topic (`session:ID`,
    `session-of:NAME/ID`, `principal:NAME`). `state` is the stored state: `planned` actions are
    carried out; `would` and `held` ones are not, nor are `done` ones, whose target was already
    stopped. `principal` is that of the finding. `incident` reveals nothing about the finding to its
    readers.
    """

    v: int = 1
    id: str
    finding: str
    kind: ActionKind
    target: str
    mode: ActionMode
    state: ActionState = "planned"
    severity: Severity
    invariant: str = ""
    incident: str
    reason: str = ""
    principal: str = ""

    @property
    def is_enforcing(self) -> bool:
        """True for a stop, false for an alert."""
        return self.kind in ENFORCING_KINDS


@dataclass(frozen=True, slots=True)
class ResponsePolicy:
    """The settings for responses.

    `is_observing` caps every invariant at `observe`. `names_principal`: stop the authenticated
    sender as well, since a new session id costs nothing. `enforcing_max`, `kills_max`: new targets,
    and new kills, per hour and bucket of the breaker.
    """

    is_observing: bool = False
    names_principal: bool = True
    has_webhook: bool = False
    enforcing_max: int = 60
    kills_max: int = 20


def plan(finding: Finding, policy: ResponsePolicy) -> tuple[Action, ...]:
    """The planned actions for a finding, the most urgent first.

    Of quarantine and kill only the kill is planned for a target: the latest record of a key is in
    force, so a quarantine after a kill would revoke it.
    """
    mode: ActionMode = "observe"
    if finding.is_enforced and not policy.is_observing:
        mode = "enforce"
    kinds = _kinds(finding)
    stopping = [kind for kind in kinds if kind in ENFORCING_KINDS][:1]
    actions = [
        _action(finding, kind, target, mode, "planned" if mode == "enforce" else "would")
        for kind in stopping
        for target in _stop_targets(finding, policy)
    ]
    if "alert" in kinds:
        actions += _alerts(finding, policy, mode)
    return tuple(actions)


def as_kind(action: Action, kind: ActionKind, reason: str) -> Action:
    """The same stop, harder or milder, under the id that such a one has."""
    id_ = _action_id(action.finding, kind, action.target)
    return msgspec.structs.replace(action, id=id_, kind=kind, reason=reason)


def loud_alerts(
    finding: Finding, policy: ResponsePolicy, mode: ActionMode, reason: str
) -> list[Action]:
    """Whatever the invariant's `respond` contains, an alert reports why a stop was not carried
    out.
    """
    alerts = _alerts(finding, policy, mode, reason)
    return [msgspec.structs.replace(alert, severity="critical") for alert in alerts]


def _kinds(finding: Finding) -> tuple[ActionKind, ...]:
    """The wanted kinds in order of urgency."""
    if finding.is_of_known_run:  # Its first violation was responded to.
        return ()
    if finding.undecided:  # Its verdicts are planned for one by one.
        if finding.type == "violated":
            respond = finding.respond
            return tuple(k for k in URGENCY if k in respond and k not in ENFORCING_KINDS)
        # Information only: it raises no alert.
        return () if finding.severity == "info" else ("alert",)
    if finding.group:
        respond = finding.respond if finding.type == "violated" else []
        return tuple(k for k in URGENCY if k in respond and k in ENFORCING_KINDS)
    if finding.type == "birth":
        return ()  # After each change of invariants there is one for every running session.
    if finding.type != "violated":
        return ("alert",)
    return tuple(kind for kind in URGENCY if kind in finding.respond) or ("alert",)


def _stop_targets(finding: Finding, policy: ResponsePolicy) -> list[str]:
    targets = [finding.trace.control_target]
    if policy.names_principal and finding.principal:
        targets.append(f"principal:{finding.principal}")
    return targets


def _alerts(
    finding: Finding, policy: ResponsePolicy, mode: ActionMode, reason: str = ""
) -> list[Action]:
    targets = [LOG_TARGET, WEBHOOK_TARGET] if policy.has_webhook else [LOG_TARGET]
    return [_action(finding, "alert", target, mode, "planned", reason=reason) for target in targets]


def _action(
    finding: Finding,
    kind: ActionKind,
    target: str,
    mode: ActionMode,
    state: ActionState,
    *,
    reason: str = "",
) -> Action:
    told = finding.group or finding.id
    cause = f"{told}/{finding.severity}" if finding.undecided else finding.id
    return Action(
        id=_action_id(cause, kind, target),
        finding=told,
        kind=kind,
        target=target,
        mode=mode,
        state=state,
        severity=finding.severity,
        invariant=finding.invariant,
        incident=incident_of(told),
        reason=reason,
        principal=finding.principal,
    )


def _action_id(finding_id: str, kind: ActionKind, target: str) -> str:
    text = msgspec.json.encode([finding_id, kind, target])
    return "a-" + hashlib.blake2b(text, digest_size=12).hexdigest()
