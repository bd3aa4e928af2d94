"""Principals do not touch each other: of one session ID, each principal's trace is its own.

Drawn events of several principals under few session IDs, with operators' records between them, in
batches split anywhere, across restarts. What is found of a principal's session is what is found of
it with all other principals' events left out, whatever IDs and calls these chose.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any, Final

import msgspec

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.topics import APPROVALS, ENFORCEMENT, EVENTS
from monitor.trace_key import TraceKey, principal_of
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.rim import SECOND_NS, START_NS
from tests.support.shelf import Shelf

CASES_HERE: Final = max(50, CASES // 4)
PRINCIPALS: Final = ("alice", "bob", "carol")
SESSIONS: Final = ("s", "t")
OF_OTHERS: Final = ("contested", "unowned")
TEXT: Final = """\
version: 1
predicates:
  a: kind == "a"
  asked:
    when: kind == "tool.requested"
    with:
      c: call
  granted:
    when: kind == "approval.granted"
    with:
      c: call
  denied: kind == "tool.denied"
invariants:
  - {id: consent, severity: info, never: "asked(c=x) and not once[20s] granted(c=x)"}
  - {id: answered, severity: info, always: "asked(c=x) implies eventually[8s] granted(c=x)"}
  - {id: often, severity: info, always: "count(a)[10s] <= 2"}
  - {id: refused, severity: info, never: "a and once denied"}
  - {id: whole, severity: info, per: agent, never: "a and once[60s] denied"}
"""
Input = Event | int


@cache
def program(*, has_wider: bool = False) -> Program:
    text = TEXT if has_wider else TEXT[: TEXT.index("  - {id: whole")]
    return compile_program(read_specs([("principals.yaml", text)])[0])


def draw(random: Random, *, are_named: bool) -> list[Input]:
    """Events and ticks. Operators name a principal always, or only now and then."""
    inputs: list[Input] = []
    at_s = 0
    for number in range(random.randint(8, 40)):
        at_s += random.choice((0, 1, 1, 2, 5))
        if random.random() < 0.1:
            inputs.append(START_NS + at_s * SECOND_NS)
            continue
        content: dict[str, Any] = {
            "session": random.choice(SESSIONS),
            "id": random.choice((f"e-{number}", f"e-{random.randrange(8)}")),
            "ts": START_NS + at_s * SECOND_NS,
            "kind": random.choice(("a", "tool.requested", "tool.requested", "session.ended")),
            "agent": random.choice(("bot", "other")),
            "call": random.choice("xyz"),
            "seq": number,
        }
        topic = f"{EVENTS}.{random.choice(PRINCIPALS)}"
        if random.random() < 0.4:
            topic = random.choice((APPROVALS, ENFORCEMENT))
            content |= {"id": f"o-{number}"}
            content["kind"] = "approval.granted" if topic == APPROVALS else "tool.denied"
            del content["seq"]
            if are_named or random.random() < 0.3:
                content["principal"] = random.choice(PRINCIPALS)
        elif random.random() < 0.1:
            content["principal"] = random.choice(PRINCIPALS)
        inputs.append(decoded(content, topic, number))
    return inputs


def decoded(content: dict[str, Any], topic: str, offset: int) -> Event:
    event = decode_event(
        msgspec.json.encode(content),
        Origin(topic, "0", offset),
        arrival_ns=content["ts"],
        principal=principal_of(topic),
    )
    assert isinstance(event, Event)
    return event


def findings_of(inputs: list[Input], random: Random | None, **options: bool) -> list[Finding]:
    """What an engine finds; with `random` it begins anew from what was stored, now and then."""
    shelf, wakes = Shelf(), dict[str, int | None]()
    settings = KernelSettings(linger_ns=30 * SECOND_NS, idle_close_ns=15 * SECOND_NS)

    def opened() -> Kernel:
        engine = Kernel(program(**options), settings, shelf.load)
        engine.expect([(ns, scope) for scope, ns in wakes.items() if ns is not None])
        return engine

    engine, found = opened(), []
    for given in inputs:
        found += engine.tick(given) if isinstance(given, int) else engine.step(given)
        if random is not None and random.random() < 0.3:
            changes, dropped = engine.take_changes()
            shelf.keep(changes, dropped)
            for scope in dropped:
                wakes.pop(scope, None)
            wakes |= {change.scope: change.wake_ns for change in changes}
            engine = opened() if random.random() < 0.5 else engine
    return found


def own(inputs: list[Input], principal: str) -> list[Input]:
    """What one principal said, what was said of it, and time."""
    return [
        given
        for given in inputs
        if isinstance(given, int)
        or given.principal == principal
        or (not given.principal and given.record.principal == principal)
    ]


def told(found: list[Finding], principal: str) -> list[Finding]:
    return [f for f in found if f.principal == principal and f.type not in OF_OTHERS]


def test_a_principals_sessions_are_judged_as_if_it_were_alone() -> None:
    """Whatever IDs, calls and names others choose, findings and their IDs are the same."""
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        random = Random(seed)
        inputs = draw(random, are_named=True)
        together = findings_of(inputs, random)
        for principal in PRINCIPALS:
            alone = findings_of(own(inputs, principal), None)
            assert told(together, principal) == told(alone, principal), f"seed {seed}, {principal}"


def test_restarts_and_batches_change_nothing_however_records_are_named() -> None:
    """Who used an ID, and who asked for what, is stored with the batch that showed it."""
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        random = Random(seed)
        inputs = draw(random, are_named=False)
        options = {"has_wider": random.random() < 0.5}
        whole = findings_of(inputs, None, **options)
        assert findings_of(inputs, random, **options) == whole, f"seed {seed}"


def test_a_record_of_an_operator_is_seen_in_one_trace_at_most() -> None:
    """An approval without a name is never two principals' approval."""
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        inputs = draw(Random(seed), are_named=False)
        engine = Kernel(program(), KernelSettings())
        for given in inputs:
            if isinstance(given, int):
                continue
            before = positions(engine)
            traces, found = engine.traces_of(given), engine.step(given)
            moved = [key for key, at in positions(engine).items() if at != before[key]]
            assert len(moved) <= 1, f"seed {seed}, {given.origin}"
            assert set(moved) <= set(traces)
            if len(traces) > 1:
                assert not moved
                assert {f.trace for f in found if f.type == "unowned"} == set(traces)
            if given.principal:
                assert traces == (TraceKey(given.principal, given.session),)


def positions(engine: Kernel) -> dict[TraceKey, int]:
    keys = [TraceKey(name, session) for name in ("", *PRINCIPALS) for session in SESSIONS]
    held = {key: engine.inspect(key) for key in keys}
    return {key: 0 if found is None else found[0].position for key, found in held.items()}
