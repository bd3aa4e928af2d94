"""Sessions that a gate guards: stream and gate find the same, whenever ticks come.

Drawn events of a gate, with the gate's times, arrive with drawn delays. The gate's own kernel is
ticked to each event's time before it. The stream's kernel is ticked at drawn moments that its
arrivals allow, across restarts, and among sessions without a gate.
"""

from __future__ import annotations

from collections import Counter
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
from monitor.ingest.provenance import Provenance
from monitor.kernel.evaluate import evaluate
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.topics import APPROVALS, EVENTS, GATE
from monitor.trace_key import principal_of
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.rim import SECOND_NS, START_NS
from tests.support.shelf import Shelf

CASES_HERE: Final = max(100, CASES // 3)
LATENESS_S: Final = 30
END_NS: Final = START_NS + 1_000 * SECOND_NS
TEXT: Final = """\
version: 1
predicates:
  a: kind == "a"
  b: kind == "b"
  asked:
    when: kind == "tool.requested"
    with:
      c: call
  granted:
    when: kind == "approval.granted"
    with:
      c: call
invariants:
  - {id: consent, severity: info, never: "asked(c=x) and not once[20s] granted(c=x)"}
  - {id: answered, severity: info, always: "asked(c=x) implies eventually[8s] granted(c=x)"}
  - {id: often, severity: info, always: "count(a)[10s] <= 2"}
  - {id: until, severity: info, always: "a implies (not b until[15s] granted(c=_))"}
  - {id: last, severity: info, never: "b and not once[3s] a"}
  - {id: whole, severity: info, per: agent, always: "a implies eventually[12s] b"}
  - {id: recent, severity: info, per: agent, never: "b and not once[9s] a"}
"""


@cache
def program(*, has_wider: bool) -> Program:
    text = TEXT if has_wider else TEXT[: TEXT.index("  - {id: whole")]
    return compile_program(read_specs([("gated.yaml", text)])[0])


class World:
    """A kernel, begun anew from what it stored now and then."""

    def __init__(self, gate_lateness_s: int, *, has_wider: bool = False) -> None:
        self._has_wider = has_wider
        self._settings = KernelSettings(
            linger_ns=40 * SECOND_NS,
            idle_close_ns=25 * SECOND_NS,
            gate_lateness_ns=gate_lateness_s * SECOND_NS,
        )
        self._shelf = Shelf()
        self._wakes: dict[str, int | None] = {}
        self.kernel = self._opened()
        self.found: list[Finding] = []

    def take(self, event: Event) -> None:
        self.found += evaluate(self.kernel, Provenance(), event, "").findings

    def tick(self, time_ns: int) -> None:
        self.found += self.kernel.tick(time_ns)

    def restart(self) -> None:
        changes, dropped = self.kernel.take_changes()
        self._shelf.keep(changes, dropped)
        for scope in dropped:
            self._wakes.pop(scope, None)
        self._wakes |= {change.scope: change.wake_ns for change in changes}
        self.kernel = self._opened()

    def _opened(self) -> Kernel:
        kernel = Kernel(program(has_wider=self._has_wider), self._settings, self._shelf.load)
        kernel.expect([(ns, scope) for scope, ns in self._wakes.items() if ns is not None])
        return kernel

    def told_of_gate(self, *, has_wider: bool = False) -> dict[str, Finding]:
        """Findings of sessions with a gate: when an idle one without ends depends on ticks.

        A wider scope that was forgotten reports its disorder again, if it comes again.
        """
        return {
            finding.id: finding
            for finding in self.found
            if finding.session != "free"
            and (has_wider or finding.scope_kind == "session")
            and "an earlier event of its agent" not in finding.detail
        }


def decoded(topic: str, offset: int, arrival_ns: int, **content: Any) -> Event:
    event = decode_event(
        msgspec.json.encode(content),
        Origin(topic, "0", offset),
        arrival_ns=arrival_ns,
        principal=principal_of(topic),
    )
    assert isinstance(event, Event)
    return event


def of_gate(random: Random, count: int) -> list[Event]:
    """Events as the gate took them in: their arrival is their time. Some gaps end sessions."""
    at_ns, events = START_NS, []
    sessions = random.choice((("s",), ("s", "t")))
    numbers: Counter[str] = Counter()
    for offset in range(count):
        at_ns += random.choice((0, 1, 400, 1_000, 3_000, 9_000, 30_000, 70_000)) * 1_000_000
        session = random.choice(sessions)
        kinds = ("a", "b", "tool.requested", "approval.granted", "session.ended")
        events.append(
            decoded(
                GATE,
                offset,
                at_ns,
                session=session,
                principal="bob",
                seq=numbers[session],
                ts=at_ns,
                kind=random.choices(kinds, (5, 4, 5, 4, 1))[0],
                call=random.choice("xy"),
                agent="bot",
            )
        )
        numbers[session] += 1
    return events


def late(random: Random, events: list[Event], delays_s: tuple[float, ...]) -> list[Event]:
    """The same, as they arrive on the stream: later, in their order."""
    arrival_ns, arrived = 0, []
    for event in events:
        delay_ns = int(random.choice(delays_s) * SECOND_NS)
        arrival_ns = max(arrival_ns, event.ts_ns + delay_ns)
        arrived.append(msgspec.structs.replace(event, arrival_ns=arrival_ns))
    return arrived


def is_in_time(events: list[Event]) -> bool:
    return all(
        event.arrival_ns is not None and event.arrival_ns - event.ts_ns <= LATENESS_S * SECOND_NS
        for event in events
    )


def others(random: Random) -> list[Event]:
    """Events of sessions without a gate, of the same principal and agent or of others."""
    events, at_ns = [], START_NS
    for offset in range(random.choice((0, 6, 12))):
        at_ns += random.choice((1, 4, 20)) * SECOND_NS
        events.append(
            decoded(
                f"{EVENTS}.{random.choice(('bob', 'alice'))}",
                offset,
                at_ns,
                session="free",
                id=f"free-{offset}",
                ts=at_ns,
                kind=random.choice("ab"),
                agent=random.choice(("bot", "other")),
            )
        )
    return events


def played(random: Random, world: World, events: list[Event]) -> None:
    """All events by their arrivals, with ticks and restarts wherever they may be."""
    reached_ns = START_NS
    for event in events:
        arrival_ns = event.arrival_ns
        assert arrival_ns is not None
        for _ in range(random.choice((0, 0, 1, 2))):
            world.tick(random.randint(min(reached_ns, arrival_ns), arrival_ns))
        if random.random() < 0.2:
            world.restart()
        world.take(event)
        if random.random() < 0.1:
            world.take(msgspec.structs.replace(event))  # At least once: a copy.
        reached_ns = arrival_ns
    world.tick(END_NS + 10_000 * SECOND_NS)


def test_gate_and_stream_find_the_same() -> None:
    """Whatever delays within the lateness, ticks, copies, restarts and neighbours there are."""
    told: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        random = Random(seed)
        events = of_gate(random, random.randint(3, 25))
        gate = World(0)
        for event in events:
            gate.tick(event.ts_ns)
            gate.take(event)
        gate.tick(END_NS + 10_000 * SECOND_NS)
        arrived = late(random, events, (0.0, 0.01, 2.0, 11.0, float(LATENESS_S)))
        if not is_in_time(arrived):
            continue
        free = others(random)
        stream = World(LATENESS_S)
        played(random, stream, sorted([*arrived, *free], key=lambda event: event.arrival_ns or 0))
        found = stream.told_of_gate()
        assert found == gate.told_of_gate(), seed
        told.update(finding.invariant or finding.type for finding in found.values())
    print(dict(told))
    assert {"consent", "answered", "often", "until", "last", "after_end"} <= told.keys()


def test_ticks_change_nothing_in_a_gated_session() -> None:
    """Also if events arrive too late, or come from elsewhere as well; and in a wider scope, if all
    its sessions have a gate (else its order is that of arrivals, docs/events.md).
    """
    told: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        random = Random(seed)
        delays_s = random.choice(((0.0, 5.0, 20.0), (0.0, 20.0, 50.0, 90.0)))
        arrived = late(random, of_gate(random, random.randint(3, 25)), delays_s)
        is_alone = random.random() < 0.3
        events = [*arrived] if is_alone else [*arrived, *others(random)]
        if not is_alone and random.random() < 0.5:
            events += elsewhere(random, arrived)
        events.sort(key=lambda event: event.arrival_ns or 0)
        worlds = [World(LATENESS_S, has_wider=seed % 2 == 0) for _ in range(2)]
        for world in worlds:
            played(random, world, events)
        one, other = (world.told_of_gate(has_wider=is_alone) for world in worlds)
        assert one == other, seed
        told.update(finding.invariant or finding.type for finding in one.values())
    print(dict(told))
    assert {"bypass", "misplaced", "disorder", "whole", "recent", "after_end"} <= told.keys()


def elsewhere(random: Random, arrived: list[Event]) -> list[Event]:
    """Records about the gate's sessions that the gate did not see."""
    events = []
    for offset, event in enumerate(random.sample(arrived, min(3, len(arrived)))):
        arrival_ns = event.arrival_ns
        assert arrival_ns is not None
        topic = random.choice((f"{EVENTS}.bob", f"{EVENTS}.bob", APPROVALS))
        events.append(
            decoded(
                topic,
                1_000 + offset,
                arrival_ns + random.choice((0, 3)) * SECOND_NS,
                session=event.session,
                principal="bob",
                id=f"elsewhere-{offset}",
                ts=arrival_ns,
                kind="approval.granted" if topic == APPROVALS else random.choice("ab"),
                call="x",
                agent="bot",
            )
        )
    return events
