"""Decides if a call may be made: pure decisions over the control view.

Each decision concerns the *next* call. The call that led to a quarantine was made before it was
detected; only a gate could refuse that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .control_view import ControlFollower
from .errors import Killed, NoView, Quarantined, Refused
from .watermarks import Shard

Shards = Sequence[Shard | None]

Fail = Literal["open", "closed"]
BeforeView = Literal["refuse", "wait", "allow"]


@dataclass(frozen=True, slots=True)
class Policy:
    """The answer if the view cannot decide.

    `fail` decides if there was a view that is now too old, and after a wait without result.
    `before_view` decides before the first view. If events of this client have not been delivered
    for longer than `unsent_ns_max`, no monitor sees it, and `fail` decides whatever the view
    contains. Tools in `irreversible_tools` are then always refused.
    """

    fail: Fail
    before_view: BeforeView
    wait_s_max: float
    unsent_ns_max: int
    irreversible_tools: frozenset[str]


def refusal(
    tool: str,
    keys: tuple[str, ...],
    follower: ControlFollower,
    policy: Policy,
    *,
    shards: Shards = (None,),
    unsent_ns: int = 0,
    is_wait_over: bool = False,
) -> Refused | None:
    """The reason why the call is refused, or None. Never waits.

    `shards` contain the events of the session and of its ancestors. `unsent_ns` is how long events
    have waited without a delivery. A stop in the last view applies, however old that view is.
    """
    state, key = follower.standing(keys)
    if state != "active":
        return _stopped(tool, state, key, follower)
    is_unwatched = unsent_ns > policy.unsent_ns_max
    if not is_unwatched and follower.is_usable(shards):
        return None
    if is_unwatched or follower.was_usable(shards):
        is_open = policy.fail == "open"
    elif policy.before_view == "wait":
        is_over = is_wait_over or wait_left_s(follower, policy, shards) <= 0
        is_open = is_over and policy.fail == "open"
    elif follower.was_heard:
        is_open = policy.fail == "open"
    else:
        is_open = policy.before_view == "allow"
    if is_open and tool not in policy.irreversible_tools:
        return None
    if is_unwatched:
        return NoView(tool, _why_unwatched(tool, unsent_ns, policy))
    return NoView(tool, _why_no_view(tool, follower, shards))


def wait_left_s(follower: ControlFollower, policy: Policy, shards: Shards) -> float:
    """How long a first view is still worth waiting for: `wait_s_max` in all, not for each call."""
    if policy.before_view != "wait" or follower.was_usable(shards):
        return 0.0
    return max(0.0, policy.wait_s_max - follower.since_start_ns() / 1e9)


def _stopped(tool: str, state: str, key: str, follower: ControlFollower) -> Refused:
    record = follower.record(key)
    incident = record.incident[:200] if record is not None else ""
    told = f"; incident `{incident}`" if incident else ""
    kind = Killed if state == "killed" else Quarantined
    message = f"`{tool}` refused: `{key}` is {state}{told}; an operator can release it"
    return kind(tool, message, key=key, incident=incident)


def _why_no_view(tool: str, follower: ControlFollower, shards: Shards) -> str:
    age_ns = follower.age_ns(shards)
    last_ns = follower.last_age_ns
    if last_ns is not None and last_ns <= follower.age_ns_max:
        behind = "not known to have been read by a monitor"
        if age_ns is not None:
            if silent := follower.silent_voucher(shards)[:200]:
                return (
                    f"`{tool}` refused: a monitor runs, but `{silent}`, which can also stop this "
                    f"session, last vouched for it {age_ns / 1e9:.1f} s ago, more than "
                    f"`view_age_s_max`={follower.age_ns_max / 1e9:g}; start it, or if it is gone "
                    f"for good: `interlock control retire {silent}`"
                )
            behind = f"judged up to {age_ns / 1e9:.1f} s ago only"
        named = " and ".join(sorted({f"`{s.topic}/{s.part}`" for s in shards if s is not None}))
        return (
            f"`{tool}` refused: the monitor runs, but the events of {named or 'this client'} are "
            f"{behind}, more than `view_age_s_max`={follower.age_ns_max / 1e9:g}; the monitor's "
            "log contains the reason"
        )
    if age_ns is None:
        return (
            f"`{tool}` refused: there is no heartbeat on the control topic yet; start the monitor, "
            "or see `before_view` and `fail`"
        )
    return (
        f"`{tool}` refused: the view of the control topic is {age_ns / 1e9:.1f} s old, more than "
        f"`view_age_s_max`={follower.age_ns_max / 1e9:g}; check the monitor and both clocks"
    )


def _why_unwatched(tool: str, unsent_ns: int, policy: Policy) -> str:
    return (
        f"`{tool}` refused: no event of this client was delivered for {unsent_ns / 1e9:.1f} s, "
        f"more than `unsent_s_max`={policy.unsent_ns_max / 1e9:g}, so no monitor sees its calls; "
        "`Client.stats().last_error` contains the reason"
    )
