"""Drawn requests to a real gate, and what the definition says of each of them.

A `Case` has invariants that load and acts of agents and operators, all drawn. `Played` lets a gate
answer them. `meant_answer` is the answer by the reference: it reads the gate's log as a trace, and
knows nothing of the kernel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from invariants.check.horizon import check_scope
from invariants.check.specs import read_specs
from invariants.formula.ast import (
    UNBOUNDED,
    Aggregate,
    AggregateComparison,
    Atom,
    Binary,
    Constant,
    Formula,
    Not,
    Temporal,
    Until,
    Variable,
    Window,
)
from invariants.formula.format import format_formula
from invariants.model.errors import SpecError
from invariants.model.fact import Fact, Truth
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import Binding
from invariants.reference import judge
from invariants.spec.model import InvariantSpec
from monitor.gate.wire import Answer, Ask, Opening, Revocation, Ruling, Telling, Told, Withdrawal
from monitor.principals.parse import parse_principals
from tests.support.engines import Letter, make_invariant, make_moment
from tests.support.excepting import ENTRY, ISSUER, RULES, excepted_in, exception
from tests.support.formulas import PREDICATES, SECOND_NS, choose_invariant, choose_run
from tests.support.gate import START_NS, GateHere

SESSIONS: Final = ("s-1", "s-2")
PRINCIPALS: Final = {"s-1": "bot", "s-2": "other"}
AGENT: Final = "agent"
APPROVER: Final = "ana"
PRINCIPALS_FILE: Final = f"""
versions:
  - version: 1
    since: 2026-01-01T00:00:00Z
    principals:
      bot: {{}}
      other: {{}}
      {APPROVER}: {{roles: [approver]}}
      ben: {{roles: [approver]}}
      {ISSUER}: {ENTRY}
    approvals: {{roles: [approver]}}
{RULES}"""
SIDES: Final[dict[str, str]] = {
    "every": "true",
    "requested": 'kind == "tool.requested"',
    "granted": 'kind == "approval.granted"',
    "by ana": f'kind == "approval.granted" && attributes.approver == "{APPROVER}"',
    "denied": 'kind == "tool.denied"',
    "completed": 'kind == "tool.completed"',
}
"""The events that a predicate is about; the rest of it is in their arguments."""
Said = dict[str, Any]
"""The arguments of a call: what each predicate says of it, if its event is one of its side."""
Record = dict[str, Any]
"""One line of a gate's log."""


class Act(NamedTuple):
    """Something that happens at a gate; `number` also names its request and its call."""

    number: int
    time_ns: int
    what: str
    session: str = SESSIONS[0]
    said: Said = {}  # noqa: RUF012 - never changed
    share: float = 0.0
    """Which of the held calls is meant, and how it is decided."""


@dataclass(frozen=True)
class Case:
    """`sides` are those of the predicates."""

    seed: int
    invariants: tuple[InvariantSpec, ...]
    sides: dict[str, str]
    acts: tuple[Act, ...]

    @property
    def text(self) -> str:
        """The file of its invariants."""
        return file_of(self.invariants, self.sides)

    def shown(self) -> str:
        """To read when a law fails, and to run again."""
        lines = [f"seed {self.seed}"]
        lines += [f"  {name}: {SIDES[side]}" for name, side in self.sides.items()]
        lines += [
            f"  {i.id} {i.form}: {format_formula(i.formula)} ({i.mode}, {i.report}, "
            f"on_unknown {i.on_unknown}, per {i.per})"
            for i in self.invariants
        ]
        return "\n".join([*lines, *(f"  {act}" for act in self.acts)])


def draw_case(seed: int) -> Case:
    """One to three invariants, and what happens in two sessions of one agent."""
    random = Random(seed)
    sides = {name: random.choice(("requested", "requested", *SIDES)) for name in PREDICATES}
    has_approvals = random.random() < 0.6
    if has_approvals:
        sides |= {name: random.choice(("every", "requested")) for name in "apr"}
        sides |= {name: random.choice(("granted", "by ana")) for name in "bq"}
    found: list[InvariantSpec] = []
    count = random.choice((1, 1, 2, 3))
    while len(found) < count:
        is_approval = has_approvals and not found
        drawn = _draw_invariant(random, f"i{len(found)}", is_approval=is_approval)
        try:
            read_specs([("asked.yaml", file_of([drawn], sides))])
        except SpecError:
            continue
        found.append(drawn)
    return Case(seed, tuple(found), sides, tuple(draw_acts(random)))


def _draw_invariant(random: Random, name: str, *, is_approval: bool) -> InvariantSpec:
    future = ("next", "eventually", "always", "until") if random.random() < 0.3 else ()
    drawn = choose_invariant(random.choice, future=future)
    if is_approval:
        drawn = make_invariant("never", _unapproved(random), drawn.on_unknown)
    reports: tuple[Any, ...] = ("every", "first", "first", "edge")
    drawn = replace(
        drawn,
        id=name,
        mode="enforce" if random.random() < 0.8 else "observe",
        report="every" if future else random.choice(reports),
        has_on_unknown=True,
    )
    wider = replace(drawn, per="agent")
    is_wider = random.random() < 0.3 and not any(check_scope(wider, "asked.yaml"))
    return wider if is_wider else drawn


def _unapproved(random: Random) -> Formula:
    """A call without something before it that an approval may be; `b` and `q` are about these."""
    x = (("v", Variable("x")),)
    asked: Formula = random.choice((Atom("a", ()), Atom("p", x), Atom("r", x)))
    about: tuple[Formula, ...] = (Atom("b", ()), Atom("q", ()))
    if asked != Atom("a", ()):
        about = (*about, Atom("q", x), Atom("q", x))
    given = random.choice(about)
    window = random.choice((UNBOUNDED, Window(0, 0), Window(0, 2 * SECOND_NS)))
    past: Formula = random.choice(
        (
            Temporal("once", window, given),
            Temporal("once", window, given),
            Temporal("previous", window, given),
            Until("since", window, Not(Atom("a", ())), given),
            AggregateComparison(Aggregate("count", Atom("b", ()), None, window), ">", Constant(0)),
        )
    )
    return Binary("and", asked, Not(past))


def draw_acts(random: Random) -> list[Act]:
    """Two runs at once: mostly requests, with outcomes, approvals, gaps and an end."""
    acts: list[Act] = []
    for session in SESSIONS[: random.choice((1, 2))]:
        for step in choose_run(random.choice, has_overflow=False):
            share = random.random()
            if isinstance(step, int):
                acts.append(Act(0, START_NS + step, "tick"))
                continue
            assert isinstance(step.letter, Letter)
            said = {name: written(fact) for name, fact in step.letter.items()}
            kinds = ("ask",) * 7 + ("tell", "tell") + (("end",) if step.is_session_end else ())
            what = random.choice(kinds)
            acts.append(Act(0, START_NS + step.time_ns, what, session, said, share))
            if random.random() < 0.4:
                gap_ns = random.choice((0, 0, 1, 10**9))
                at_ns = START_NS + step.time_ns + gap_ns
                acts.append(Act(0, at_ns, "rule", session, said, random.random()))
    acts += _draw_exceptions(random, acts)
    acts += [
        Act(0, act.time_ns, "withdraw", share=random.random())
        for act in acts
        if act.what == "ask" and random.random() < 0.05
    ]
    acts.sort(key=lambda act: act.time_ns)
    return [act._replace(number=number) for number, act in enumerate(acts)]


def _draw_exceptions(random: Random, acts: Sequence[Act]) -> list[Act]:
    """In some cases, an operator excepts invariants for a time, or all of them."""
    if random.random() < 0.6 or not acts:
        return []
    return [
        Act(
            0,
            random.choice(acts).time_ns,
            "except",
            random.choice(SESSIONS),
            {
                "invariant": random.choice(("i0", "i0", "i1", "i2", "")),
                "for_ns": random.choice((1, 2 * SECOND_NS, 600 * SECOND_NS)),
                "is_of_session": random.random() < 0.5,
                "is_revoked": random.random() < 0.2,
            },
        )
        for _ in range(random.choice((1, 1, 2, 4)))
    ]


def written(fact: Fact) -> dict[str, Any]:
    """A fact as JSON that its predicate reads back: what is not a truth value is unknown."""
    told: dict[str, Any] = {"is": True if fact.truth == Truth.TRUE else 1}
    for name in fact.values:
        said = fact.elements(name)
        assert said is not None, "too many to be written"
        elements = [*said, *([None] if name in fact.missing else [])]
        told[name] = elements[0] if len(elements) == 1 else elements
    return told


def file_of(invariants: Sequence[InvariantSpec], sides: dict[str, str]) -> str:
    """An invariant file, as JSON, which is YAML."""
    predicates: dict[str, Any] = {}
    for name, values in PREDICATES.items():
        when = f"{SIDES[sides[name]]} && has(args.{name}) && args.{name}.is"
        predicates[name] = {"when": when, "with": {v: f"args.{name}.{v}" for v in values}}
        if not values:
            predicates[name] = when
    content = {
        "version": 1,
        "predicates": predicates,
        "invariants": [
            {
                "id": one.id,
                "severity": "warning",
                "mode": one.mode,
                "on_unknown": one.on_unknown,
                "report": one.report,
                "per": one.per,
                one.form: format_formula(one.formula),
            }
            for one in invariants
        ],
    }
    return msgspec.json.encode(content).decode()


class Played:
    """A gate, and its answers to the acts of a case; `log` is the directory of another's log."""

    def __init__(self, folder: Path, case: Case, log: Path | None = None) -> None:
        folder.mkdir()
        if log is not None:
            (folder / "log").symlink_to(log)
        self.case = case
        principals = parse_principals(PRINCIPALS_FILE, "principals.yaml")
        self.here = GateHere(folder, case.text, principals, step_ns=0)
        self.ended: set[str] = set()
        self._meant: dict[int, str] = {}
        """The held call that an act decides, or the exception that it ends, also if done again."""

    def begin(self) -> None:
        """Both sessions are open, and name the agent."""
        for session in SESSIONS:
            self.here.gate.open(PRINCIPALS[session], Opening(session, agent=AGENT))

    def act(self, act: Act) -> Answer | None:
        """Let one act happen; the answer to a request, or to a call that was approved."""
        here, gate = self.here, self.here.gate
        here.clock.time_ns = max(here.clock.time_ns, act.time_ns)
        who, call = PRINCIPALS[act.session], f"c-{act.number}"
        if act.what == "tick":
            gate.tick()
        elif act.what == "rule":
            return self._rule(act)
        elif act.what == "withdraw":
            return self._withdraw(act)
        elif act.what == "except":
            self._except(act)
        elif act.session in self.ended:
            return None
        elif act.what == "ask":
            request = f"r-{act.number}"
            args = raw(act.said)
            return gate.ask(who, Ask(act.session, "tool", args, request=request, call=call))
        else:
            is_end = act.what == "end"
            kind = "session.ended" if is_end else "tool.completed"
            told = Told(kind, "tool", call, raw(act.said))
            gate.tell(who, Telling(act.session, [told], request=f"t-{act.number}"))
            self.ended |= {act.session} if is_end else set()
        return None

    def _except(self, act: Act) -> None:
        """An invariant is excepted, or all are, in one session or for everybody; or one is not any
        more.
        """
        gate, said = self.here.gate, act.said
        in_force = [one.id for one in gate.exceptions(ISSUER).exceptions]
        if said["is_revoked"]:
            meant = self._meant.setdefault(act.number, in_force[0] if in_force else "")
            if meant in in_force:
                gate.revoke(ISSUER, meant, Revocation())
            return
        if said["invariant"] not in ("", *(one.id for one in self.case.invariants)):
            return
        whom = {"principal": PRINCIPALS[act.session], "session": act.session}
        signed = exception(
            gate,
            act.number,
            self.here.clock.time_ns,
            said["for_ns"],
            said["invariant"],
            **(whom if said["is_of_session"] else {}),
        )
        if f"x-{act.number:032x}" not in in_force:  # It was taken, and then the gate was killed.
            gate.make_exception(ISSUER, signed)

    def _rule(self, act: Act) -> Answer | None:
        """One held call is granted, granted with other arguments, or refused."""
        held = self.here.gate.held(APPROVER)
        if not held:
            return None
        name = self._meant.setdefault(act.number, held[int(act.share * 997) % len(held)].id)
        operator = APPROVER if act.share < 0.8 else "ben"
        ruling = Ruling("deny" if act.share > 0.9 else "grant")
        if act.share < 0.15:
            ruling = Ruling("grant", args=raw(act.said))
        return self.here.gate.rule(operator, name, ruling)

    def _withdraw(self, act: Act) -> Answer | None:
        """The agent of one held call waits no longer."""
        held = [f"{one.session} {one.request}" for one in self.here.gate.held(APPROVER)]
        meant = held[int(act.share * 997) % len(held)] if held else ""
        session, _, request = self._meant.setdefault(act.number, meant).partition(" ")
        if not session:
            return None
        return self.here.gate.withdraw(PRINCIPALS[session], Withdrawal(session, request))

    def end(self) -> None:
        """Both sessions end, and one more of their agent, behind all windows."""
        here, gate = self.here, self.here.gate
        here.clock.time_ns += 3_600 * SECOND_NS
        gate.tick()
        gate.open("bot", Opening("s-3", agent=AGENT))
        for session in (*SESSIONS, "s-3"):
            if session not in self.ended:
                who = PRINCIPALS.get(session, "bot")
                gate.tell(who, Telling(session, [Told("session.ended")], request="end"))
                self.ended.add(session)

    def close(self) -> None:
        self.here.close()


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


# What the definition says.


def letter_of(sides: dict[str, str], kind: str, said: Said, approver: str | None) -> Letter:
    """What every predicate says of an event; `approver` None is one who is not known yet."""
    letter = Letter()
    for name, values in PREDICATES.items():
        truth = min(_of_side(sides[name], kind, approver), _said_truth(said.get(name)))
        if truth != Truth.FALSE:
            letter[name] = _fact(truth, said[name], values)
    return letter


def _of_side(side: str, kind: str, approver: str | None) -> Truth:
    if side == "every":
        return Truth.TRUE
    if side != "by ana":
        return _truth(kind == SIDES[side].split('"')[1])
    if kind != "approval.granted":
        return Truth.FALSE
    return Truth.UNKNOWN if approver is None else _truth(approver == APPROVER)


def _truth(is_true: bool) -> Truth:
    return Truth.TRUE if is_true else Truth.FALSE


def _said_truth(said: Any) -> Truth:
    if said is None:
        return Truth.FALSE
    return Truth.TRUE if said["is"] is True else Truth.UNKNOWN


def _fact(truth: Truth, said: Any, names: Sequence[str]) -> Fact:
    """A fact with the values that `written` has written."""
    values: dict[str, Any] = {}
    missing: set[str] = set()
    repeated: list[Any] = []
    for name in names:
        told = said[name]
        elements = told if isinstance(told, list) else [told]
        kept = tuple(one for one in elements if one is not None)
        values[name] = tuple(dict.fromkeys(kept))
        if len(kept) < len(elements) or not elements:
            missing.add(name)
        if kept != values[name]:
            repeated.append((name, kept))
    return Fact(truth, values, frozenset(missing), frozenset(), tuple(repeated))


def trace_of(case: Case, records: Sequence[Record], per: str, session: str) -> list[TracePoint]:
    """The records of a session, or of the agent, as the definition sees them."""
    own = [
        one
        for one in records
        if (one.get("agent") if per != "session" else one["session"] == session)
    ]
    return [
        make_moment(
            position,
            one["ts"] - START_NS,
            letter_of(
                case.sides,
                one["kind"],
                one.get("args", {}),
                one.get("attributes", {}).get("approver", ""),
            ),
            is_session_end=per == "session" and one["kind"] == "session.ended",
        )
        for position, one in enumerate(own)
    ]


class Meant(NamedTuple):
    """The answer to a request by the definition."""

    decision: str
    enforced: Counter[str]
    observed: Counter[str]


Keys = set[tuple[int, Binding]]


def meant_answer(
    case: Case, records: Sequence[Record], act_session: str, said: Said, time_ns: int
) -> Meant:
    """The answer to a request at a time, behind the records that the gate has taken in."""
    found: dict[str, Counter[str]] = {"enforce": Counter(), "observe": Counter()}
    is_helped = True
    excepted = excepted_in(records, PRINCIPALS.get(act_session, "bot"), act_session, time_ns)
    for one in case.invariants:
        if one.mode == "enforce" and not excepted.isdisjoint((one.id, "")):
            continue
        trace = trace_of(case, records, one.per, act_session)
        at = len(trace), time_ns - START_NS
        asked = letter_of(case.sides, "tool.requested", said, "")
        before = _violated(one, trace, at[1])
        without = _violated(one, [*trace, make_moment(*at, asked)], at[1]) - before
        found[one.mode][one.id] += len(without)
        if one.mode == "observe":
            continue
        granted = make_moment(*at, letter_of(case.sides, "approval.granted", said, None))
        alone = [*trace, make_moment(*at, asked)]
        behind = [*trace, granted, make_moment(at[0] + 1, at[1], asked)]
        doubted = {binding for _, binding in without - _certain(one, alone, at[1])}
        left = _violated(one, behind, at[1]) - before
        certain = _certain(one, behind, at[1])
        is_helped &= not any(key in certain or key[1] in doubted for key in left)
    enforced = +found["enforce"]
    decision = "allow" if not enforced else "hold" if is_helped else "deny"
    return Meant(decision, enforced, +found["observe"])


def _violated(invariant: InvariantSpec, trace: list[TracePoint], time_ns: int) -> Keys:
    """The anchors and bindings that violate it, once time has reached this."""
    told = judge(invariant, trace, ticked_to_ns=time_ns)
    return {key for key, kind in told.items() if kind == "violated"}


def _certain(invariant: InvariantSpec, trace: list[TracePoint], time_ns: int) -> Keys:
    """Those that do not rest on a doubt."""
    return _violated(replace(invariant, on_unknown="report"), trace, time_ns)
