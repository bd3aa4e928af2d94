"""Scopes wider than a session: who is in which trace, what is told, kept, and let go of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from msgspec import structs

from interlock.limits import stated_time
from invariants.check.specs import read_specs
from invariants.codec.state import StateError
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.model.limits import Limits
from invariants.runtime.program import Program
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.ingest.provenance import Provenance
from monitor.kernel.evaluate import evaluate
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.presentation import page
from monitor.scope_key import WiderKey, scope_named, stored_name, stored_trace, stored_users
from monitor.trace_key import TraceKey
from tests.support.shelf import Shelf

TEXT = """\
version: 1
predicates:
  pay:
    when: kind == "tool.requested" && tool == "pay"
    with:
      to: args.to
  blocked:
    when: kind == "tool.completed" && tool == "block"
    with:
      to: args.to
  confirmed:
    when: kind == "tool.completed" && tool == "confirm"
    with:
      to: args.to
invariants:
  - {id: blocked, severity: warning, per: tenant, never: "pay(to=x) and once[1h] blocked(to=x)"}
  - id: confirmed
    severity: warning
    per: tenant
    always: pay(to=x) implies eventually[10s] confirmed(to=x)
  - {id: alone, severity: warning, never: "pay(to=x) and once blocked(to=x)"}
"""
SETTINGS = KernelSettings(trust_ts=True)
S = 10**9


def program(text: str = TEXT, limits: Limits | None = None) -> Program:
    specs, _ = read_specs([("wider.yaml", text)])
    return compile_program(specs, limits=limits or Limits())


def make(session: str, seq: int, at_s: float, tool: str, **more: Any) -> Event:
    kind = "tool.requested" if tool == "pay" else "tool.completed"
    content = {
        "session": session,
        "seq": seq,
        "ts": stated_time(int(at_s * S)),
        "kind": kind,
        "tool": tool,
    }
    content |= {"args": {"to": "x"}, **more}
    event = decode_event(msgspec.json.encode(content), Origin("t", "0", seq))
    assert isinstance(event, Event)
    return event


def told(findings: list[Finding]) -> list[tuple[str, str, str, str]]:
    return [(f.invariant or f.type, f.type, f.scope_kind, f.scope) for f in findings]


def test_what_one_session_did_another_answers_for() -> None:
    """And nobody else: another tenant's sessions are another trace."""
    engine = Kernel(program(), SETTINGS)
    assert engine.step(make("one", 0, 1, "block", tenant="acme")) == []
    assert engine.step(make("two", 0, 2, "pay", tenant="other")) == []
    found = engine.step(make("three", 0, 3, "pay", tenant="acme"))
    assert told(found) == [("blocked", "violated", "tenant", "acme")]
    finding = found[0]
    assert finding.session == "three"
    assert [(e.session, e.position, e.id) for e in finding.witness] == [
        ("one", 0, "one/0"),
        ("three", 0, "three/0"),
    ]
    assert "all sessions of the tenant acme" in "\n".join(page(finding, ()))
    assert "event 0 (one/0) of session one" in "\n".join(page(finding, ()))


def test_ids_are_unique_in_their_session_only() -> None:
    """Two sessions may use one id; findings about both are two findings."""
    engine = Kernel(program(), SETTINGS)
    engine.step(make("one", 0, 1, "block", tenant="acme"))
    found = [
        *engine.step(make("two", 0, 2, "pay", id="same", tenant="acme")),
        *engine.step(make("three", 0, 2, "pay", id="same", tenant="acme")),
    ]
    assert [f.invariant for f in found] == ["blocked", "blocked"]
    assert len({f.id for f in found}) == 2


def test_an_event_belongs_where_it_says_or_where_its_session_said_first() -> None:
    """A tenant named later changes nothing for events that name none."""
    engine = Kernel(program(), SETTINGS)
    engine.step(make("one", 0, 1, "block", tenant="acme"))
    engine.step(make("two", 0, 2, "note", tenant="acme"))
    engine.step(make("two", 1, 3, "note", tenant="other"))
    assert [f.invariant for f in engine.step(make("two", 2, 4, "pay"))] == ["blocked"]
    assert engine.step(make("two", 3, 5, "pay", tenant="other")) == []


def test_leaving_the_name_out_is_no_way_round() -> None:
    """What names no scope is told, and inconclusive where it would have been judged."""
    engine = Kernel(program(), SETTINGS)
    found = engine.step(make("one", 0, 1, "pay"))
    assert told(found) == [
        ("blocked", "inconclusive", "tenant", ""),
        ("confirmed", "inconclusive", "tenant", ""),
        ("unscoped", "unscoped", "session", "one"),
    ]
    # It is no trigger, and would have been remembered.
    assert told(engine.step(make("one", 1, 2, "block"))) == [
        ("unscoped", "unscoped", "session", "one")
    ]
    # No predicate notices it.
    assert engine.step(make("one", 2, 3, "note")) == []
    strict = Kernel(
        program(TEXT.replace("per: tenant", "per: tenant, on_unknown: violate", 1)), SETTINGS
    )
    assert strict.step(make("one", 0, 1, "pay"))[0].type == "violated"


def test_a_session_that_ends_ends_no_wider_scope() -> None:
    """A verdict waits on: another session may still meet its deadline, or time passes it."""
    for tool, expected in (("confirm", []), ("note", ["confirmed"])):
        engine = Kernel(program(), SETTINGS)
        engine.step(make("one", 0, 1, "pay", tenant="acme"))
        assert engine.step(make("one", 1, 2, "", kind="session.ended")) == []
        assert engine.step(make("two", 0, 11, tool, tenant="acme")) == []
        assert engine.tick(11 * S) == []
        late = engine.tick(11 * S + 1)
        assert [f.invariant for f in late] == expected
        assert [(f.session, f.agent) for f in late] == [("one", "")] * len(expected)


def test_a_time_that_would_go_back_is_raised() -> None:
    """The trace is in the order in which events come; `decided` tells the scope's time."""
    engine = Kernel(program(), SETTINGS)
    engine.step(make("one", 0, 5_000, "block", tenant="acme"))
    found = engine.step(make("two", 0, 4_995, "pay", tenant="acme"))
    assert [(f.invariant, f.anchor.time_ns) for f in found] == [("blocked", 5_000 * S)]
    # Further back than clocks differ: which of the two is wrong is not known.
    found = engine.step(make("three", 0, 1, "pay", tenant="acme"))
    assert [(f.invariant, f.type) for f in found] == [
        ("confirmed", "inconclusive"),
        ("blocked", "inconclusive"),
        ("", "disorder"),
    ]


def test_a_restart_forgets_nothing() -> None:
    """Neither states nor deadlines, whatever the names look like."""
    for name in ("acme", "\x1ftenant\x1facme", "\x1f"):
        shelf = Shelf()
        engine = Kernel(program(), SETTINGS, shelf.load)
        engine.step(make(name, 0, 1, "block", tenant=name))
        engine.step(make("other", 0, 1, "pay", tenant=name, args={"to": "y"}))
        changes, dropped = engine.take_changes()
        shelf.keep(changes, dropped)
        wakes = [(c.wake_ns, c.scope) for c in changes if c.wake_ns is not None]
        engine = Kernel(program(), SETTINGS, shelf.load)
        engine.expect(wakes)
        assert [f.invariant for f in engine.step(make("two", 0, 2, "pay", tenant=name))] == [
            "blocked"
        ]
        assert [(f.invariant, f.session) for f in engine.tick(12 * S)] == [("confirmed", "other")]


def test_a_scope_that_nothing_is_about_any_more_stops_nobody() -> None:
    """Its invariants were taken out, and may be put back: what was stored of it stays."""
    shelf = Shelf()
    engine = Kernel(program(), SETTINGS, shelf.load)
    engine.step(make("one", 0, 1, "pay", tenant="acme"))
    changes, _ = engine.take_changes()
    shelf.keep(changes)
    head, _, _ = TEXT.partition("  - {id: blocked")
    alone = "  - {id: alone, severity: warning, never: pay}\n"
    engine = Kernel(program(head + alone), SETTINGS, shelf.load)
    engine.expect([(c.wake_ns, c.scope) for c in changes if c.wake_ns is not None])
    assert engine.tick(100 * S) == []
    assert engine.take_changes() == ([], [])


TIMERS = """\
version: 1
predicates:
  pay: kind == "tool.requested"
  started: kind == "session.started"
  done: kind == "tool.completed"
  over: kind == "session.ended"
invariants:
  - {id: paid, severity: warning, always: "pay implies eventually[10s] done"}
"""
COOL = '  - {id: cool, severity: warning, per: agent, never: "started and once[1h] over"}\n'


@pytest.mark.parametrize(("before", "after"), [("", COOL), (COOL, ""), (COOL, COOL)])
def test_a_change_of_what_is_watched_stops_no_clock(before: str, after: str) -> None:
    """Sessions of a partition go on when all are read as one, and when they are not any more."""
    shelf, settings = Shelf(), replace(SETTINGS, idle_close_ns=60 * S, linger_ns=60 * S)
    engine = Kernel(program(TIMERS + before), settings, shelf.load)
    engine.step(make("one", 0, 1, "pay", agent="ann"), "3")
    changes, _ = engine.take_changes()
    shelf.keep(changes)
    engine = Kernel(program(TIMERS + after), settings, shelf.load)
    engine.expect([(c.wake_ns, c.scope) for c in changes if c.wake_ns is not None])
    found = engine.tick(500 * S, frozenset({"" if after else "3"}))
    assert [f.invariant for f in found] == ["paid"]
    assert "one" in engine.take_changes()[1]


@pytest.mark.parametrize("ticks_s", [range(1, 5_700, 60), [2_700, 5_700], []])
def test_idle_sessions_end_where_they_stand_whenever_somebody_looked(ticks_s: list[int]) -> None:
    """A session's end stands in its agent's trace by its own time, and not by the next tick's."""
    settings = KernelSettings(idle_close_ns=1_800 * S)
    events = [
        arrived("one", 0, 0, "session.started", agent="ann"),
        arrived("two", 0, 2_700, "note", agent="bob"),
        arrived("three", 0, 5_500, "session.started", agent="ann"),
        arrived("three", 1, 5_700, "note", agent="ann"),
        arrived("four", 0, 9_000, "session.started", agent="ann"),
    ]
    engine = Kernel(program(TIMERS + COOL), settings)
    inputs = [*((e.arrival_ns, e) for e in events), *((s * S, None) for s in ticks_s)]
    found = []
    for time_ns, given in sorted(inputs, key=lambda item: (item[0], item[1] is not None)):
        found += engine.tick(time_ns) if given is None else engine.reach(given) + engine.step(given)
    assert [(f.anchor.session, [w.id for w in f.witness]) for f in found] == [
        ("four", ["three/closed/2", "four/0"])
    ]


def test_sessions_that_a_tick_ends_end_in_the_order_of_their_times() -> None:
    """Whatever else they were awaited for: the first to be idle is the first in the trace."""
    text = TIMERS + '  - {id: last, severity: warning, per: agent, never: "over and once over"}\n'
    for first, second in (("a", "b"), ("b", "a")):
        engine = Kernel(program(text), KernelSettings(idle_close_ns=1_800 * S))
        engine.step(arrived(first, 0, 0, "session.started", agent="ann"))
        engine.step(arrived(second, 0, 1, "tool.requested", agent="ann"))
        found = [f for f in engine.tick(9_000 * S) if f.invariant == "last"]
        assert [f.session for f in found] == [first, second]


@pytest.mark.parametrize("ticks_s", [[500], [15, 61, 62, 500]])
def test_the_end_of_an_idle_session_decides_what_was_due_after_it(ticks_s: list[int]) -> None:
    """However late somebody looks; what was due before it is late."""
    text = TIMERS + '  - {id: end, severity: warning, always: "pay implies eventually[90s] over"}\n'
    engine = Kernel(program(text), KernelSettings(idle_close_ns=60 * S))
    engine.step(arrived("one", 0, 1, "tool.requested"))
    found = [f for tick_s in ticks_s for f in engine.tick(tick_s * S)]
    assert [(f.invariant, f.decided_ns) for f in found] == [("paid", 11 * S)]


def test_a_session_ends_once_in_the_trace_of_its_agent() -> None:
    """What came after its end has its own end, which is the session's alone."""
    text = TIMERS.replace("eventually[10s]", "eventually")
    text += '  - {id: once, severity: warning, per: agent, always: "count(over)[720h] <= 1"}\n'
    engine = Kernel(program(text), KernelSettings(linger_ns=3_600 * S))
    engine.step(arrived("one", 0, 1, "session.ended", agent="ann"))
    engine.step(arrived("one", 1, 2, "tool.requested", agent="ann"))
    assert [f.invariant for f in engine.tick(9_000 * S)] == ["paid"]


def test_a_child_is_in_doubt_at_its_first_event_too() -> None:
    """Its parent may have been shown what it names, in a scope that is wider as well."""
    text = """\
version: 1
sources:
  web: {when: 'kind == "tool.completed"', values: result}
predicates:
  unseen: kind == "tool.requested" && only_from(args.to, "web")
invariants:
  - {id: alone, severity: warning, on_unknown: violate, never: unseen}
  - {id: wide, severity: warning, on_unknown: violate, per: tenant, never: unseen}
"""
    engine = Kernel(program(text), SETTINGS)
    for seq in (0, 1):
        event = make("child", seq, 1, "pay", tenant="acme", parent="mother")
        assert [f.invariant for f in engine.step(event)] == ["alone", "wide"]


def test_who_sent_an_event_is_known_when_its_session_is_not_any_more() -> None:
    """A deadline may end after its session was let go of: its sender is still the one to stop."""
    text = TIMERS + (
        '  - {id: wide, severity: warning, per: user, always: "pay implies eventually[48h] done"}\n'
    )
    for has_ended in (False, True):
        engine = Kernel(program(text), KernelSettings(linger_ns=3_600 * S))
        event = arrived("one", 0, 1, "tool.requested", agent="bot", user="ann")
        engine.step(structs.replace(event, principal="mallory"))
        if has_ended:
            engine.step(arrived("one", 1, 2, "session.ended"))
        engine.tick(24 * 3_600 * S)
        (found,) = [f for f in engine.tick(50 * 3_600 * S) if f.invariant == "wide"]
        assert (found.agent, found.principal) == ("bot", "mallory")


def arrived(session: str, seq: int, at_s: int, kind: str, **more: Any) -> Event:
    content = {"session": session, "seq": seq, "ts": stated_time(at_s * S), "kind": kind, **more}
    origin = Origin("t", "0", seq)
    event = decode_event(msgspec.json.encode(content), origin, arrival_ns=at_s * S)
    assert isinstance(event, Event)
    return event


def test_the_longest_window_says_how_long_a_scope_matters() -> None:
    """Of all windows of all invariants about the kind of scope."""
    text = TEXT[: TEXT.index("invariants:")] + (
        "invariants:\n  - {id: late, severity: info, per: tenant, "
        'never: "pay(to=x) and once[1h] confirmed(to=x) and not once[10s] blocked"}\n'
    )
    (tenants,) = program(text).wider
    assert tenants.memory_ns() == 3_600 * S


def test_what_can_matter_no_more_is_let_go_of() -> None:
    """After the longest reach of its invariants; never while one of them has none."""
    shelf = Shelf()
    engine = Kernel(program(), SETTINGS, shelf.load)
    engine.step(make("one", 0, 0, "block", tenant="acme"))
    shelf.keep(*engine.take_changes())
    engine.tick(3_600 * S)
    assert engine.take_changes()[1] == []
    engine.tick(3_600 * S + 1)
    assert engine.take_changes()[1] == [stored_name(WiderKey("tenant", "acme"))]
    endless = TEXT.replace(
        "severity: warning, per: tenant, never",
        "severity: warning, per: tenant, report: first, never",
    )
    for text in (
        endless,
        TEXT.replace("pay(to=x) and once[1h] blocked(to=x)", "pay and once blocked", 1),
    ):
        engine = Kernel(program(text), SETTINGS)
        engine.step(make("one", 0, 0, "block", tenant="acme"))
        engine.tick(10**6 * S)
        assert engine.take_changes()[1] == []


def test_a_bound_that_is_reached_is_told_of_the_session_that_reached_it() -> None:
    """The scope goes on, in doubt about what found no room."""
    engine = Kernel(program(limits=Limits(slices_max=1)), SETTINGS)
    engine.step(make("one", 0, 1, "block", tenant="acme"))
    full = engine.step(make("two", 0, 2, "block", tenant="acme", args={"to": "y"}))
    assert [(f.type, f.session) for f in full] == [("capacity", "two")]
    found = engine.step(make("three", 0, 3, "pay", tenant="acme", args={"to": "y"}))
    assert told(found)[0] == ("blocked", "inconclusive", "tenant", "acme")


def test_sources_speak_of_the_events_own_session() -> None:
    """What another session of the agent was shown, this one was not."""
    text = """\
version: 1
sources:
  web:
    when: kind == "tool.completed"
    values: result
predicates:
  paid: kind == "tool.requested" && seen(args.to, "web")
invariants:
  - {id: seen, severity: warning, per: agent, never: paid}
"""
    engine = Kernel(program(text), SETTINGS)
    engine.step(make("one", 0, 1, "get", agent="a", result="attacker"))
    assert engine.step(make("two", 0, 2, "pay", agent="a", args={"to": "attacker"})) == []
    found = engine.step(make("one", 1, 3, "pay", agent="a", args={"to": "attacker"}))
    assert told(found) == [("seen", "violated", "agent", "a")]


def test_streams_that_are_taken_away_take_all_wider_scopes() -> None:
    """They were made of every stream."""
    engine = Kernel(program(), SETTINGS)
    engine.step(make("one", 0, 1, "block", tenant="acme"))
    engine.forget_groups(frozenset({""}))
    assert engine.take_changes() == ([], [])
    assert engine.step(make("two", 0, 2, "pay", tenant="acme")) == []


@pytest.mark.parametrize("value", ["a", "", "\x1f", "\x1fagent\x1fa", "agent\x1f"])
def test_names_of_scopes_are_told_apart(value: str) -> None:
    """An agent chooses the ids of its sessions, and none of them names a wider scope."""
    traces = [TraceKey("", value), TraceKey("alice", value), TraceKey("bob", value)]
    names = {stored_name(WiderKey(per, value)) for per in ("agent", "user", "tenant")}
    names |= {stored_trace(trace) for trace in traces} | {stored_users(value)}
    assert len(names) == 7
    for per in ("agent", "user", "tenant"):
        assert scope_named(stored_name(WiderKey(per, value))) == (per, value)
    for trace in traces:
        assert scope_named(stored_trace(trace)) == trace


@pytest.mark.parametrize(
    ("arrival_s", "effective_s", "verdicts"), [(912, 902, ["a"]), (905, 895, [])]
)
def test_lateness_moves_times_and_deadlines(
    arrival_s: int, effective_s: int, verdicts: list[str]
) -> None:
    """The fifteenth case that pins the readings: 15 minutes, lateness 10 s."""
    text = """\
version: 1
predicates:
  req: kind == "req"
  dec: kind == "dec"
invariants:
  - {id: a, severity: warning, always: "req implies eventually[900s] dec"}
"""
    settings = KernelSettings(lateness_ns=10 * S, skew_ns=5 * S)
    arrivals = {"req": (0, 0), "dec": (800, arrival_s)}
    engine, found = Kernel(program(text), settings), []
    for seq, (kind, (at_s, arrived_s)) in enumerate(arrivals.items()):
        found += engine.tick((arrived_s - 10) * S)
        event = make("s", seq, at_s, "", kind=kind)
        found += engine.step(msgspec.structs.replace(event, arrival_ns=arrived_s * S))
    header = engine.inspect(TraceKey("", "s"))
    assert header is not None
    assert header[0].time_ns == effective_s * S
    assert [f.invariant for f in found] == verdicts
    assert engine.tick(10**6 * S) == []


def test_a_name_of_which_nothing_is_remembered_is_not_kept() -> None:
    """Names cost their producer nothing; events that no invariant remembers keep none of them."""
    shelf = Shelf()
    text = TEXT.replace("and once[1h] blocked(to=x)", "and once[1h] confirmed(to=x)")
    engine = Kernel(program(text), SETTINGS, shelf.load)
    for number in range(5):
        engine.step(make("one", number, 1, "note", tenant=f"name {number}"))
    engine.step(make("one", 5, 1, "confirm", tenant="acme"))
    changes, _ = engine.take_changes()
    assert {c.scope for c in changes} == {"one", stored_name(WiderKey("tenant", "acme"))}


def test_a_run_that_began_with_an_id_in_conflict_stays_one_finding() -> None:
    """Also when the session of its first event, and its record of conflicts, were evicted."""
    text = TEXT[: TEXT.index("invariants:")] + (
        "invariants:\n  - {id: again, severity: warning, per: tenant, report: edge, "
        'always: "pay(to=x) implies once[1h] confirmed(to=x)"}\n'
    )
    engine = Kernel(program(text), replace(SETTINGS, linger_ns=S))
    engine.step(make("one", 0, 1, "block", id="same", tenant="acme"))
    found = engine.step(make("one", 1, 2, "pay", id="same", tenant="acme"))
    engine.step(make("one", 2, 3, "block", kind="session.ended", tenant="acme"))
    engine.tick(10 * S)
    assert engine.inspect(TraceKey("", "one")) is None
    for seq in range(9):
        found += engine.step(make("two", seq, 20 + seq, "pay", tenant="acme"))
    runs = [(finding.id, finding.run.count) for finding in found if finding.run is not None]
    assert [count for _, count in runs] == [1, 10]
    assert len({id_ for id_, _ in runs}) == 1


@pytest.mark.parametrize("damaged", [b"", b"\x93\xa1x", b"\x91" * 100_000])
def test_a_damaged_header_is_an_error(damaged: bytes) -> None:
    """Of a session and of a wider scope: going on without it would be a clean slate."""
    shelf = Shelf()
    engine = Kernel(program(), SETTINGS, shelf.load)
    engine.step(make("one", 0, 1, "block", tenant="acme"))
    shelf.keep(*engine.take_changes())
    headers = dict(shelf.headers)
    assert len(headers) == 2
    for name in headers:
        shelf.headers = headers | {name: damaged}
        engine = Kernel(program(), SETTINGS, shelf.load)
        with pytest.raises(StateError, match="header of a scope"):
            evaluate(
                engine, Provenance(is_trusted=True), make("one", 1, 2, "pay", tenant="acme"), ""
            )
