"""The heartbeats on the control topic -> a diagnosis: do guards of agents let calls through? Pure.

A guard without a gate refuses every call if a monitor that can stop sessions has not published one
for longer than `view_age_s_max` of its client (docs/agents.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from interlock.watermarks import Beat
from invariants.model.event import SECOND_NS
from monitor.doctor.diagnosis import Diagnosis, Learnt, NotLearnt, command, ok, trouble, unknown
from monitor.presentation import visible

HEARTBEATS = "control.heartbeats"
VIEW_AGE_NS: Final = 15 * SECOND_NS
"""The default of `view_age_s_max`. Source: interlock/options.py."""


class HeartbeatFacts(msgspec.Struct, frozen=True):
    """The last heartbeat of each voucher, as of `now_ns` by the own clock."""

    beats: Mapping[str, Beat]
    now_ns: int


def judge_heartbeats(
    target: str, topic: str, learnt: Learnt[HeartbeatFacts], skew_ns: int
) -> list[Diagnosis]:
    """The check of the view of guards that publish to a topic of `target`."""
    place = f"agent {visible(target)}"
    if isinstance(learnt, NotLearnt):
        return [unknown(HEARTBEATS, place, learnt.reason)]
    beats = {name: beat for name, beat in learnt.beats.items() if beat.reads(topic)}
    if not beats:
        text = (
            f"no monitor of `{visible(topic)}` has published a heartbeat, so guards refuse every "
        )
        text += "call"
        return [trouble(HEARTBEATS, place, text, "start a monitor of this source: `interlock run`")]
    # Those that only observe stop nobody, and guards do not wait for them, unless there are no
    # others.
    binding = {name: beat for name, beat in beats.items() if not beat.observes} or beats
    found = []
    for name, beat in sorted(binding.items()):
        shown, age_ns = visible(name or "a monitor", 80), learnt.now_ns - beat.time_ns
        if age_ns > VIEW_AGE_NS:
            text = f"the last heartbeat of `{shown}` is {age_ns / SECOND_NS:,.0f} s old, so guards "
            text += "refuse every call"
            retire = command("interlock", "control", "retire", name, "--source", _source(target))
            mend = f"start it; if it is gone for good: {retire}"
            found.append(trouble(HEARTBEATS, place, text, mend))
        elif -age_ns > skew_ns:
            text = f"the heartbeat of `{shown}` is {-age_ns / SECOND_NS:,.0f} s in the future"
            mend = "run a time service such as chrony on both machines"
            found.append(trouble(HEARTBEATS, place, text, mend))
    text = f"the last heartbeats are at most {VIEW_AGE_NS // SECOND_NS} s old"
    return found or [ok(HEARTBEATS, place, text)]


def _source(target: str) -> str:
    """The address without its topic."""
    scheme, mark, rest = target.partition("://")
    return f"{scheme}{mark}{rest.partition('/')[0]}" if mark else target
