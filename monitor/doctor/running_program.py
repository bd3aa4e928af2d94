"""The program that a process runs, by its metrics -> a diagnosis: is it that of the files? Pure."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from monitor.doctor.diagnosis import Diagnosis, Learnt, NotLearnt, ok, trouble, unknown
from monitor.presentation import visible

_LABEL: Final = re.compile(r'(\w+)="([^"\\]*)"')


class Page(msgspec.Struct, frozen=True):
    """A response: `code` is that of its error, or `ok`; `text` is its message, or its body."""

    status: int
    code: str
    text: str


def judge_program(
    check: str, metric: str, place: str, learnt: Learnt[Page], program_digest: str | None
) -> Diagnosis:
    """Compare the label `program` of a metric with the digest of the files, if they load."""
    if isinstance(learnt, NotLearnt):
        return unknown(check, place, learnt.reason)
    running = _label(metric, "program", learnt.text) if learnt.status == 200 else None
    if running is None:
        text = "its metrics do not name a program: another program may listen there"
        return trouble(check, place, text, "correct the address, or upgrade what listens there")
    if program_digest is None:
        text = "the files do not load, so it is not known if it runs what they say"
        return unknown(check, place, text)
    if running == program_digest:
        return ok(check, place, f"it runs what the files say (program {program_digest})")
    text = f"it runs another program ({visible(running, 40)}) than the files say "
    text += f"({program_digest}): they, or the principals, were changed since its start"
    return trouble(check, place, text, "start it again", is_required=False)


def _label(metric: str, label: str, text: str) -> str | None:
    """A label of a gauge that is 1, in the text that Prometheus reads."""
    line = rf"^{metric}\{{([^{{}}\n]{{1,500}})\}} 1(?:\.0)?$"
    found = re.search(line, text, re.MULTILINE)
    return dict(_LABEL.findall(found[1])).get(label) if found else None
