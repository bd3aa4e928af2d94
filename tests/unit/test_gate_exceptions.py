"""Exceptions and break-glass at a gate: who may make one, what it changes, and when it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from invariants.model.event import SECOND_NS, Event, Origin
from monitor.exceptions.signing import make_key, read_key, sign
from monitor.exceptions.statement import SignedStatement, Statement, statement_text
from monitor.gate.errors import (
    ConflictError,
    ForbiddenError,
    GateError,
    MalformedError,
    NotReadyError,
)
from monitor.gate.wire import Opening, Revocation, Ruling
from monitor.ingest.decode import decode_event
from monitor.ingest.excepted import EXCEPTED_MAX
from monitor.ingest.rejected import Rejected
from monitor.principals.parse import parse_principals
from monitor.response.plan import ResponsePolicy, plan
from monitor.topics import APPROVALS, ENFORCEMENT, EVENTS, GATE
from tests.support.gate import INVARIANTS, START_NS, GateHere

HOUR_NS = 3_600 * SECOND_NS
OLGA, MAX = make_key(b""), make_key(b"")
PRINCIPALS = f"""
versions:
  - version: 1
    since: 2027-01-01T00:00:00Z
    principals:
      bot: {{}}
      other: {{}}
      olga: {{roles: [security], public_key: "{OLGA[1]}"}}
      max: {{roles: [oncall], public_key: "{MAX[1]}"}}
      ana: {{roles: [approver]}}
    approvals: {{roles: [approver]}}
    exceptions: {{roles: [security], longest: 2d}}
    break_glass: {{roles: [oncall], longest: 30m}}
  - version: 2
    since: 2027-01-16T00:00:00Z
    principals:
      bot: {{}}
      max: {{roles: [oncall], public_key: "{MAX[1]}"}}
    break_glass: {{roles: [oncall], longest: 30m}}
"""
ID = "x-" + "0" * 32
BREAK: dict[str, Any] = {"sort": "break-glass", "issuer": "max", "invariant": ""}


def opened(folder: Path, **more: Any) -> GateHere:
    here = GateHere(folder, INVARIANTS, parse_principals(PRINCIPALS, "p.yaml"), **more)
    here.ask("search")
    return here


def signed(here: GateHere, key: bytes = OLGA[0], **parts: Any) -> SignedStatement:
    """An exception that olga signs, or another."""
    now_ns = here.clock.time_ns
    told: dict[str, Any] = {
        "id": ID,
        "sort": "exception",
        "gate": here.gate.exceptions("olga").gate,
        "issuer": "olga",
        "issued_ns": now_ns,
        "expires_ns": now_ns + HOUR_NS // 4,
        "invariant": "no-leak",
        "principal": "bot",
        "reason": "the sandbox has no secrets",
        "owner": "security team",
    }
    return sign(read_key(key, b""), statement_text(Statement(**(told | parts))))


def leak(here: GateHere) -> str:
    """Read a secret, and post."""
    here.tell("tool.completed", tool="read_file", args={"path": "/secrets/key"})
    return here.ask("http.post").decision


def test_an_exception_lets_a_call_run_and_says_so(tmp_path: Path) -> None:
    """The violation is found all the same, and nobody is stopped for it."""
    here = opened(tmp_path)
    here.gate.make_exception("olga", signed(here))
    assert leak(here) == "allow"
    answer = here.ask("http.post")
    assert [(r.id, r.exception) for r in answer.excepted] == [("no-leak", ID)]
    assert answer.invariants == []
    (found,) = [f for f in here.found.values() if f.invariant == "no-leak"]
    assert (found.type, found.prevention, found.excepted_by) == ("violated", "detected", ID)
    assert found.stop is None
    assert here.ask("pay", args={"amount": 1}).decision == "hold"


def test_without_it_the_call_is_refused(tmp_path: Path) -> None:
    """Also in another principal's session, in another session, and after its end."""
    here = opened(tmp_path)
    here.gate.make_exception("olga", signed(here, session="s-1"))
    here.tell("tool.completed", session="s-2", tool="read_file", args={"path": "/secrets/key"})
    assert here.ask("http.post", session="s-2").decision == "deny"
    here.tell(
        "tool.completed", who="other", session="s-3", tool="read_file", args={"path": "/secrets/a"}
    )
    assert here.ask("http.post", who="other", session="s-3").decision == "deny"
    assert leak(here) == "allow"
    here.clock.time_ns += HOUR_NS
    here.gate.tick()
    assert here.gate.exceptions("olga").exceptions == []
    assert here.ask("http.post").decision == "deny"


def test_it_stops_nobody_while_it_is_in_force(tmp_path: Path) -> None:
    """An event that was reported decides a violation: the session goes on."""
    text = INVARIANTS.replace("never: posts and once(reads_secret)", "never: reads_secret")
    for has_one in (False, True):
        folder = tmp_path / str(has_one)
        folder.mkdir()
        here = GateHere(folder, text, parse_principals(PRINCIPALS, "p.yaml"))
        if has_one:
            here.gate.make_exception("olga", signed(here))
        here.tell("tool.completed", tool="read_file", args={"path": "/secrets/key"})
        assert here.ask("search").decision == ("allow" if has_one else "deny")


@pytest.mark.parametrize("is_killed", [False, True])
def test_it_outlasts_a_restart(tmp_path: Path, *, is_killed: bool) -> None:
    """It is a part of the log, as its end is."""
    here = opened(tmp_path)
    taken = signed(here)
    here.gate.make_exception("olga", taken)
    here.restart(is_killed=is_killed)
    assert here.gate.make_exception("olga", taken).id == ID
    assert leak(here) == "allow"
    here.gate.revoke("max", ID, Revocation("not needed"))
    here.restart(is_killed=is_killed)
    assert here.ask("http.post").decision == "deny"
    with pytest.raises(ConflictError, match="used before"):
        here.gate.make_exception("olga", taken)


def test_broken_glass_opens_everything_but_an_operators_stop(tmp_path: Path) -> None:
    """Violations, held calls, and the gate's own stops of before."""
    here = opened(tmp_path)
    here.tell("tool.completed", tool="read_file", args={"path": "/secrets/key"})
    assert here.ask("http.post").decision == "deny"
    here.gate.make_exception("max", signed(here, MAX[0], **BREAK, principal=""))
    assert here.ask("http.post").decision == "allow"
    assert here.ask("pay", args={"amount": 9}).decision == "allow"
    (found,) = [f for f in here.found.values() if f.type == "break_glass"]
    assert (found.severity, found.principal, found.session) == ("critical", "max", ID)
    here.gate.revoke("max", ID, Revocation())
    assert [f.type for f in here.found.values()].count("break_glass") == 1
    assert here.ask("http.post").decision == "deny"


def test_an_exception_ends_with_the_right_of_its_issuer(tmp_path: Path) -> None:
    """The second version of the file does not know olga."""
    here = opened(tmp_path)
    until_ns = START_NS + 40 * HOUR_NS
    here.gate.make_exception("olga", signed(here, expires_ns=until_ns))
    assert leak(here) == "allow"
    here.clock.time_ns = START_NS + 20 * HOUR_NS
    here.gate.tick()
    assert here.gate.exceptions("max").exceptions == []
    assert here.ask("http.post").decision == "deny"


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (ForbiddenError, {"issuer": "max"}),
        (ForbiddenError, {"principal": "olga"}),
        (ForbiddenError, {"sort": "break-glass", "invariant": ""}),
        (ConflictError, {"gate": "another"}),
        (ConflictError, {"expires_ns": START_NS + 50 * HOUR_NS}),
        (ConflictError, {"expires_ns": START_NS - 1}),
        (ConflictError, {"issued_ns": START_NS - HOUR_NS}),
        (ConflictError, {"issued_ns": START_NS + HOUR_NS}),
        (MalformedError, {"invariant": "of-another-gate"}),
        (MalformedError, {"invariant": ""}),
        (MalformedError, {"session": "s-1", "principal": ""}),
        (MalformedError, {"reason": " "}),
        (MalformedError, {"reason": "r" * 501}),
        (MalformedError, {"owner": ""}),
        (MalformedError, {"id": "x-1"}),
        (MalformedError, {"principal": "a\nb"}),
        (MalformedError, {"principal": "bott"}),
    ],
)
def test_who_may_not_make_one(
    tmp_path: Path, error: type[GateError], parts: dict[str, Any]
) -> None:
    """Nothing is recorded of one that is refused."""
    here = opened(tmp_path)
    with pytest.raises(error):
        here.gate.make_exception("olga", signed(here, **parts))
    assert here.gate.exceptions("olga").exceptions == []
    assert leak(here) == "deny"


def test_only_the_issuers_key_signs(tmp_path: Path) -> None:
    """Not another's, not over another text, and not for somebody else."""
    here = opened(tmp_path)
    fine = signed(here)
    forged = [
        signed(here, MAX[0]),
        SignedStatement(fine.statement.replace("no-leak", "pay-little"), fine.signature),
        SignedStatement(fine.statement + " ", fine.signature),
        SignedStatement(fine.statement, ""),
        SignedStatement(fine.statement, "!" * 88),
        SignedStatement(fine.statement, fine.signature[:-4]),
    ]
    for one in forged:
        with pytest.raises(ForbiddenError, match="signature"):
            here.gate.make_exception("olga", one)
    for who in ("max", "ana", "bot", "nobody"):
        with pytest.raises(ForbiddenError):
            here.gate.make_exception(who, fine)
    with pytest.raises(ForbiddenError):
        here.gate.revoke("ana", ID, Revocation())
    assert leak(here) == "deny"


def test_a_signed_text_has_no_key_twice(tmp_path: Path) -> None:
    """Two readers could see two principals in one signed text."""
    here = opened(tmp_path)
    text = signed(here).statement[:-1] + ',"principal":"other"}'
    with pytest.raises(MalformedError, match="another form"):
        here.gate.make_exception("olga", sign(read_key(OLGA[0], b""), text))


def test_the_session_of_an_exception_is_the_gates_own(tmp_path: Path) -> None:
    """Its events state the exception, so its issuer could ask there for calls of their own."""
    here = opened(tmp_path)
    for when in ("before", "after"):
        for who in ("max", "other"):
            for use in (
                lambda who=who: here.gate.open(who, Opening(ID)),
                lambda who=who: here.ask("http.post", who=who, session=ID),
                lambda who=who: here.tell("message.sent", who=who, session=ID, text="x"),
                lambda who=who: here.tell("session.ended", who=who, session=ID),
            ):
                with pytest.raises(MalformedError, match="use another id"):
                    use()
        if when == "before":
            here.gate.make_exception("max", signed(here, MAX[0], **BREAK, principal=""))
    told = [one["kind"] for one in here.records() if one["session"] == ID]
    assert told == ["session.started", "control.applied"]


def test_an_exception_may_end_the_wait_of_a_held_call(tmp_path: Path) -> None:
    """A call that waited is judged by what is in force when it is granted, and others at once."""
    here = opened(tmp_path)
    here.gate.make_exception("olga", signed(here, invariant="pay-approved"))
    assert here.ask("pay", args={"amount": 1}).decision == "allow"
    here.gate.revoke("olga", ID, Revocation())
    held = here.ask("pay", args={"amount": 1})
    assert held.decision == "hold"
    (waiting,) = here.gate.held("ana")
    assert here.gate.rule("ana", waiting.id, Ruling("grant")).decision == "allow"


def test_the_record_names_who_when_and_why(tmp_path: Path) -> None:
    """An exception is a session of its issuer, and the signature stands in it."""
    here = opened(tmp_path)
    one = signed(here)
    here.gate.make_exception("olga", one)
    here.gate.revoke("max", ID, Revocation("enough"))
    own = [record for record in here.records() if record["session"] == ID]
    assert [r["kind"] for r in own] == ["session.started", "control.applied", "session.ended"]
    assert own[1]["attributes"]["reason"] == "the sandbox has no secrets"
    assert own[1]["gate"]["exception"] == msgspec.to_builtins(one)
    assert own[2]["attributes"] == {
        "exception": ID,
        "over": "revoked",
        "by": "max",
        "reason": "enough",
    }


TIMED = """
version: 1
predicates:
  reads: kind == "tool.completed" && tool == "read_file"
  posts: kind == "tool.requested" && tool == "http.post"
invariants:
  - {id: soon, severity: critical, mode: enforce, on_unknown: report, respond: [kill], per: agent,
     always: "reads implies eventually[60s] posts"}
  - {id: soon-here, severity: critical, mode: enforce, on_unknown: report, respond: [kill],
     always: "reads implies eventually[60s] posts"}
"""


@pytest.mark.parametrize(("for_s", "excepted"), [(30, ""), (61, ID)])
def test_a_deadline_is_excepted_if_the_exception_lasts(
    tmp_path: Path, for_s: int, excepted: str
) -> None:
    """In the session and in its wider scope; the exception began before the obligation."""
    here = GateHere(tmp_path, TIMED, parse_principals(PRINCIPALS, "p.yaml"))
    here.gate.open("bot", Opening("s-1", agent="robot"))
    until_ns = here.clock.time_ns + for_s * SECOND_NS
    broken = signed(here, MAX[0], **BREAK, expires_ns=until_ns)
    here.gate.make_exception("max", broken)
    here.tell("tool.completed", tool="read_file")
    here.clock.time_ns += 90 * SECOND_NS
    here.gate.tick()
    found = {f.invariant: f for f in here.found.values() if f.type == "violated"}
    assert {name: f.excepted_by for name, f in found.items()} == {
        "soon": excepted,
        "soon-here": excepted,
    }
    assert here.ask("search").decision == ("allow" if excepted else "deny")


SHARED = """
version: 1
predicates:
  reads: kind == "tool.completed" && tool == "read_file"
  posts: kind == "tool.requested" && tool == "http.post"
invariants:
  - {id: shared, severity: critical, mode: enforce, respond: [kill], per: agent, fail: closed,
     on_unknown: report, never: "posts and once reads"}
"""


def test_in_a_wider_scope_the_exception_of_the_asking_session_counts(tmp_path: Path) -> None:
    """Another session of the same agent is refused."""
    here = GateHere(tmp_path, SHARED, parse_principals(PRINCIPALS, "p.yaml"))
    for session in ("s-1", "s-2"):
        here.gate.open("bot", Opening(session, agent="robot"))
    here.tell("tool.completed", session="s-2", tool="read_file")
    one = signed(here, invariant="shared", session="s-1")
    here.gate.make_exception("olga", one)
    assert here.ask("http.post", session="s-2").decision == "deny"
    assert here.ask("http.post", session="s-1").decision == "allow"


def test_a_call_of_which_too_little_is_known_may_be_excepted(tmp_path: Path) -> None:
    """No monitor speaks here, so that calls about wider scopes are refused."""
    here = GateHere(tmp_path, SHARED, parse_principals(PRINCIPALS, "p.yaml"), view_age_ns=1)
    here.gate.open("bot", Opening("s-1", agent="robot"))
    assert here.ask("http.post").reason == "stale"
    here.gate.make_exception("olga", signed(here, invariant="shared"))
    assert here.ask("http.post").decision == "allow"


def test_only_a_gate_states_exceptions() -> None:
    """An agent that writes some into its own events, or anybody elsewhere, changes nothing."""
    value = msgspec.json.encode(
        {
            "session": "s",
            "principal": "bob",
            "id": "e",
            "ts": START_NS,
            "kind": "x",
            "excepted": [[ID, "*", START_NS * 2]],
            "gate": {"name": "g"},
        }
    )
    for topic, count in ((GATE, 1), (f"{EVENTS}.bob", 0), (APPROVALS, 0), (ENFORCEMENT, 0)):
        event = decode_event(value, Origin(topic, "0", 1), arrival_ns=START_NS)
        assert isinstance(event, Event)
        assert len(event.excepted) == count, topic
    for wrong in (b"{}", b"[1]", b'[["x"]]', msgspec.json.encode([["x", "y", 1]] * 65)):
        record = value.replace(msgspec.json.encode([[ID, "*", START_NS * 2]]), wrong)
        rejected = decode_event(record, Origin(GATE, "0", 1), arrival_ns=START_NS)
        assert isinstance(rejected, Rejected) and "excepted" in rejected.detail


def test_a_monitor_stops_nobody_under_an_exception(tmp_path: Path) -> None:
    """It records what it would have done, and alerts as declared."""
    here = opened(tmp_path)
    here.gate.make_exception("olga", signed(here))
    leak(here)
    (found,) = [f for f in here.found.values() if f.invariant == "no-leak"]
    policy = ResponsePolicy()
    assert {(a.kind, a.state) for a in plan(found, policy)} == {("kill", "would")}
    stopping = msgspec.structs.replace(found, excepted_by="")
    assert {(a.kind, a.state) for a in plan(stopping, policy)} == {("kill", "planned")}


def test_an_exception_does_not_free_its_issuer(tmp_path: Path) -> None:
    """One for everybody is for everybody else."""
    here = opened(tmp_path)
    here.gate.make_exception("olga", signed(here, principal=""))
    secret = {"path": "/secrets/key"}
    here.tell("tool.completed", who="olga", session="o", tool="read_file", args=secret)
    assert here.ask("http.post", who="olga", session="o").decision == "deny"
    here.tell("tool.completed", who="other", session="p", tool="read_file", args=secret)
    assert here.ask("http.post", who="other", session="p").decision == "allow"


def test_there_is_a_bound(tmp_path: Path) -> None:
    """Each stands in every record that it concerns."""
    here = opened(tmp_path)
    for number in range(EXCEPTED_MAX):
        here.gate.make_exception("olga", signed(here, id=f"x-{number:032x}"))
    with pytest.raises(ConflictError, match="revoke one"):
        here.gate.make_exception("olga", signed(here, id="x-" + "f" * 32))
    assert leak(here) == "allow"


def test_a_call_whose_arguments_are_omitted_may_be_excepted(tmp_path: Path) -> None:
    """An invariant that needs them refuses it, unless it is excepted."""
    text = INVARIANTS.replace("mode: observe", "mode: enforce")
    here = GateHere(tmp_path, text, parse_principals(PRINCIPALS, "p.yaml"))
    omitted = {"interlock_args_omitted": True}
    here.gate.make_exception("olga", signed(here, invariant="pay-approved"))
    assert here.ask("pay", attributes=omitted).decision == "deny"
    second = "x-" + "1" * 32
    here.gate.make_exception("olga", signed(here, id=second, invariant="pay-little"))
    assert here.ask("pay", attributes=omitted).decision == "allow"


def test_broken_glass_suspends_the_gates_own_stops(tmp_path: Path) -> None:
    """Those of before; they are in force again when it ends."""
    text = INVARIANTS.replace("never: posts and once(reads_secret)", "never: reads_secret")
    here = GateHere(tmp_path, text, parse_principals(PRINCIPALS, "p.yaml"))
    here.read_secret()
    assert here.ask("search").reason == "killed"
    here.gate.make_exception("olga", signed(here))
    assert here.ask("search").reason == "killed", "an exception of its invariant comes too late"
    broken = "x-" + "b" * 32
    here.gate.make_exception("max", signed(here, MAX[0], **BREAK, id=broken, principal=""))
    assert here.ask("search").decision == "allow"
    here.gate.revoke("max", broken, Revocation())
    assert here.ask("search").reason == "killed"


AHEAD = """
version: 1
predicates:
  reads: kind == "tool.completed" && tool == "read_file"
  posts: kind == "tool.requested" && tool == "http.post"
invariants:
  - {id: shared, severity: critical, mode: enforce, respond: [kill], per: agent, on_unknown: report,
     always: "reads implies always[60s] not posts"}
"""


def test_a_verdict_about_an_earlier_event_is_excepted_by_what_decides_it(tmp_path: Path) -> None:
    """The call of one session violates what another session began; and its exception counts."""
    here = GateHere(tmp_path, AHEAD, parse_principals(PRINCIPALS, "p.yaml"))
    for session in ("s-1", "s-2"):
        here.gate.open("bot", Opening(session, agent="robot"))
    here.tell("tool.completed", session="s-2", tool="read_file")
    here.gate.make_exception("olga", signed(here, invariant="shared", session="s-1"))
    assert here.ask("http.post", session="s-1").decision == "allow"
    (found,) = [f for f in here.found.values() if f.type == "violated"]
    assert (found.session, found.excepted_by) == ("s-2", ID)
    assert here.ask("search", session="s-2").decision == "allow"


def test_a_gate_that_can_claim_no_session_can_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place for claims does not answer: then it is needed most."""
    here = opened(tmp_path)

    def refuse(key: object) -> None:
        raise NotReadyError("no claims now")

    monkeypatch.setattr(here.gate._claims, "take", refuse)
    with pytest.raises(NotReadyError):
        here.ask("search", session="new")
    here.gate.make_exception("max", signed(here, MAX[0], **BREAK))
    assert leak(here) == "allow"


def test_an_exception_ends_with_the_key_that_signed_it(tmp_path: Path) -> None:
    """At the next start, before anybody is answered; one for a user of the machine may be made."""
    here = opened(tmp_path)
    here.gate.make_exception("olga", signed(here))
    other = "x-" + "2" * 32
    here.gate.make_exception("olga", signed(here, id=other, principal="uid-1001"))
    assert leak(here) == "allow"
    here.restart()
    assert here.ask("http.post").decision == "allow"
    replaced = PRINCIPALS.replace(OLGA[1], make_key(b"")[1])
    here.principals = parse_principals(replaced, "p.yaml")
    here.restart()
    assert here.gate.exceptions("olga").exceptions == []
    assert here.ask("http.post").decision == "deny"
    over = [r["attributes"]["over"] for r in here.records() if r["kind"] == "session.ended"]
    assert over == ["its issuer has another key"] * 2
