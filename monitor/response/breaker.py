"""The breaker: a bound on the number of new targets that are stopped in an hour.

A faulty invariant must stop some agents but not all of them. The price is that an attack on more
targets than the bound waits for an operator. Stops are counted in *buckets*, so that one sender
cannot use up the stops of others: each authenticated principal has a bucket, all senders without a
known principal share one, and principals as targets have a separate one. A producer's own statement
(`agent`) does not select a bucket, since it could be invented or stolen.

Kills have a separate bound. A kill beyond it becomes a quarantine, if the bound on stops allows
that: the agent is refused all the same, and an operator decides about the rest.

Input: the actions that `respond.plan` returned for a finding. Output: the same actions, with those
beyond a bound held and alerted. The breaker records the stops that it admitted, and is filled from
the store at start.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from invariants.spec.model import ActionKind

from ..findings.model import Finding
from .plan import Action, ResponsePolicy, as_kind, loud_alerts

BREAKER_WINDOW_NS: Final = 3_600 * 1_000_000_000
PRINCIPALS: Final = "principals"
"""The bucket of stops whose target is a principal: each takes at most one place of it."""


class Stopped(NamedTuple):
    """A stop that was admitted: the target, how hard, the principal whose finding it was, when."""

    target: str
    kind: ActionKind
    principal: str
    time_ns: int


class _Bucket(NamedTuple):
    """When each target of a bucket was last stopped, and when each was last killed."""

    stopped: dict[str, int]
    killed: dict[str, int]


class Breaker:
    """Admits stops, or holds them. Cost of a stop: its bucket's targets, at most the two bounds."""

    def __init__(self, policy: ResponsePolicy, stopped: Iterable[Stopped] = ()) -> None:
        self._policy = policy
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        for one in stopped:
            self._note(one)

    def admit(self, finding: Finding, actions: Iterable[Action], now_ns: int) -> tuple[Action, ...]:
        """The planned actions with the bounds applied; held actions cause a critical alert.

        A target that was stopped within the hour is not new: stopping it again is always admitted.
        So is a kill of a target that was killed within the hour.
        """
        kept: list[Action] = []
        reasons: list[str] = []
        for action in actions:
            if not action.is_enforcing or action.state != "planned":
                kept.append(action)
                continue
            admitted, reason = self._admit_one(action, finding.principal, now_ns)
            kept += admitted
            reasons += [reason] if reason else []
        if not reasons:
            return tuple(kept)
        stopping = [action for action in kept if action.is_enforcing]
        return (*stopping, *loud_alerts(finding, self._policy, stopping[0].mode, reasons[0]))

    def _admit_one(self, action: Action, principal: str, now_ns: int) -> tuple[list[Action], str]:
        """The decision about one stop, and the reason if it is not fully carried out (else
        empty).
        """
        bucket = self._bucket(action.target, principal, now_ns)
        is_new = action.target not in bucket.stopped
        if is_new and len(bucket.stopped) >= self._policy.enforcing_max:
            reason = _held_reason(
                _owner(action.target, principal),
                f"{self._policy.enforcing_max} targets were stopped",
                "respond.enforcing_per_hour_max",
            )
            return [_held(action, reason)], reason
        is_new_kill = action.kind == "kill" and action.target not in bucket.killed
        if is_new_kill and len(bucket.killed) >= self._policy.kills_max:
            reason = _held_reason(
                _owner(action.target, principal),
                f"{self._policy.kills_max} targets were killed",
                "respond.kills_per_hour_max",
            )
            milder = as_kind(action, "quarantine", f"instead of a kill that was {reason}")
            self._note(Stopped(action.target, "quarantine", principal, now_ns))
            return [_held(action, reason), milder], reason
        self._note(Stopped(action.target, action.kind, principal, now_ns))
        return [action], ""

    def _note(self, stop: Stopped) -> None:
        bucket = self._buckets.setdefault(_name(stop.target, stop.principal), _Bucket({}, {}))
        times = [bucket.stopped, bucket.killed] if stop.kind == "kill" else [bucket.stopped]
        for of in times:
            of[stop.target] = max(stop.time_ns, of.get(stop.target, 0))

    def _bucket(self, target: str, principal: str, now_ns: int) -> _Bucket:
        """The bucket of a target, without entries older than the window."""
        name = _name(target, principal)
        held = self._buckets.get(name, _Bucket({}, {}))
        begin_ns = now_ns - BREAKER_WINDOW_NS
        young = _Bucket(*({t: ns for t, ns in of.items() if ns > begin_ns} for of in held))
        self._buckets[name] = young
        return young


def _name(target: str, principal: str) -> tuple[str, str]:
    """A principal named `principals` has another bucket than the principals have."""
    return (PRINCIPALS, "") if target.startswith("principal:") else ("", principal)


def _owner(target: str, principal: str) -> str:
    if target.startswith("principal:"):
        return "principals"
    return f"sessions of principal `{principal}`" if principal else "sessions without a principal"


def _held_reason(owner: str, met: str, setting: str) -> str:
    return (
        f"not carried out: {met} in the last hour among {owner}, the maximum of `{setting}`; "
        "an operator must decide"
    )


def _held(action: Action, reason: str) -> Action:
    return msgspec.structs.replace(action, state="held", reason=reason)
