"""Findings -> planned actions: who is told, who is stopped, and how many at most.

Pure: it reads no clock and does nothing. What it plans is stored together with the finding and
carried out afterwards (`monitor/actions/`). An action's id is made of the finding, the kind and
the target, so that planning the same finding twice plans the same actions.

- Only a `violated` finding of an invariant in mode `enforce` stops anybody. In mode `observe`
  what would have been done is recorded as `would`, and shown.
- An inconclusive finding, and what the engine itself noticed (a gap, a conflict of ids), alert.
- A *breaker* bounds the blast radius: at most so many new targets are stopped in an hour. What is
  beyond it is recorded as `held`, and an alert says so. A faulty invariant then stops some agents
  and not all of them; the price is that a real attack on many sessions waits for a person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from .finding import Finding, Severity

ActionKind = Literal["alert", "quarantine", "kill"]
ActionState = Literal["planned", "would", "held", "done", "failed"]
ActionMode = Literal["observe", "enforce"]

URGENCY: Final[Mapping[ActionKind, int]] = {"kill": 0, "quarantine": 1, "alert": 2}
"""The order in which actions are carried out: who is stopped comes before who is told."""

ENFORCING_KINDS: Final[tuple[ActionKind, ...]] = ("quarantine", "kill")
LOG_TARGET: Final = "log"
WEBHOOK_TARGET: Final = "webhook"
BREAKER_WINDOW_NS: Final = 3_600 * 1_000_000_000


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One planned effect on one target.

    `target` is `log` or `webhook` for an alert, else a key of the control topic (`session:ID`,
    `principal:NAME`). `state` is the one that it is stored with: `planned` ones are carried out,
    `would` and `held` ones are not. `incident` says nothing about the finding to who reads it.
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

    @property
    def is_enforcing(self) -> bool:
        """Does it stop somebody, rather than tell somebody?"""
        return self.kind in ENFORCING_KINDS


@dataclass(frozen=True, slots=True)
class ResponsePolicy:
    """What the settings say about responses.

    `is_observing` caps every invariant at `observe`. `names_principal`: stop the authenticated
    sender as well, since a new session id is free. `enforcing_max`: new targets in an hour.
    """

    is_observing: bool = False
    names_principal: bool = True
    has_webhook: bool = False
    enforcing_max: int = 60


def plan(finding: Finding, policy: ResponsePolicy) -> tuple[Action, ...]:
    """What is to be done about a finding, the most urgent first.

    Of quarantine and kill only the kill is planned for a target: the later record of a key
    decides, so that a quarantine behind a kill would take it back.
    """
    mode: ActionMode = "observe" if policy.is_observing else finding.mode
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


def admit(
    planned: Iterable[tuple[Finding, tuple[Action, ...]]],
    stopped: AbstractSet[str],
    policy: ResponsePolicy,
) -> tuple[Action, ...]:
    """The planned actions with the breaker applied: those beyond it are held, and told.

    `planned` holds findings with their actions as `plan` gave them, without those that the store
    knows already (`Store.known_actions`): a repeat must not count. `stopped` are the targets of
    enforcing actions of the last hour (`Store.targets_stopped`). A target among them is no new
    one: to stop it again, or harder, is always admitted.
    """
    targets = set(stopped)
    admitted: list[Action] = []
    for finding, actions in planned:
        held_count = 0
        kept: list[Action] = []
        for action in actions:
            if not action.is_enforcing or action.state != "planned" or action.target in targets:
                kept.append(action)
            elif len(targets) < policy.enforcing_max:
                targets.add(action.target)
                kept.append(action)
            else:
                held_count += 1
                kept.append(_held(action, policy))
        admitted += kept if held_count == 0 else _with_loud_alerts(kept, finding, policy)
    return tuple(admitted)


def incident_of(finding_id: str) -> str:
    """The name under which agents see that they were stopped; it tells them nothing else."""
    name = hashlib.blake2b(finding_id.encode(), digest_size=12, person=b"incident")
    return "i-" + name.hexdigest()


def _kinds(finding: Finding) -> tuple[ActionKind, ...]:
    """The wanted kinds in order of urgency."""
    if finding.type != "violated":
        return ("alert",)
    return tuple(kind for kind in URGENCY if kind in finding.respond) or ("alert",)


def _stop_targets(finding: Finding, policy: ResponsePolicy) -> list[str]:
    targets = [f"session:{finding.session}"]
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
    return Action(
        id=_action_id(finding.id, kind, target),
        finding=finding.id,
        kind=kind,
        target=target,
        mode=mode,
        state=state,
        severity=finding.severity,
        invariant=finding.invariant,
        incident=incident_of(finding.id),
        reason=reason,
    )


def _action_id(finding_id: str, kind: ActionKind, target: str) -> str:
    text = msgspec.json.encode([finding_id, kind, target])
    return "a-" + hashlib.blake2b(text, digest_size=12).hexdigest()


def _held(action: Action, policy: ResponsePolicy) -> Action:
    return msgspec.structs.replace(action, state="held", reason=_held_reason(policy))


def _held_reason(policy: ResponsePolicy) -> str:
    return (
        f"not done: {policy.enforcing_max} targets were stopped in the last hour, the most that "
        "`respond.enforcing_per_hour_max` allows; a person must decide"
    )


def _with_loud_alerts(
    actions: list[Action], finding: Finding, policy: ResponsePolicy
) -> list[Action]:
    """Whatever the invariant's `respond` says, somebody is told that an action was held."""
    stopping = [action for action in actions if action.is_enforcing]
    mode = stopping[0].mode
    return [*stopping, *_alerts(finding, policy, mode, _held_reason(policy))]
