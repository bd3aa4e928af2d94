"""An exception ends at its end: with `report: first` and `edge`, and for events past the gate.

With these two a finding stands for later ones, which are not reported, and so stop nobody. One
that an operator's exception covers must not stand for one that none covers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from invariants.model.event import SECOND_NS, Event, Origin
from invariants.model.verdict import EventRef, Verdict, Witness
from invariants.runtime.report_mode import NOTHING_TOLD, take_told
from monitor.findings.model import Finding
from monitor.gate.gate import Gate
from monitor.gate.wire import Opening, Revocation
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.principals.parse import parse_principals
from monitor.topics import EVENTS, GATE
from tests.support.excepting import ENTRY, ISSUER, RULES, exception
from tests.support.gate import GateHere

PRINCIPALS = f"""
versions:
  - version: 1
    since: 2027-01-01T00:00:00Z
    principals:
      bot: {{}}
      other: {{}}
      {ISSUER}: {ENTRY}
{RULES}"""
LEAK = """
version: 1
predicates:
  reads: kind == "tool.completed" && tool == "read_file"
  posts: kind == "tool.requested" && tool == "http.post"
invariants:
  - {{id: leak, severity: critical, mode: enforce, on_unknown: report, respond: [kill],
     report: {report}, {per} {formula}}}
"""
NEVER = "never: reads"
SOON = 'always: "reads implies eventually[60s] posts"'


def opened(folder: Path, report: str, per: str = "", formula: str = NEVER) -> GateHere:
    text = LEAK.format(report=report, per=per, formula=formula)
    here = GateHere(folder, text, parse_principals(PRINCIPALS, "p.yaml"))
    for who, session in (("bot", "s-1"), ("other", "s-2")):
        here.gate.open(who, Opening(session, agent="robot"))
    return here


def excepted(here: GateHere, for_s: int = 600, **whom: Any) -> str:
    gate: Gate = here.gate
    signed = exception(gate, 1, here.clock.time_ns, for_s * SECOND_NS, "leak", **whom)
    return gate.make_exception(ISSUER, signed).id


def violations(here: GateHere) -> list[Finding]:
    return [f for f in here.found.values() if f.type == "violated"]


@pytest.mark.parametrize("report", ["every", "first", "edge"])
@pytest.mark.parametrize("per", ["", "per: agent,"])
@pytest.mark.parametrize("is_killed", [False, True])
def test_a_violation_behind_the_end_is_reported_and_stops(
    tmp_path: Path, report: str, per: str, *, is_killed: bool
) -> None:
    """However often the exception was used before."""
    here = opened(tmp_path, report, per)
    id_ = excepted(here)
    for _ in range(2):
        here.read_secret()
    assert here.ask("search").decision == "allow"
    here.gate.revoke(ISSUER, id_, Revocation())
    here.restart(is_killed=is_killed)
    here.read_secret()
    assert here.ask("search").decision == "deny"
    covered = 2 if report == "every" else 1
    assert [f.excepted_by for f in violations(here)] == [id_] * covered + [""]


@pytest.mark.parametrize("report", ["first", "edge"])
def test_one_principals_exception_does_not_free_another(tmp_path: Path, report: str) -> None:
    """Both act for one agent, whom the invariant is about."""
    here = opened(tmp_path, report, "per: agent,")
    excepted(here, principal="bot")
    here.read_secret()
    assert here.ask("search").decision == "allow"
    here.read_secret(who="other", session="s-2")
    assert here.ask("search", who="other", session="s-2").decision == "deny"


@pytest.mark.parametrize("report", ["every", "first"])
@pytest.mark.parametrize("per", ["", "per: agent,"])
@pytest.mark.parametrize("steps", [1, 90])
def test_deadlines_that_pass_together_count_singly(
    tmp_path: Path, report: str, per: str, steps: int
) -> None:
    """The exception ends between two of them, and ticks may come at any time."""
    here = opened(tmp_path, report, per, SOON)
    id_ = excepted(here, for_s=65)
    here.read_secret()
    here.clock.time_ns += 10 * SECOND_NS
    here.read_secret()
    for _ in range(steps):
        here.clock.time_ns += 90 * SECOND_NS // steps
        here.gate.tick()
    assert here.ask("search").decision == "deny"
    assert [f.excepted_by for f in violations(here)] == [id_, ""]


def verdict(position: int, kind: Any = "violated") -> Verdict:
    return Verdict("leak", kind, EventRef(position, position, f"e{position}"), (), Witness(), 0)


def reported(report: Any, kinds: str) -> str:
    """The letters that are reported. v: violated, c: covered, h: holds, ?: inconclusive."""
    told, found = NOTHING_TOLD, ""
    names = {"v": "violated", "c": "violated", "h": "holds", "?": "inconclusive"}
    for position, letter in enumerate(kinds):
        told, out = take_told(
            report, told, [verdict(position, names[letter])], 10, lambda one, now=letter: now == "c"
        )
        found += letter if any(one.anchor.position == position for one in out) else "."
    return found


@pytest.mark.parametrize(
    ("report", "kinds", "found"),
    [
        ("every", "ccvcv", "ccvcv"),
        ("first", "ccvcv", "c.v.."),
        ("first", "vcv", "vc."),
        ("first", "?c?v", "?c.v"),
        ("edge", "ccvvhcv", "c.v..cv"),
        ("edge", "vccv", "vc.v"),
        ("edge", "?c?v", "?c?v"),
    ],
)
def test_what_stands_for_what(report: str, kinds: str, found: str) -> None:
    """A covered violation is of a kind of its own."""
    assert reported(report, kinds) == found


def test_a_run_is_not_covered_by_what_comes_behind_it(tmp_path: Path) -> None:
    """It ends at a covered violation, and its finding stays what it was."""
    here = opened(tmp_path, "edge")
    for _ in range(2):
        here.read_secret()
    id_ = excepted(here)
    here.read_secret()
    first, again, covered = [f for f in here.told if f.type == "violated"]
    assert first.id in {again.id, covered.id}
    told = {f.run.count if f.run else 0: f.excepted_by for f in (first, again, covered)}
    assert told == {1: "", 2: "", 0: id_}


@pytest.mark.parametrize("is_over", [False, True])
def test_an_event_past_the_gate_is_under_no_exception(tmp_path: Path, *, is_over: bool) -> None:
    """The gate has not stated one with it: an agent could go on under one that was revoked."""
    here = opened(tmp_path, "every")
    id_ = excepted(here)
    here.read_secret()
    if is_over:
        here.gate.revoke(ISSUER, id_, Revocation())
    monitor = Kernel(here.gate._recorder.kernel.program, KernelSettings())
    found = [f for record in here.records() for f in monitor.step(event_of(record, GATE))]
    past = here.records()[-1] | {"session": "s-1", "kind": "tool.completed", "tool": "read_file"}
    past |= {"seq": 9, "principal": "bot", "excepted": [[id_, "leak", past["ts"] * 2]]}
    found += monitor.step(event_of(past, f"{EVENTS}.bot"))
    assert [f.excepted_by for f in found if f.type == "violated"] == [id_, ""]
    assert "bypass" in [f.type for f in found]


def event_of(record: dict[str, Any], topic: str) -> Event:
    value, origin = msgspec.json.encode(record), Origin(topic, "0", record["seq"])
    event = decode_event(value, origin, arrival_ns=record["ts"], principal=record["principal"])
    assert isinstance(event, Event)
    return event
