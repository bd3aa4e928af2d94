"""The answers of a gate -> diagnoses: is it one, ready, of this version, and what may we do? Pure.

The process at the address may be any, so nothing of an answer is trusted beyond its type.
"""

from __future__ import annotations

import errno
import os
from typing import Any, Final

import msgspec

from monitor.doctor.diagnosis import (
    TEXT_CHARS_MAX,
    Diagnosis,
    Learnt,
    NotLearnt,
    command,
    ok,
    trouble,
    unknown,
)
from monitor.doctor.running_program import Page, judge_program
from monitor.gate_server.routes import OPEN_API, PAGES
from monitor.presentation import visible

REACH, READY, INTERFACE = "gate.reach", "gate.ready", "gate.interface"
PRINCIPAL, PROGRAM, CLOCK = "gate.principal", "gate.program", "clock.gate"
ANSWERING: Final = "answering"
"""The text of `/-/ready` without any trouble."""
TITLE: Final = "Interlock gate"
DENIED: Final = os.strerror(errno.EACCES)
DATE_RESOLUTION_S: Final = 1.0
"""The header `Date` has whole seconds. Source: RFC 9110, section 5.6.7."""
CREDENTIALS: Final = (
    "set `INTERLOCK_GATE_TOKEN_FILE`, or `--token-file`, to the token of a principal"
)


class Files(msgspec.Struct, frozen=True):
    """The digest of a gate's invariants and principals by its files; None if they do not load."""

    digest: str | None


class GateFacts(msgspec.Struct, frozen=True):
    """The pages of a gate that `interlock doctor` asks for; none of them changes anything.

    `own_answers` is `GET /v1/answers` for a request that does not exist. `ahead_s` is by how much
    the gate's clock is ahead of ours, None without a `Date`; `round_trip_s` is its uncertainty.
    """

    ready: Learnt[Page]
    interface: Learnt[Page]
    own_answers: Learnt[Page]
    approvals: Learnt[Page]
    exceptions: Learnt[Page]
    metrics: Learnt[Page]
    ahead_s: float | None = None
    round_trip_s: float = 0.0


def judge_gate(
    address: str, facts: Learnt[GateFacts], skew_s: float, own: Files | None
) -> list[Diagnosis]:
    """All checks of a gate; `skew_s` is the permitted difference of clocks. `own` are the files of
    the gate, if the settings name it: a client does not know them.
    """
    place = f"gate {visible(address)}"
    names = [READY, INTERFACE, PRINCIPAL, *([] if own is None else [PROGRAM])]
    if isinstance(facts, NotLearnt):
        return [unknown(name, place, facts.reason) for name in (REACH, *names)]
    if isinstance(facts.ready, NotLearnt):
        mend = f"start it: {command('interlock', 'gate', 'serve', '--help')} lists its settings"
        if facts.ready.reason == DENIED:
            mend = "run this as a user whom `gate.socket_access` permits, such as the agent's"
        first = trouble(REACH, place, facts.ready.reason, mend)
        return [first, *(unknown(name, place, "no gate answered") for name in names)]
    return [
        ok(REACH, place, "it answers"),
        _ready(place, facts.ready),
        _interface(place, facts.interface),
        *_principal(place, facts),
        *(_program(place, facts.metrics, own) if own is not None else ()),
        _clock(place, facts, skew_s),
    ]


def _program(place: str, metrics: Learnt[Page], own: Files) -> list[Diagnosis]:
    return [judge_program(PROGRAM, "interlock_gate_build_info", place, metrics, own.digest)]


def _ready(place: str, page: Page) -> Diagnosis:
    if page.status == 200 and page.text.strip() == ANSWERING:
        return ok(READY, place, "it records and answers")
    if page.status == 200:
        text = f"it answers calls, but: {visible(page.text.strip(), TEXT_CHARS_MAX)}"
        return trouble(READY, place, text, "see the check of its broker", is_required=False)
    if page.status == 503:
        text = f"it does not answer calls: {visible(page.text.strip())}"
        return trouble(READY, place, text, "the gate's log names the reason")
    text = f"its answer has status {page.status}, which no gate gives"
    return trouble(READY, place, text, "correct `--gate`: another program listens there")


def _interface(place: str, learnt: Learnt[Page]) -> Diagnosis:
    """The gate's pages, compared with those that this version's client uses."""
    if isinstance(learnt, NotLearnt):
        return unknown(INTERFACE, place, learnt.reason)
    found = _operations(learnt)
    if found is None:
        text = f"`GET {OPEN_API}` does not return the document of a gate"
        return trouble(INTERFACE, place, text, "correct `--gate`: another program listens there")
    missing = sorted({(page.path, page.method) for page in PAGES} - found)
    if missing:
        listed = ", ".join(f"{method} {path}" for path, method in missing)
        text = f"the gate is older than this version, and lacks {listed}"
        return trouble(INTERFACE, place, text, "upgrade the gate, and start it again")
    return ok(INTERFACE, place, f"it has the {len(PAGES)} pages of this version")


def _operations(page: Page) -> set[tuple[str, str]] | None:
    """Path and method of each page in an OpenAPI document; None if it is not one of a gate."""
    try:
        document = msgspec.json.decode(page.text, type=dict[str, Any])
        if page.status != 200 or document["info"]["title"] != TITLE:
            return None
        return {
            (path, method.upper()) for path, page in document["paths"].items() for method in page
        }
    except (msgspec.MsgspecError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _principal(place: str, facts: GateFacts) -> list[Diagnosis]:
    """The rights of our credentials: to ask, to decide about held calls, to make exceptions."""
    own = facts.own_answers
    if isinstance(own, NotLearnt):
        return [unknown(PRINCIPAL, place, own.reason)]
    if own.code == "unauthenticated":
        text = "it knows no principal with these credentials, so every call is refused"
        return [trouble(PRINCIPAL, place, text, CREDENTIALS)]
    if own.code != "unknown":
        text = f"its answer ({own.status} {visible(own.code)}) does not show who we are: "
        return [unknown(PRINCIPAL, place, text + visible(own.text))]
    rights = {"decide about held calls": facts.approvals, "make exceptions": facts.exceptions}
    told = ["may ask before calls"]
    doubts = []
    for right, page in rights.items():
        if isinstance(page, NotLearnt) or page.code not in ("ok", "forbidden"):
            reason = page.reason if isinstance(page, NotLearnt) else f"{page.status} {page.code}"
            text = f"it is not known if we may {right}: {visible(reason)}"
            doubts.append(unknown(PRINCIPAL, place, text, is_required=False))
        else:
            told.append(f"may {right}" if page.code == "ok" else f"may not {right}")
    return [ok(PRINCIPAL, place, ", ".join(told)), *doubts]


def _clock(place: str, facts: GateFacts, skew_s: float) -> Diagnosis:
    if facts.ahead_s is None:
        return unknown(CLOCK, place, "its answer has no valid `Date`", is_required=False)
    doubt_s = facts.round_trip_s + DATE_RESOLUTION_S
    if abs(facts.ahead_s) > skew_s + doubt_s:
        way = "ahead of" if facts.ahead_s > 0 else "behind"
        text = f"the gate's clock is {abs(facts.ahead_s):,.0f} s {way} this machine's"
        mend = "run a time service such as chrony; `date -u` shows the time of a machine"
        return trouble(CLOCK, place, text, mend)
    return ok(CLOCK, place, f"the gate's clock agrees with this machine's, to {doubt_s:.0f} s")
