"""The pages of a monitor -> diagnoses: does it watch, and does it run what the files say? Pure.

The process at the address may be any, so nothing of an answer is trusted beyond its form.
"""

from __future__ import annotations

from typing import Final

import msgspec

from monitor.doctor.diagnosis import Diagnosis, Learnt, NotLearnt, ok, trouble, unknown
from monitor.doctor.running_program import Page, judge_program
from monitor.presentation import visible

READY, PROGRAM = "monitor.ready", "monitor.program"
START: Final = "start it: `interlock run` with these settings"


class MonitorFacts(msgspec.Struct, frozen=True):
    """The pages of a monitor; `metrics` names its program."""

    healthy: Learnt[Page]
    ready: Learnt[Page]
    metrics: Learnt[Page]


def judge_monitor(
    address: str, learnt: Learnt[MonitorFacts], program_digest: str | None
) -> list[Diagnosis]:
    """All checks of a monitor; `program_digest` is that of the files, of invariants and principals
    together, if they load.
    """
    place = f"monitor {visible(address)}"
    if isinstance(learnt, NotLearnt):
        return [unknown(READY, place, learnt.reason), unknown(PROGRAM, place, learnt.reason)]
    if isinstance(learnt.ready, NotLearnt) or isinstance(learnt.healthy, NotLearnt):
        reason = learnt.ready if isinstance(learnt.ready, NotLearnt) else learnt.healthy
        assert isinstance(reason, NotLearnt)
        text = f"no monitor answers: {reason.reason}"
        return [trouble(READY, place, text, START), unknown(PROGRAM, place, text)]
    return [
        _ready(place, learnt.healthy, learnt.ready),
        judge_program(PROGRAM, "interlock_build_info", place, learnt.metrics, program_digest),
    ]


def _ready(place: str, healthy: Page, ready: Page) -> Diagnosis:
    for page, lack in ((healthy, "its loop does not turn"), (ready, "it does not watch yet")):
        if page.status == 503:
            text = f"{lack}: {visible(page.text.strip())}"
            return trouble(READY, place, text, "its log names the reason; docs/alerts.md")
        if page.status != 200:
            text = f"its answer has status {page.status}, which no monitor gives"
            return trouble(READY, place, text, "correct `http.port`, or `http.names`")
    return ok(READY, place, "it watches")
