"""The pages of a monitor -> diagnoses: does it watch, and does it run what the files say? Pure.

The process at the address may be any, so nothing of an answer is trusted beyond its form.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from monitor.doctor.diagnosis import Diagnosis, Learnt, NotLearnt, ok, trouble, unknown
from monitor.doctor.gate import Page
from monitor.presentation import visible

READY, PROGRAM = "monitor.ready", "monitor.program"
START: Final = "start it: `interlock run` with these settings"
_BUILD: Final = re.compile(r"^interlock_build_info\{([^{}\n]{1,500})\} 1(?:\.0)?$", re.MULTILINE)
_LABEL: Final = re.compile(r'(\w+)="([^"\\]*)"')


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
        _program(place, learnt.metrics, program_digest),
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


def _program(place: str, learnt: Learnt[Page], program_digest: str | None) -> Diagnosis:
    """The program that runs, compared with the one of the files."""
    if isinstance(learnt, NotLearnt):
        return unknown(PROGRAM, place, learnt.reason)
    found = _BUILD.search(learnt.text) if learnt.status == 200 else None
    running = dict(_LABEL.findall(found[1])).get("program") if found else None
    if running is None:
        text = "its metrics do not name a program: another program may listen there"
        return trouble(PROGRAM, place, text, "correct `http.port`")
    if program_digest is None:
        text = "the files do not load, so it is not known if it runs what they say"
        return unknown(PROGRAM, place, text)
    if running == program_digest:
        return ok(PROGRAM, place, f"it runs what the files say (program {program_digest})")
    text = f"it runs another program ({visible(running, 40)}) than the files say "
    text += f"({program_digest}): they, or the principals, were changed since its start"
    return trouble(PROGRAM, place, text, "start it again", is_required=False)
