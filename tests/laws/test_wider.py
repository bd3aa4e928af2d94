"""Scopes wider than a session: events of many sessions are one trace, and nothing else counts.

Drawn runs become the events of several agents; each run is cut into several sessions, which are
given in the order of the run, with the other agents' between them. What is found of an agent is
what the definition says of its run, whichever session an event came from, wherever batches were
split, and however often an engine began anew from what was stored.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import msgspec

from invariants.check.horizon import check_scope
from invariants.formula.format import format_formula
from invariants.model.event import Event, Origin
from invariants.model.trace_point import TracePoint
from invariants.spec.model import InvariantSpec
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from tests.laws.census import Census, Run
from tests.laws.conftest import CASES, FIRST_SEED
from tests.laws.test_sessions import Input, findings_of, meant, program_of, written
from tests.support.engines import Letter
from tests.support.formulas import choose_run
from tests.support.rim import START_NS

SESSIONS = ("one", "two", "three")


def test_events_of_many_sessions_are_one_trace(census: Census) -> None:
    """Whole runs, in batches split anywhere, across restarts; as the definition says."""
    for seed, drawn, run in census.cases(CASES, FIRST_SEED, is_fit=is_fit):
        random = Random(seed)
        invariant = replace(drawn, per="agent")
        runs = {"ann": without_end(run)}
        if random.random() < 0.5:
            runs["bob"] = without_end(choose_run(random.choice, has_overflow=False))
        inputs = interleaved(runs, random)
        places = {name: places_of(name, inputs) for name in runs}
        told = findings_of(program_of(invariant), inputs, random)
        what = f"seed {seed}, {invariant.form}: {format_formula(invariant.formula)}"
        for name, own in runs.items():
            found = [f for f in told if f.type in ("violated", "inconclusive") and f.scope == name]
            assert all(f.scope_kind == "agent" for f in found), what
            verdicts = {key(f, places[name]) for f in found}
            assert len(verdicts) == len(found), f"told twice: {what}"
            assert verdicts == meant(drawn, own, inputs), what


def is_fit(invariant: InvariantSpec) -> bool:
    """Whether it can be said of a scope without end."""
    return not any(check_scope(replace(invariant, per="agent"), "law.yaml"))


def without_end(run: Run) -> Run:
    """A scope that is wider than a session does not end with one."""
    return [s._replace(is_session_end=False) if isinstance(s, TracePoint) else s for s in run]


def interleaved(runs: dict[str, Run], random: Random) -> list[Input]:
    """All events and ticks by time, each event from some session of its agent."""
    ordered: list[tuple[int, bool, float, Input]] = []
    for agent, run in runs.items():
        shares = sorted(random.random() for _ in run)
        for step, share in zip(run, shares, strict=True):
            if isinstance(step, int):
                ordered.append((step, False, share, START_NS + step))
                continue
            session = f"{agent} {random.choice(SESSIONS)}"
            ordered.append((step.time_ns, True, share, event_of(agent, session, step, random)))
    return [given for *_, given in sorted(ordered, key=lambda item: item[:3])]


def event_of(agent: str, session: str, moment: TracePoint, random: Random) -> Event:
    """An event that carries what every predicate says of it; ids repeat in other sessions."""
    assert isinstance(moment.letter, Letter)
    content = {
        "session": session,
        "id": str(moment.position),
        "agent": agent,
        "ts": START_NS + moment.time_ns,
        "kind": random.choice(("step", "session.ended")),
        "args": {name: written(fact) for name, fact in moment.letter.items()},
    }
    event = decode_event(msgspec.json.encode(content), Origin("t", "0", moment.position))
    assert isinstance(event, Event)
    return event


def places_of(agent: str, inputs: list[Input]) -> dict[tuple[str, str], int]:
    """Where each event of an agent stands in its trace."""
    own = [g for g in inputs if isinstance(g, Event) and g.record.agent == agent]
    return {(event.session, event.id): place for place, event in enumerate(own)}


def key(finding: Finding, places: dict[tuple[str, str], int]) -> tuple[int, str, str]:
    """Anchor and binding, and which of the two it is."""
    assert finding.anchor.session == finding.session
    place = places[finding.session, finding.anchor.id]
    return place, str(finding.binding), str(finding.type)
