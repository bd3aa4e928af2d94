"""The engine: what it finds depends on events and their times alone, and survives any restart."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest

from interlock.limits import stated_time
from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.ingest.rejected import Rejected
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from tests.support.shelf import Shelf

TEXT = """\
version: 1
predicates:
  secret: kind == "tool.completed" && tool == "vault"
  leaves: kind == "tool.requested" && tool == "post"
  failed:
    when: kind == "tool.failed"
    with:
      tool: tool
  asked:
    when: kind == "approval.requested"
    with:
      call: call
  answered:
    when: kind == "approval.granted"
    with:
      call: call
invariants:
  - {id: leak, severity: warning, never: leaves and once secret}
  - {id: retries, severity: warning, always: "count(failed(tool=t))[60s] <= 2"}
  - id: answers
    severity: warning
    always: asked(call=c) implies eventually[15m] answered(call=c)
"""
DEEP = b'{"session":"s","seq":0,"ts":1,"kind":"k","args":' + b'{"a":' * 80 + b"1" + b"}" * 81
KINDS = (
    ("tool.completed", "vault"),
    ("tool.requested", "post"),
    ("tool.failed", "post"),
    ("tool.failed", "get"),
    ("approval.requested", ""),
    ("approval.granted", ""),
    ("message.user", ""),
    ("session.ended", ""),
)
SETTINGS = KernelSettings(trust_ts=True)


def program() -> Program:
    specs, _ = read_specs([("engine.yaml", TEXT)])
    return compile_program(specs)


def make(session: str, seq: int, time_s: int, kind: str, tool: str, call: str = "") -> Event:
    content = {"session": session, "seq": seq, "ts": stated_time(time_s * 10**9), "kind": kind}
    content |= {"tool": tool, "call": call, "args": {"n": 1}}
    event = decode_event(msgspec.json.encode(content), Origin("t", "0", seq))
    assert isinstance(event, Event)
    return event


def random_events(seed: int, count: int = 120) -> list[Event]:
    random = Random(seed)
    seqs: dict[str, int] = {}
    events = []
    for number in range(count):
        session = random.choice("abc")
        kind, tool = random.choice(KINDS)
        seq = seqs[session] = seqs.get(session, -1) + 1
        events.append(make(session, seq, number * 20, kind, tool, f"c{random.randrange(3)}"))
    return events


def ids(findings: list[Finding]) -> dict[str, list[str]]:
    """Ids in order, per session."""
    found: dict[str, list[str]] = {}
    for finding in findings:
        found.setdefault(finding.session, []).append(finding.id)
    return found


def plain(events: list[Event]) -> dict[str, list[str]]:
    engine = Kernel(program(), SETTINGS)
    return ids([finding for event in events for finding in engine.step(event)])


@pytest.mark.parametrize("seed", range(6))
def test_a_restart_anywhere_changes_nothing(seed: int) -> None:
    """An engine that is thrown away after any batch, and given back its store, finds the same."""
    events, random, shelf = random_events(seed), Random(seed), Shelf()
    engine = Kernel(program(), SETTINGS, shelf.load)
    found: list[Finding] = []
    for event in events:
        found += engine.step(event)
        if random.random() < 0.2:
            shelf.keep(engine.take_changes()[0])
            engine = Kernel(program(), SETTINGS, shelf.load)
    assert ids(found) == plain(events)


@pytest.mark.parametrize("seed", range(6))
def test_a_repeat_changes_nothing(seed: int) -> None:
    """An event that comes twice with equal content is one event."""
    events = random_events(seed)
    assert plain([e for event in events for e in (event, event)]) == plain(events)


@pytest.mark.parametrize("seed", range(6))
def test_ticks_change_no_verdict(seed: int) -> None:
    """A tick tells a deadline earlier, and nothing else; the ids are the same."""
    events = random_events(seed)
    engine = Kernel(program(), SETTINGS)
    found: list[Finding] = []
    for event in events:
        found += engine.tick(event.ts_ns)
        found += engine.step(event)
    told = {session: sorted(names) for session, names in ids(found).items()}
    assert told == {session: sorted(names) for session, names in plain(events).items()}


def test_two_contents_under_one_id_are_two_events() -> None:
    """The second is judged too, an `id_conflict` says so, and its finding has an id of its own."""
    engine = Kernel(program(), SETTINGS)
    engine.step(make("s", 0, 0, "tool.completed", "vault"))
    first = engine.step(make("s", 1, 1, "tool.requested", "post", "x"))
    second = engine.step(make("s", 1, 2, "tool.requested", "post", "y"))
    assert [f.type for f in first] == ["violated"]
    assert {"violated", "id_conflict"} <= {f.type for f in second}
    assert len({f.id for f in (*first, *second)}) == len(first) + len(second)


def test_gaps_repeats_and_late_fills() -> None:
    """A hole in the numbers is told once, what fills it is not, and a number given twice is."""
    engine = Kernel(program(), SETTINGS)
    types = [
        [f.type for f in engine.step(make("s", seq, time_s, "message.user", "", call))]
        for time_s, (seq, call) in enumerate([(0, "a"), (3, "a"), (1, "a"), (3, "b"), (4, "a")])
    ]
    assert types[:3] == [[], ["gap"], []]
    assert "gap" in types[3]
    assert types[4] == []


def test_ending_a_session_is_no_clean_slate() -> None:
    """What comes after the end is judged as going on, and told."""
    engine = Kernel(program(), SETTINGS)
    engine.step(make("s", 0, 0, "tool.completed", "vault"))
    engine.step(make("s", 1, 1, "session.ended", ""))
    found = engine.step(make("s", 2, 2, "tool.requested", "post"))
    assert {f.type for f in found} == {"violated", "after_end"}


def test_a_session_that_fell_silent_is_closed_by_time() -> None:
    """After `idle_close` the pending is decided as at an end; after `linger` nothing is held."""
    settings = KernelSettings(trust_ts=True, idle_close_ns=60 * 10**9, linger_ns=60 * 10**9)
    engine = Kernel(program(), settings)
    engine.step(make("s", 0, 0, "approval.requested", "", "c"))
    assert engine.tick(60 * 10**9) == []
    found = engine.tick(61 * 10**9)
    assert [(f.invariant, f.type) for f in found] == [("answers", "violated")]
    engine.tick(10**15)
    assert engine.scopes_count == 0
    assert engine.take_changes()[1] == ["s"]


@pytest.mark.timeout(20)
def test_a_wake_up_that_outlives_its_session_is_let_go() -> None:
    """A session may be awaited at two times; the later one found it gone, and ran for ever.

    Found by the simulation.
    """
    shelf = Shelf()
    settings = KernelSettings(trust_ts=True, idle_close_ns=3_600 * 10**9, linger_ns=60 * 10**9)
    engine = Kernel(program(), settings, shelf.load)
    engine.step(make("s", 0, 0, "message.user", ""))
    engine.step(make("s", 1, 1, "approval.requested", "", "c"))
    for time_s in (1_000, 2_000, 5_000):
        engine.tick(time_s * 10**9)
        shelf.keep(*engine.take_changes())
        if time_s == 1_000:
            engine.step(make("s", 2, 1_001, "session.ended", ""))
    assert (engine.scopes_count, shelf.headers) == (0, {})
    assert engine.tick(10**15, frozenset({""})) == []
    assert engine._sessions._wakes == []


@pytest.mark.timeout(20)
def test_a_session_dropped_in_a_batch_does_not_come_back_in_it() -> None:
    """The store still holds it until the batch is stored: reading it there would undo the drop.

    Found by the simulation.
    """
    settings = KernelSettings(trust_ts=True, idle_close_ns=60 * 10**9, linger_ns=0)
    told = []
    for is_stored_between in (False, True):
        shelf = Shelf()
        engine = Kernel(program(), settings, shelf.load)
        engine.step(make("s", 0, 0, "tool.completed", "vault"))
        engine.step(make("s", 1, 1, "approval.requested", "", "c"))
        shelf.keep(*engine.take_changes())
        found = engine.tick(10**13)
        if is_stored_between:
            shelf.keep(*engine.take_changes())
        found += engine.step(make("s", 2, 10_001, "tool.requested", "post"))
        shelf.keep(*engine.take_changes())
        told.append((ids(found), shelf.headers, shelf.states, shelf.seen))
    assert told[0] == told[1]
    assert "leak" not in {f.invariant for f in found}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty"),
        (b"not json", "not_json"),
        (b"\xff", "not_json"),
        (b'{"session":"s","seq":0,"ts":1,"kind":"k","text":"a\xff"}', "not_utf8"),
        (b'{"session":"s","seq":0,"ts":1,"kind":"k","args":{"\xc3":1}}', "not_utf8"),
        (b"[]", "field"),
        (b"{}", "field"),
        (b'{"session":"s","seq":0,"ts":1,"kind":"k","kind":"j"}', "repeated_key"),
        (b'{"session":"s","seq":0,"ts":1,"kind":"k","args":{"a":1,"\\u0061":2}}', "repeated_key"),
        (b'{"session":"s","seq":0,"ts":1,"kind":"k","args":[]}', "field"),
        (b'{"session":"s","seq":0,"ts":1,"kind":null}', "field"),
        (b'{"session":"s","seq":-1,"ts":1,"kind":"k"}', "field"),
        (b'{"session":"s","seq":true,"ts":1,"kind":"k"}', "field"),
        (b'{"session":"s","ts":1,"kind":"k"}', "field"),
        (b'{"session":"s","seq":0,"ts":"2026-02-30T00:00:00Z","kind":"k"}', "field"),
        (b'{"session":"s","seq":0,"ts":1,"kind":"k","v":2}', "version"),
        (
            b'{"session":"s","seq":0,"ts":1,"kind":"k","args":' + b'{"a":' * 80 + b"1" + b"}" * 81,
            "too_deep",
        ),
        (
            b'{"session":"s","seq":0,"ts":1,"kind":"k","result":[' + b"1e9," * 65_536 + b"1.5]}",
            "numbers",
        ),
        (b'{"session":"' + b"s" * 600 + b'","seq":0,"ts":1,"kind":"k"}', "field"),
        (b" " * (900 * 1024 + 1), "too_large"),
    ],
)
def test_what_is_no_event_is_told_with_its_reason(value: bytes, reason: str) -> None:
    """Never an exception, and never a byte of the content in what is shown."""
    rejected = decode_event(value, Origin("t", "0", 0))
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    assert "session" not in rejected.excerpt


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:01.5+00:00", 1_500_000_000),
        ("1970-01-01t01:00:00.000000001+01:00", 1),
        ("2016-12-31T23:59:60Z", 1_483_228_800 * 10**9),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, nanoseconds: int) -> None:
    """RFC 3339 with any fraction and offset; a leap second is the second after :59."""
    content = {"session": "s", "seq": 0, "ts": text, "kind": "k"}
    event = decode_event(msgspec.json.encode(content), Origin("t", "0", 0))
    assert isinstance(event, Event)
    assert event.ts_ns == nanoseconds


def test_the_bench_stays_loadable() -> None:
    """The twenty invariants of the engine's bench compile, without a fault."""
    path = Path(__file__).resolve().parents[2] / "monitor" / "bench" / "engine.yaml"
    specs, _ = read_specs([(path.name, path.read_text())])
    assert len(compile_program(specs).invariants) == 20


def test_one_finding_id_never_stands_for_two_positions() -> None:
    """Two contents of one id wait for an answer each: what time decides of them is two findings.

    A second copy of either is a repeat, whichever came first.
    """

    def asked(reason: str) -> Event:
        content = {"session": "s", "id": "i", "ts": 10**17, "kind": "approval.requested"}
        # Of one call, so that it is not the binding that tells the findings apart.
        said = content | {"call": "c", "args": {"reason": reason}}
        found = decode_event(msgspec.json.encode(said), Origin("t", "0", 0))
        assert isinstance(found, Event)
        return found

    engine = Kernel(program(), SETTINGS)
    found = [f for said in ("a", "b", "a", "b", "c", "b") for f in engine.step(asked(said))]
    assert [f.type for f in found] == ["id_conflict", "id_conflict"]
    assert engine.take_duplicates_count() == 3
    late = engine.tick(2 * 10**17)
    assert [f.anchor.position for f in late] == [0, 1, 2]
    assert len({f.id for f in (*found, *late)}) == 5


@pytest.mark.parametrize("per", ["session", "agent"])
def test_a_session_that_begins_anew_has_findings_of_its_own(per: str) -> None:
    """A forgotten session is sent again, byte for byte, and its violation is another finding.

    With the id of the old one the store would take it for told, and nobody would hear of it.
    """
    text = f"""version: 1
predicates:
  leaves: kind == "tool.requested" && tool == "post"
invariants:
  - {{id: no-post, severity: warning, per: {per}, never: leaves}}
"""
    specs, _ = read_specs([("again.yaml", text)])
    engine = Kernel(compile_program(specs), KernelSettings(linger_ns=60 * 10**9))

    def lived(offset: int, arrival_s: int) -> list[Finding]:
        found = []
        for seq, kind in enumerate(("heartbeat", "tool.requested", "session.ended")):
            content = {"session": "s", "seq": seq, "ts": "2026-01-05T09:00:00Z", "kind": kind}
            value = msgspec.json.encode(content | {"tool": "post", "agent": "a"})
            origin = Origin("agent.events", "0", offset + seq)
            event = decode_event(value, origin, arrival_ns=arrival_s * 10**9)
            assert isinstance(event, Event)
            found += engine.step(event)
        return found

    arrived_s = 1_767_610_000
    first = lived(0, arrived_s)
    engine.tick((arrived_s + 3_600) * 10**9)
    second = lived(3, arrived_s + 7_200)
    assert [(f.type, f.anchor.id) for f in first] == [("violated", "s/1")]
    assert [(f.type, f.anchor.id) for f in second] == [("violated", "s/1")]
    assert first[0].id != second[0].id


def test_an_id_that_was_forgotten_stands_for_another_event() -> None:
    """`ids_max` events later nobody knows that an id had been used: its finding is another one."""
    engine = Kernel(program(), KernelSettings(trust_ts=True, ids_max=3))
    seqs = [0, 1, 2, 3, 4, 1]
    kinds = ["tool.completed", "tool.requested", *["heartbeat"] * 3, "tool.requested"]
    tools = ["vault", "post", "", "", "", "post"]
    found = [
        finding
        for at_s, (seq, kind, tool) in enumerate(zip(seqs, kinds, tools, strict=True))
        for finding in engine.step(make("s", seq, at_s + 1, kind, tool))
        if finding.type == "violated"
    ]
    assert [(f.anchor.position, f.anchor.id) for f in found] == [(1, "s/1"), (5, "s/1")]
    assert found[0].id != found[1].id


def test_a_double_and_a_whole_number_that_cannot_be_read_are_two_contents() -> None:
    """`9223372036854775808.0` is a number to predicates, `9223372036854775808` a missing value."""

    def sent(number: str) -> Event:
        head = b'{"session":"s","id":"i","ts":1,"kind":"tool.requested","tool":"pay","args":{"n":'
        found = decode_event(head + number.encode() + b"}}", Origin("t", "0", 0))
        assert isinstance(found, Event)
        return found

    assert sent("9223372036854775808.0").digest != sent("9223372036854775808").digest
    assert sent("9223372036854774784.0").digest == sent("9223372036854774784").digest
