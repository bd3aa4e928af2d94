"""From bytes to findings: sessions do not touch each other, and neither do batches.

Drawn invariants are compiled with real predicates, drawn runs become real events of several
sessions. What is found of each is what is found of it alone, whatever came between, wherever
batches were split, and however often an engine began anew from what was stored.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import msgspec

from invariants.check.specs import RefusedNames, check_specs
from invariants.formula.format import format_formula
from invariants.image.compile import compile_program
from invariants.model.errors import Place
from invariants.model.event import Event, Origin
from invariants.model.fact import Fact, Truth, Value
from invariants.model.source_text import SourceText
from invariants.model.trace_point import TracePoint
from invariants.runtime.program import Program
from invariants.spec.model import InvariantSpec, PredicateSpec, Spec
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.kernel.build_finding import show_binding
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from tests.laws.census import Census, Run
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.engines import Letter, final_verdicts
from tests.support.formulas import PREDICATES, choose_run
from tests.support.rim import START_NS
from tests.support.shelf import Shelf

SETTINGS = KernelSettings(trust_ts=True, linger_ns=10**18)
Input = Event | int


def test_a_session_is_judged_as_if_it_were_alone(census: Census) -> None:
    """With the ticks of all, in batches split anywhere, across restarts; and as the definition."""
    for seed, invariant, run in census.cases(CASES, FIRST_SEED):
        random = Random(seed)
        program = program_of(invariant)
        runs = {"one": run}
        for name in ("two", "three")[: random.choice((0, 1, 1, 2))]:
            runs[name] = choose_run(random.choice, has_overflow=False)
        inputs = interleaved(runs, random)
        together = findings_of(program, inputs, random)
        what = f"seed {seed}, {invariant.form}: {format_formula(invariant.formula)}"
        for name, own in runs.items():
            alone = [given for given in inputs if isinstance(given, int) or given.session == name]
            told = findings_of(program, alone, None)
            assert [f for f in together if f.session == name] == told, what
            verdicts = {key(f) for f in told if f.type in ("violated", "inconclusive")}
            assert verdicts == meant(invariant, own, inputs), what


def findings_of(program: Program, inputs: list[Input], random: Random | None) -> list[Finding]:
    """What an engine finds; with `random`, in batches, after some of which it begins anew."""
    shelf = Shelf()
    engine = Kernel(program, SETTINGS, shelf.load)
    wakes: list[tuple[int, str]] = []
    found: list[Finding] = []
    for given in inputs:
        found += engine.tick(given) if isinstance(given, int) else engine.step(given)
        if random is not None and random.random() < 0.3:
            changes, dropped = engine.take_changes()
            shelf.keep(changes, dropped)
            changed = {change.scope for change in changes}
            wakes = [(due_ns, name) for due_ns, name in wakes if name not in changed]
            wakes += [(c.wake_ns, c.scope) for c in changes if c.wake_ns is not None]
            if random.random() < 0.5:
                engine = Kernel(program, SETTINGS, shelf.load)
                engine.expect(wakes)
    return found


def interleaved(runs: dict[str, Run], random: Random) -> list[Input]:
    """All events and ticks by time; at one time ticks come first, and sessions in any order."""
    ordered: list[tuple[int, bool, float, Input]] = []
    for name, run in runs.items():
        shares = sorted(random.random() for _ in run)
        for step, share in zip(run, shares, strict=True):
            if isinstance(step, TracePoint):
                ordered.append((step.time_ns, True, share, event_of(name, step)))
            else:
                ordered.append((step, False, share, START_NS + step))
    return [given for *_, given in sorted(ordered, key=lambda item: item[:3])]


def event_of(session: str, moment: TracePoint) -> Event:
    """An event that carries what every predicate says of it."""
    assert isinstance(moment.letter, Letter)
    content = {
        "session": session,
        "seq": moment.position,
        "ts": START_NS + moment.time_ns,
        "kind": "session.ended" if moment.is_session_end else "step",
        "args": {name: written(fact) for name, fact in moment.letter.items()},
    }
    origin = Origin("t", "0", moment.position)
    event = decode_event(msgspec.json.encode(content), origin)
    assert isinstance(event, Event)
    return event


def written(fact: Fact) -> dict[str, Any]:
    """A fact as JSON that its predicate reads back: what is not a truth value is unknown."""
    told: dict[str, Any] = {"is": True if fact.truth == Truth.TRUE else 1}
    for name in fact.values:
        said = fact.elements(name)
        assert said is not None, "too many to be written"
        elements: list[Value | None] = [*said, *([None] if name in fact.missing else [])]
        told[name] = elements[0] if len(elements) == 1 else elements
    return told


def program_of(invariant: InvariantSpec) -> Program:
    """The one invariant, over predicates of which an event says itself what they say."""
    spec = Spec("law.yaml", predicates=predicates(), invariants=(invariant,))
    return compile_program(check_specs([(spec, RefusedNames())]).specs)


@cache
def predicates() -> tuple[PredicateSpec, ...]:
    """`p`: whether `args.p.is`, with `args.p.v`."""
    return tuple(
        PredicateSpec(
            name,
            SourceText(f"has(args.{name}) && args.{name}.is", Place()),
            tuple((value, SourceText(f"args.{name}.{value}", Place())) for value in values),
            Place(),
        )
        for name, values in PREDICATES.items()
    )


def meant(invariant: InvariantSpec, run: Run, inputs: list[Input]) -> set[tuple[int, str, str]]:
    """By the reference: what is found of a run, with the ticks that came to all sessions."""
    ticks = [given - START_NS for given in inputs if isinstance(given, int)]
    steps: list[TracePoint | int] = [
        *(step for step in run if isinstance(step, TracePoint)),
        *ticks,
    ]
    told = final_verdicts("reference", invariant, steps)
    return {
        (position, str(show_binding(binding)), kind)
        for (position, binding), kind in told.items()
        if kind in ("violated", "inconclusive")
    }


def key(finding: Finding) -> tuple[int, str, str]:
    """Anchor and binding, and which of the two it is."""
    assert finding.anchor is not None
    return finding.anchor.position, str(finding.binding), str(finding.type)
