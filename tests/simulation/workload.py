"""Agents, operators and attackers: sessions that write records, some of them wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from monitor.topics import APPROVALS, ENFORCEMENT, EVENTS
from tests.simulation.faults import Faults
from tests.simulation.outside import MS_NS, PRINCIPALS, RIVAL, SECOND_NS, TEAM, Outside
from tests.simulation.rooms import POISON
from tests.simulation.unreadable import write as unreadable_record

NAMES: Final = ("s-{}", "s-{} ü", 'quote" {}', "s/{}/closed/1", "{}" + "x" * 200)
VALUES: Final[tuple[Any, ...]] = (1, 2, 1, 2, "s", 0.5, -1, [1, 2], None, {})
PATHS: Final = ("/demo/.env", "/demo/customers.csv", "/demo/start.py", "/demo/audit.log")
URLS: Final = ("http://127.0.0.1/login", "http://127.0.0.2:8081/x", "http://a.example/login", "\\")
AGENTS: Final = ("bot", "bot", "agent:bot", "s-0")
USERS: Final = ("ann", "\u00fc/1", "ann#1")
TENANTS: Final = ("acme", "x" * 300)
OTHERS: Final = ("bot", "ann", "nobody")
PEOPLE: Final = ("Birch Paper", "Foxglove")

Content = dict[str, Any]


@dataclass(slots=True)
class Session:
    """One agent's session; `held` are records that will come out of order."""

    name: str
    topic: str
    partition: str
    wants: str
    """Whom operators mean who name a `principal`; `""` if they name none."""
    whose: Content
    """Its agent, user and tenant, as far as its records name them."""
    seq: int = 0
    is_over: bool = False
    last: list[tuple[str, bytes]] = field(default_factory=list)
    """(topic, record), all that was sent."""
    held: tuple[str, bytes] | None = None


class Workload:
    """`write` lets one session write its next record."""

    def __init__(self, outside: Outside, faults: Faults, random: Random, count: int) -> None:
        self._outside = outside
        self._faults = faults
        self._random = random
        self.sent_count = 0
        self.unnamed: set[str] = set()
        """Sessions of which operators or gates spoke without saying whose they mean."""
        self.sessions: list[Session] = []
        for number in range(count):
            name = random.choice(NAMES).format(number)
            partition = outside.partition_of(name)
            topic = random.choice((EVENTS, EVENTS, TEAM))
            wants = PRINCIPALS[topic] if random.random() < 0.7 else ""
            self.sessions.append(Session(name, topic, partition, wants, _whose(random)))
        self.impostors = [self._impostor(session) for session in self.sessions]
        """For each session another principal that uses its ID, if it ever comes to that."""

    def write(self) -> None:
        random, faults = self._random, self._faults
        place = random.randrange(len(self.sessions))
        session = self.sessions[place]
        if faults.strikes("another principal's session"):
            session = self.impostors[place]
        self.write_of(session)

    def write_of(self, session: Session, shape: str = "") -> None:
        """One record of this session, or what became of it; of any shape, or of this one."""
        random, faults = self._random, self._faults
        if session.is_over and not faults.strikes("event after the end"):
            return
        if faults.strikes("bad record"):
            self.write_unreadable(session, session.name)
            return
        if session.last and faults.strikes("record sent again"):
            self._send(session, *session.last[-1])
        if session.last and faults.strikes("record sent again much later"):
            self._send(session, *random.choice(session.last))
        if session.last and faults.strikes("record written in another way"):
            topic, value = random.choice(session.last)
            content = json.loads(value)
            backward = dict(reversed(content.items()))
            self._send(session, topic, json.dumps(backward, indent=1).encode())
        if session.last and faults.strikes("id in conflict"):
            topic, value = random.choice(session.last)
            content = json.loads(value) | {"text": f"other {random.random()}"}
            self._send(session, topic, json.dumps(content).encode())
        topic, content = self._next(session, shape)
        value = json.dumps(content).encode()
        if faults.strikes("record never sent"):
            return
        if session.held is None and faults.strikes("records out of order"):
            session.held = topic, value
            return
        session.last.append((topic, value))
        self._send(session, topic, value)
        if session.held is not None and random.random() < 0.5:
            held, session.held = session.held, None
            session.last.append(held)
            self._send(session, *held)

    def _send(self, session: Session, topic: str, value: bytes) -> None:
        partition = session.partition
        if self._faults.strikes("session on a foreign partition"):
            partition = self._random.choice(self._outside.partitions)
        self.sent_count += 1
        self._outside.append(topic, partition, session.name, value)

    def write_unreadable(self, session: Session, name: str) -> None:
        """A record of this session's writer that is not an event, under any name."""
        seq, topic = session.seq, session.topic
        if name == session.name and self._random.random() < 0.5:
            session.seq += 1
        if session in self.sessions and self._random.random() < 0.1:
            topic = APPROVALS  # An operator's.
            self.unnamed.add(name)
        value, unreadable = unreadable_record(self._random, name, seq)
        self.sent_count += 1
        partition = self._outside.partition_of(name)
        origin = self._outside.append(topic, partition, name, value)
        self._outside.unreadable[origin] = unreadable

    def _impostor(self, session: Session) -> Session:
        random = self._random
        others = [topic for topic in (RIVAL, RIVAL, RIVAL, *PRINCIPALS) if topic != session.topic]
        topic = random.choice(others)
        return Session(session.name, topic, session.partition, "", _whose(random))

    def _next(self, session: Session, shape: str) -> tuple[str, Content]:
        """The topic and content of what happens next."""
        random, faults = self._random, self._faults
        if not shape:
            shape = random.choices(list(SHAPES), [weight for weight, _ in SHAPES.values()])[0]
        content = {"session": session.name, **SHAPES[shape][1](random)}
        for scope, name in session.whose.items():
            # An agent may leave its names out, or give other ones, whenever it likes.
            if random.random() < 0.7:
                content[scope] = name if random.random() < 0.95 else random.choice(OTHERS)
        topic = session.topic
        if shape in ("granted", "denied"):
            topic = session.topic if faults.strikes("forged approval") else APPROVALS
        elif shape == "applied":
            topic = ENFORCEMENT
        elif faults.strikes("event that the engine fails on"):
            content["tool"] = POISON
        if random.random() < 0.02:
            content["kind"], session.is_over = "session.ended", True
        content["ts"] = self._time_ns()
        if topic == session.topic:
            if not faults.strikes("number given twice"):
                session.seq += 1
            content["seq"] = session.seq - 1
            if random.random() < 0.3 or session.seq == 0:
                content["id"] = f"{session.name}#{random.getrandbits(40)}"
            content["seq"] = max(content["seq"], 0)
        else:
            content["id"] = f"o-{random.getrandbits(60)}"
            if not session.wants:
                self.unnamed.add(session.name)
            else:
                content["principal"] = session.wants if random.random() < 0.95 else "nobody"
        return topic, content

    def _time_ns(self) -> int | str:
        random, now_ns = self._random, self._outside.true_ns
        if self._faults.strikes("producer's time is absurd"):
            return random.choice(
                (0, now_ns - 3_600 * SECOND_NS, now_ns + 90 * SECOND_NS, 2**63 - 1,
                 "2099-01-01T00:00:00Z")
            )  # fmt: skip
        return now_ns - random.choice((0, 0, 5, 400, 3_000)) * MS_NS


def _whose(random: Random) -> Content:
    names = {"agent": AGENTS, "user": USERS, "tenant": TENANTS}
    return {scope: random.choice(of) for scope, of in names.items() if random.random() < 0.8}


def _call(kind: str, tools: dict[str, Callable[[Random], Content]]) -> Callable[[Random], Content]:
    def draw(random: Random) -> Content:
        tool = random.choice(sorted(tools))
        call = f"c{random.randrange(3)}"
        return {"kind": kind, "tool": tool, "call": call, "args": tools[tool](random)}

    return draw


def _money(random: Random) -> Content:
    return {"recipient": random.choice(PEOPLE), "amount": random.choice((40, 40, "40", 90000))}


def _change(random: Random) -> Content:
    return {"service": "billing", "environment": random.choice(("production", "staging"))}


TOOLS: Final[dict[str, Callable[[Random], Content]]] = {
    "read_file": lambda random: {"path": random.choice(PATHS)},
    "write_file": lambda random: {"path": random.choice(PATHS)},
    "http.post": lambda random: {"url": random.choice(URLS)} if random.random() < 0.9 else {},
    "send_money": _money,
    "send_email": lambda random: {"to": random.choice(("a@customers.example", "x@y.example"))},
    "issue_refund": lambda random: {"amount": random.choice((10, 50, 150))},
    "deploy": _change,
    "run_tests": lambda random: {"path": "/demo"},
    "publish_release": lambda random: {"version": "1"},
}
RARE: Final[dict[str, Callable[[Random], Content]]] = {"wipe": lambda random: {}}
APPROVED: Final[dict[str, Callable[[Random], Content]]] = {"send_money": _money, "deploy": _change}


def _drawn_step(random: Random) -> Content:
    args: Content = {name: random.random() < 0.6 for name in "ab" if random.random() < 0.9}
    args |= {name: random.choice(VALUES) for name in "pqrs" if random.random() < 0.6}
    return {"kind": "sim.step", "args": args}


def _completed(random: Random) -> Content:
    return _call("tool.completed", TOOLS)(random) | {"result": {"exit": random.choice((0, 0, 1))}}


SHAPES: Final[dict[str, tuple[int, Callable[[Random], Content]]]] = {
    "requested": (25, _call("tool.requested", TOOLS)),
    "rare": (1, _call("tool.requested", RARE)),
    "completed": (15, _completed),
    "failed": (8, _call("tool.failed", TOOLS)),
    "asked": (4, _call("approval.requested", APPROVED)),
    "granted": (7, _call("approval.granted", APPROVED)),
    "denied": (2, _call("approval.denied", APPROVED)),
    "applied": (2, lambda random: {"kind": "control.applied"}),
    "said": (5, lambda random: {"kind": "message.user", "text": "hello"}),
    "step": (35, _drawn_step),
}
