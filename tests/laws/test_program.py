"""`ScopeProgram.step` is each of its automata stepped with its whole route, whatever it skips.

Programs of several invariants of random formulas, reports and scopes judge real events, with
values, lists, doubts, exhausted budgets, unsure times, births and ends. A failure names its seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest

from invariants.check.checked import CheckedSpec
from invariants.check.specs import read_specs
from invariants.codec.state import encode_state
from invariants.compile import lower as lowering
from invariants.compile.lower import FOLDED_NODES_MAX
from invariants.formula.format import format_formula
from invariants.image.compile import compile_program
from invariants.model.errors import SpecError
from invariants.model.event import Event, Origin
from invariants.model.limits import DEFAULT_LIMITS, Limits
from invariants.model.verdict import Binding, EventRef, Verdict
from invariants.operators.contract import Birth
from invariants.runtime import plan
from invariants.runtime.birth import born_progress
from invariants.runtime.program import Program
from invariants.runtime.report_mode import Covers
from invariants.runtime.scope_program import Judged, Progress, ScopeProgram
from invariants.runtime.unsure_time import TimeDoubt, step_at
from invariants.taint.event_view import EventView
from invariants.taint.memory import Shown
from monitor.ingest.decode import decode_event
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.formulas import SECOND_NS, choose_invariant
from tests.support.rim import START_NS

PROGRAMS = max(60, CASES // 10)
EVENTS_COUNT = 14
STEPS_FEW = 40
TIGHT = Limits(slices_max=1, window_entries_max=2, pending_max=2)
"""With all bindings: where they are cut, a folded formula may know what the whole one doubts."""
LISTS: tuple[list[Any], ...] = ([], [1], ["t", 2, 2], [1] * 20)
LONG_LISTS = (*LISTS, list(range(70)))
PREDICATES: dict[str, Any] = {
    "a": 'kind == "k" && args.a',
    "b": 'kind.startsWith("k") && tool == "t" && size(args.l) > 0',
    "p": {"when": "args.p", "with": {"v": "args.v"}},
    "q": {"when": 'kind == "k"', "with": {"v": "args.l"}},
    "r": {"when": 'tool == "t"', "with": {"v": "tool", "w": "args.v"}},
    "dear": 'kind == "k" && args.l.exists(x, args.l.exists(y, x == "none" && y == x))',
}


def draw_specs(random: Random, *, is_plain: bool) -> Sequence[CheckedSpec]:
    """Some invariants that load, of one file or of two."""
    files: list[list[dict[str, Any]]] = [[], []][: random.choice((1, 2))]
    for number in range(random.randint(2, 6)):
        future = ("next", "eventually", "always", "until") if random.random() < 0.4 else ()
        drawn = choose_invariant(random.choice, future=future)
        invariant = {
            "id": f"i{number}",
            "severity": "info",
            drawn.form: format_formula(drawn.formula),
            "on_unknown": "report" if is_plain else drawn.on_unknown,
            "report": "every" if is_plain else random.choice(("every", "first", "edge", "edge")),
            "per": random.choice(("session", "session", "agent")),
        }
        try:
            read_specs([("a.yaml", text_of([invariant]))])
        except SpecError:
            continue
        random.choice(files).append(invariant)
    files[0].append({"id": "dear", "severity": "info", "never": "dear and once a"})
    found = [(f"{n}.yaml", text_of(file)) for n, file in enumerate(files) if file]
    return read_specs(found)[0]


def draw_program(random: Random, *, is_plain: bool) -> Program:
    specs = draw_specs(random, is_plain=is_plain)
    return compile_program(specs, limits=random.choice((DEFAULT_LIMITS, TIGHT)))


def text_of(invariants: list[dict[str, Any]]) -> str:
    content = {"version": 1, "predicates": PREDICATES, "invariants": invariants}
    return msgspec.json.encode(content).decode()


def draw_event(random: Random, number: int, time_ns: int, lists: Sequence[list[Any]]) -> Event:
    kind = random.choice(("k", "k", "k", "k2", "other", "session.ended"))
    args: dict[str, Any] = {}
    for name in ("a", "p"):
        if random.random() < 0.9:
            args[name] = random.choice((True, True, False, False, 1))
    if random.random() < 0.9:
        args["v"] = random.choice((1, 2, "t", [1, 2], [], None))
    if random.random() < 0.9:
        args["l"] = random.choice(lists)
    content = {"session": "s", "seq": number, "ts": time_ns, "kind": kind}
    content |= {"args": args, "tool": random.choice(("t", "u", ""))}
    made = decode_event(msgspec.json.encode(content), Origin("t", "0", number))
    assert isinstance(made, Event)
    return msgspec.structs.replace(made, time_ns=time_ns)


def stepped_whole(
    program: ScopeProgram,
    progress: Progress,
    event: Event,
    asked: Shown | None = None,
    *,
    covers: Covers | None = None,
) -> Judged:
    """The definition: all facts of the event, and each automaton, with nothing left out."""
    assert covers is None, "no operator excepts anything here"
    made = program.plan(event.kind, event.record.tool)
    view = EventView(event)
    facts = made.facts(view)
    moments = [
        program._moment(number, made, progress.position, view, facts)
        for number in range(len(program.predicates))
    ]
    states, verdicts, lost = list(progress.states), list[tuple[int, Verdict]](), []
    for index, compiled in enumerate(program.invariants):
        old = states[index]
        states[index], found = compiled.automaton.step(old, moments[compiled.file_index])
        verdicts += [(index, verdict) for verdict in found]
        if plan.is_told(old.lost_count, states[index].lost_count):
            lost.append((index, states[index].lost_count))
    if view.steps_left < 0:
        verdicts = plan.doubted(verdicts, progress.position, made.steps_max)
        lost = [item for item in lost if all(item[0] != told for told, _ in verdicts)]
    after = program._progress(progress.position + 1, tuple(states), progress.shown)
    return Judged(after, tuple(verdicts), tuple(lost))


def shown(program: Program, time_ns: int, judged: Judged) -> Any:
    """All of it as data; the verdicts of an event without their order among invariants.

    Memories are shown by later verdicts alone: what an event is known to leave false is dropped
    with certainty where it is folded, and remains in doubt where it is not.
    """
    verdicts = sorted(judged.verdicts, key=lambda item: item[0])
    progress = judged.progress
    states = [
        encode_state(
            compiled.automaton, state._replace(cells=begun.cells, favourable=None), time_ns
        )
        for compiled, state, begun in zip(
            program.invariants, progress.states, program.initial.states, strict=True
        )
    ]
    return states, progress.position, progress.next_deadline_ns, verdicts, judged.lost


class Step(NamedTuple):
    """An event of a case: the result of the program, and that of the definition."""

    what: str
    program: Program
    time_ns: int
    judged: Judged
    whole: Judged


def steps_of(seed: int, counts: Counter[str], *, is_doubtful: bool) -> Iterator[Step]:
    """Each event of a case."""
    random = Random(seed)
    program = draw_program(random, is_plain=is_doubtful)
    for one in program.scopes:
        progress, whole, time_ns = one.initial, one.initial, START_NS
        for number in range(EVENTS_COUNT):
            time_ns += random.choice((0, 1, 1, 2)) * SECOND_NS
            event = draw_event(random, number, time_ns, LONG_LISTS if is_doubtful else LISTS)
            if random.random() < 0.05:
                unseen = {c.digest for c in one.invariants if random.random() < 0.5}
                birth = Birth(number - 1, time_ns)
                progress, _ = born_progress(one, progress, birth, unseen)
                whole, _ = born_progress(one, whole, birth, unseen)
                counts["births"] += 1
            doubt = None
            if random.random() < 0.1:
                doubt = TimeDoubt(time_ns - SECOND_NS, is_own=random.random() < 0.5)
                counts["unsure"] += 1
            judged = step_at(one, progress, event, doubt)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ScopeProgram, "step", stepped_whole)
                expected = step_at(one, whole, event, doubt)
            what = f"seed {seed}, event {number}, per {one.per}"
            yield Step(what, one, time_ns, judged, expected)
            progress, whole = judged.progress, expected.progress
            counts["verdicts"] += len(judged.verdicts)
            counts["exhausted"] += any("takes more than" in v.reason for _, v in judged.verdicts)
            counts["lost"] += len(judged.lost)
            counts["runs"] += any(v.run and v.run.count > 1 for _, v in judged.verdicts)
            counts["pending"] += judged.progress.is_waiting()


@pytest.mark.parametrize("folded_nodes_max", [FOLDED_NODES_MAX, 5], ids=["folded", "large"])
def test_skipping_changes_nothing(folded_nodes_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts, reports, deadlines and lost counts at every event."""
    monkeypatch.setattr(lowering, "FOLDED_NODES_MAX", folded_nodes_max)
    counts: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + PROGRAMS):
        for what, program, time_ns, judged, whole in steps_of(seed, counts, is_doubtful=False):
            one, other = (shown(program, time_ns, found) for found in (judged, whole))
            assert one == other, what
    print(dict(counts))
    assert all(counts[name] for name in ("births", "unsure", "verdicts", "runs", "lost", "pending"))


@pytest.mark.parametrize("steps_max", [plan.STEPS_MAX, STEPS_FEW], ids=["lists", "exhausted"])
def test_skipping_decides_only_doubts(steps_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where lists are too long, or budgets exhausted, at most a doubt of the whole is decided."""
    if steps_max == STEPS_FEW:
        monkeypatch.setattr(plan, "STEPS_MAX", steps_max)
        monkeypatch.setattr(plan, "STEPS_OF_PREDICATE", 10)
    counts: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + PROGRAMS):
        for what, _, _, judged, whole in steps_of(seed, counts, is_doubtful=True):
            found, expected = violated(judged), violated(whole)
            doubts = {(i, v.anchor) for i, v in whole.verdicts if v.kind == "inconclusive"}
            assert expected <= found, what
            assert {(i, anchor) for i, anchor, _ in found - expected} <= doubts, what
    print(dict(counts))
    assert counts["verdicts"], counts
    assert counts["exhausted"] or steps_max != STEPS_FEW, counts


def violated(judged: Judged) -> set[tuple[int, EventRef, Binding]]:
    return {(i, v.anchor, v.binding) for i, v in judged.verdicts if v.kind == "violated"}
