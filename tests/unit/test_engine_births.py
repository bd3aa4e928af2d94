"""Invariants that were edited while sessions run: nobody is stopped for what they did not see."""

from __future__ import annotations

import msgspec
import pytest

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, EventRecord, Origin
from invariants.runtime.program import Program
from monitor.findings.model import Born, Finding
from monitor.ingest.decode import decode_event
from monitor.ingest.rejected import Rejected
from monitor.kernel.births import Births, next_births
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from tests.support.shelf import Shelf

TEXT = """
version: 1
predicates:
  paid:
    when: kind == "tool.requested" && tool == "pay"
    with:
      to: args.to
  approved:
    when: kind == "approval.granted" && tool == "pay"
    with:
      to: args.to
  failed: kind == "tool.failed"
invariants:
  - id: approved-before
    severity: critical
    on_unknown: violate
    mode: enforce
    respond: [quarantine]
    {scope}
    never: paid(to=x) and not once{window} approved(to=x)
  - id: few-failures
    severity: critical
    on_unknown: violate
    {scope}
    always: count(failed)[1h] <= 2
"""
SECOND_NS = 1_000_000_000
START_NS = 1_767_600_000 * SECOND_NS


def program(window: str = "[1h]", per: str = "session") -> Program:
    scope = f"per: {per}"
    return compile_program(read_specs([("f.yaml", TEXT.format(window=window, scope=scope))])[0])


def edited(limit: int) -> Program:
    """Two invariants that are other ones with another limit."""
    text = f"""
version: 1
predicates:
  failed: kind == "tool.failed"
  large: kind == "tool.requested" && args.amount > {limit}.0
  approved: kind == "approval.granted"
invariants:
  - id: few-failures
    severity: critical
    on_unknown: violate
    always: count(failed)[1h] <= {limit}
  - id: none-large
    severity: critical
    on_unknown: violate
    never: large and not once[1h] approved
"""
    return compile_program(read_specs([("f.yaml", text)])[0])


class Session:
    """One session under monitors that come and go, each with its invariants."""

    def __init__(self, program_: Program) -> None:
        self.shelf, self.stored, self.seq = Shelf(), None, 0
        self.start(program_)

    def start(self, program_: Program) -> None:
        self.program = program_
        digests = [compiled.digest for compiled in program_.invariants]
        self.births: Births = next_births(self.stored, digests, START_NS)
        self.stored = self.births.stored()
        settings = KernelSettings(trust_ts=True, births=self.births)
        self.engine = Kernel(program_, settings, self.shelf.load)

    def takes(self, kind: str, at_s: float, tool: str = "", **args: object) -> list[Finding]:
        """An event, at some seconds; everything is stored behind it."""
        findings = self.engine.step(self.makes(kind, at_s, tool, **args))
        self.shelf.keep(*self.engine.take_changes())
        return findings

    def makes(self, kind: str, at_s: float, tool: str = "", **args: object) -> Event:
        """The next event, at some seconds."""
        raw = msgspec.Raw(msgspec.json.encode(args))
        time_ns = START_NS + int(at_s * SECOND_NS)
        record = EventRecord(
            session="s", seq=self.seq, ts=time_ns, kind=kind, tool=tool, args=raw, agent="a"
        )
        number, self.seq = self.seq, self.seq + 1
        return Event(record, f"s/{number}", time_ns, b"%d" % number, Origin("t", "0", number))


def types(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.type, f.invariant) for f in findings]


@pytest.mark.parametrize("per", ["session", "agent"])
def test_an_edit_stops_no_session_for_what_was_approved_before(per: str) -> None:
    """The approval lies before the birth: whether there was one is not known, and not escalated."""
    session = Session(program(per=per))
    session.takes("approval.granted", 0, "pay", to="bob")
    session.start(program("[2h]", per=per))
    found = session.takes("tool.requested", 10, "pay", to="bob")
    assert sorted(types(found)) == [("birth", ""), ("inconclusive", "approved-before")]
    (birth,) = [f for f in found if f.type == "birth"]
    assert birth.born is not None and birth.born.position == 0
    assert list(birth.born.invariants.values()) == ["approved-before"], "the other was not edited"
    assert birth.respond == [] and birth.severity == "info"


@pytest.mark.parametrize("per", ["session", "agent"])
def test_what_later_events_decide_is_violated_at_once(per: str) -> None:
    """Three failures after the birth are too many, whatever came before; past the window too."""
    session = Session(program(per=per))
    session.takes("tool.completed", 0)
    session.start(program("[3h]", per=per))
    assert types(session.takes("tool.failed", 1)) == [("birth", "")]
    session.takes("tool.failed", 2)
    assert types(session.takes("tool.failed", 3)) == [("violated", "few-failures")]
    late = session.takes("tool.requested", 3 * 3_600 + 1, "pay", to="bob")
    assert types(late) == [("violated", "approved-before")]
    assert not late[0].is_escalated


def test_doubt_that_every_past_leaves_is_escalated() -> None:
    """Whom it pays was left out: no approval could settle that."""
    session = Session(program())
    session.takes("tool.completed", 0)
    session.start(program("[2h]"))
    found = session.takes("tool.requested", 1, "pay")
    assert ("violated", "approved-before") in types(found)


def test_doubt_about_the_event_itself_is_escalated() -> None:
    """An hour after a birth no past could have approved the amount that was left out."""
    session = Session(edited(2))
    session.takes("tool.completed", 0)
    session.start(edited(3))
    session.takes("tool.completed", 1)
    assert ("inconclusive", "none-large") in types(session.takes("tool.requested", 2, "pay"))
    assert ("violated", "none-large") in types(session.takes("tool.requested", 3_700, "pay"))


def test_what_came_after_a_birth_alone_exceeds_a_limit() -> None:
    """Failures before it may have been many more: their count is known from below."""
    session = Session(edited(2))
    session.takes("tool.failed", 0)
    session.start(edited(3))
    found = [types(session.takes("tool.failed", second)) for second in range(1, 5)]
    told = [[name for kind, name in one if kind == "violated"] for one in found]
    assert told == [[], [], [], ["few-failures"]]


def test_a_restart_tells_of_no_birth_and_a_born_state_lasts() -> None:
    """What was born is stored; a second start goes on with it, and tells nothing twice."""
    session = Session(program())
    session.takes("tool.completed", 0)
    for _ in range(2):
        session.start(program("[2h]"))
        session.takes("tool.completed", 1)
    assert types(session.takes("tool.requested", 2, "pay", to="bob")) == [
        ("inconclusive", "approved-before")
    ]


def test_a_new_session_has_no_past() -> None:
    """It begins under the invariants there are: whatever is not there was not."""
    session = Session(program())
    session.start(program("[2h]"))
    assert types(session.takes("tool.requested", 1, "pay", to="bob")) == [
        ("violated", "approved-before")
    ]


def test_an_invariant_that_was_put_back_has_missed_something() -> None:
    """Its stored state is of before: an approval may have been taken back, or given, since."""
    session = Session(program())
    session.takes("tool.completed", 0)
    session.start(program("[2h]"))
    session.takes("approval.granted", 1, "pay", to="bob")
    session.start(program())
    found = types(session.takes("tool.requested", 2, "pay", to="bob"))
    assert found == [("inconclusive", "approved-before"), ("birth", "")]


@pytest.mark.parametrize(
    ("formula", "seen"),
    [
        ("never: approved and previous session_end", 1),
        ("never: approved and not previous session_end", 1),
        ("always: approved implies previous[1h] previous[1h] failed", 2),
        ("always: approved implies previous failed", 1),
        ("never: approved and previous previous previous failed", 3),
    ],
)
def test_what_the_events_before_a_birth_were_is_unknown(formula: str, seen: int) -> None:
    """The one before, and those before that: whether one of them was the session's end, as well."""
    text = f"""
version: 1
predicates:
  failed: kind == "tool.failed"
  approved: kind == "approval.granted"
invariants:
  - id: put-in
    severity: warning
    {formula}
"""
    specs, _ = read_specs([("f.yaml", text)])
    session = Session(edited(2))
    for second in range(seen):
        session.takes("tool.completed", second)
    session.start(compile_program(specs))
    found = types(session.takes("approval.granted", 5))
    assert sorted(found) == [("birth", ""), ("inconclusive", "put-in")]
    assert ("inconclusive", "put-in") not in types(session.takes("tool.failed", 6))


def test_a_birth_that_an_unreadable_record_met_is_told() -> None:
    """What is stored counts as told: a start right behind it would leave the birth untold."""
    session = Session(program())
    session.takes("tool.completed", 0)
    session.start(program("[2h]"))
    unread = decode_event(b'{"session":"s","kind":"k","ts":{}}', Origin("t", "0", 1))
    assert isinstance(unread, Rejected)
    assert sorted(types(session.engine.unread(unread))) == [("birth", ""), ("unread", "")]
    session.shelf.keep(*session.engine.take_changes())
    session.start(program("[2h]"))
    assert types(session.takes("tool.completed", 1)) == []


@pytest.mark.parametrize("per", ["session", "agent"])
def test_what_a_replay_has_judged_it_can_take_in(per: str) -> None:
    """With births of other scopes recorded: to look at a scope again does not change it."""
    session = Session(program(per=per))
    (compiled, *_) = session.program.invariants
    born = Born(per, "other", 3, START_NS, 2, {compiled.digest: compiled.declared.id})
    births = Births(recorded={(per, "other", 3): born})
    kernel = Kernel(session.program, KernelSettings(trust_ts=True, births=births))
    for at_s in range(2):
        judged = kernel.prepare(session.makes("approval.granted", at_s, "pay", to="bob"))
        assert kernel.commit(judged).fate == "taken"
