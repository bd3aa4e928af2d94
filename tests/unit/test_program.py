"""All invariants together on one scope: whose deadlines are looked at, and when."""

from __future__ import annotations

import msgspec

from interlock.limits import stated_time
from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from invariants.runtime.scope_program import Progress
from monitor.ingest.decode import decode_event

TEXT = """\
version: 1
predicates:
  asked: kind == "asked"
  told: kind == "told"
invariants:
  - {id: soon, severity: info, always: "asked implies eventually[5s] told"}
  - {id: late, severity: info, always: "asked implies eventually[100s] told"}
"""


def program() -> Program:
    specs, _ = read_specs([("program.yaml", TEXT)])
    return compile_program(specs)


def event(kind: str, at_s: float) -> Event:
    """An event at so many seconds, ready to be judged."""
    time_ns = int(at_s * 10**9)
    content = {"session": "s", "seq": int(at_s), "ts": stated_time(time_ns), "kind": kind}
    made = decode_event(msgspec.json.encode(content), Origin("t", "0", 0))
    assert isinstance(made, Event)
    return msgspec.structs.replace(made, time_ns=time_ns)


def asked(watched: Program) -> Progress:
    return watched.session.step(watched.session.initial, event("asked", 0)).progress


def test_the_earliest_deadline_wakes() -> None:
    """Each is decided when its own time has passed, whatever else waits longer."""
    watched = program()
    waiting = asked(watched)
    assert waiting.next_deadline_ns == 5 * 10**9
    assert watched.session.tick(waiting, 5 * 10**9).verdicts == ()
    passed = watched.session.tick(waiting, 5 * 10**9 + 1)
    assert [watched.invariants[index].declared.id for index, _ in passed.verdicts] == ["soon"]
    assert passed.progress.next_deadline_ns == 100 * 10**9
    both = watched.session.tick(waiting, 101 * 10**9)
    assert [watched.invariants[index].declared.id for index, _ in both.verdicts] == ["soon", "late"]


def test_an_event_that_concerns_nobody_passes_deadlines() -> None:
    """Time goes on with any event."""
    watched = program()
    waiting = asked(watched)
    assert watched.session.step(waiting, event("else", 5)).verdicts == ()
    passed = watched.session.step(waiting, event("else", 6))
    assert [watched.invariants[index].declared.id for index, _ in passed.verdicts] == ["soon"]
    assert passed.progress.next_deadline_ns == 100 * 10**9
