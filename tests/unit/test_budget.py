"""One budget of steps for each event, over all predicates; and plans that are forgotten."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import Any

import msgspec
import pytest

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.model.fact import Fact, Truth
from invariants.model.limits import STEPS_MAX, STEPS_OF_PREDICATE
from invariants.model.verdict import MISSING_BINDING
from invariants.runtime.plan import PLANS_MAX
from invariants.runtime.planning import Planner
from invariants.runtime.program import Program
from invariants.runtime.stepper import Stepper
from invariants.shell import commands as started
from invariants.taint.event_view import EventView
from monitor.ingest.decode import decode_event

GUARD = 'kind == "call" && '
# One for each way in which an agent's text or lists can grow an evaluation.
SORTS = (
    'args.text.contains("zzz")',
    'args.text.matches("z+$")',
    "entropy(args.text) > 100.0",
    'args.text.lowerAscii() == "z"',
    'args.text.replace("a", "bb") == "z"',
    "size(shell_words(args.text)) == 1",
    'path_within("/" + args.text, "/z")',
    'args.text.split("a").exists(w, w == "z")',
    "glob(args.pattern, args.text)",
    'glob_any(["*z", "?z", "z"], args.text)',
    'args.names.exists(n, named_any(["**z**", "**zz_**"], n))',
    "args.items.exists(x, args.items.exists(y, x + y == -1))",
    "args.items == args.others",
    'digest(args.items) == "z"',
    'args.items.map(x, args.text).exists(t, t.startsWith("z"))',
    'shell_commands(args.command).exists(c, c[0] == "z")',
)


def program_of(*predicates: str, count: int = 1) -> Program:
    """A file with an invariant for each predicate; or `count` such files."""
    lines = ["version: 1", "predicates:"]
    lines += [
        f"  p{i}: {msgspec.json.encode(GUARD + p).decode()}" for i, p in enumerate(predicates)
    ]
    lines += ["invariants:"]
    lines += [f"  - {{id: FILE-{i}, severity: info, never: p{i}}}" for i in range(len(predicates))]
    text = "\n".join(lines) + "\n"
    files = [(f"{n}.yaml", text.replace("FILE", f"f{n}")) for n in range(count)]
    specs, _ = read_specs(files)
    return compile_program(specs)


def event_of(kind: str = "call", **args: Any) -> Event:
    content = {"session": "s", "seq": 0, "ts": 0, "kind": kind, "args": args}
    made = decode_event(msgspec.json.encode(content), Origin("t", "0", 0))
    assert isinstance(made, Event)
    return made


def doubtful(program: Program, event: Event) -> set[str]:
    """Invariants that are in doubt about the event."""
    judged = program.session.step(program.session.initial, event)
    return {
        program.invariants[index].declared.id
        for index, verdict in judged.verdicts
        if verdict.kind == "inconclusive"
    }


def alone(program: Program, event: Event) -> tuple[list[Fact], list[int]]:
    """What each predicate says by itself, and takes, with more steps than it can need."""
    facts, taken = [], []
    for predicate in program.session.predicates[0].values():
        view = EventView(event)
        view.allot(10**9)
        facts.append(predicate.fact(view))
        taken.append(10**9 - view.steps_left)
    return facts, taken


@pytest.mark.parametrize("seed", range(40))
def test_a_budget_is_spent_by_the_sum(seed: int) -> None:
    """All is in doubt if what the predicates take alone is more than the budget; else nothing is
    that is not so by itself.
    """
    random = Random(seed)
    sorts = random.sample(SORTS, random.randint(1, 4))
    event = event_of(
        text="a" * random.randint(0, 60_000),
        pattern="*a" * random.randint(0, 20),
        names=["sZ" * random.randint(0, 500)] * random.randint(0, 30),
        items=list(range(random.randint(0, 300))),
        others=list(range(random.randint(299, 300))),
        command="{1..9} " * random.randint(0, 900),
    )
    program = program_of(*sorts)
    budget = STEPS_MAX + STEPS_OF_PREDICATE * len(sorts)
    facts, taken = alone(program, event)
    told = doubtful(program, event)
    if sum(taken) > budget:
        assert told == {f"f0-{i}" for i in range(len(sorts))}
    else:
        assert told == {f"f0-{i}" for i, fact in enumerate(facts) if fact.truth is Truth.UNKNOWN}


def test_the_order_of_predicates_decides_nothing() -> None:
    """A costly predicate first, last or between: each of the others is in doubt, or none is."""
    sorts = ("args.items.all(x, x >= 0)", "args.text == 'z'", "args.items.exists(x, x < 0)")
    just = event_of(items=list(range((STEPS_MAX + 3 * STEPS_OF_PREDICATE) // 6)), text="")
    more = event_of(items=list(range((STEPS_MAX + 3 * STEPS_OF_PREDICATE) // 6 + 1)), text="")
    for order in permutations(sorts):
        program = program_of(*order)
        assert doubtful(program, just) == set(), order
        assert doubtful(program, more) == {"f0-0", "f0-1", "f0-2"}, order


def test_the_budget_is_of_all_files() -> None:
    """What is too much for two files is in doubt in both, and each predicate brings steps."""
    sort = "args.items.all(x, x < 0 || x >= 0)"
    event = event_of(items=list(range(12_000)))
    _, (taken,) = alone(program_of(sort), event)
    assert taken < STEPS_MAX + STEPS_OF_PREDICATE < 2 * taken - STEPS_OF_PREDICATE
    assert doubtful(program_of(sort), event) == set()
    assert doubtful(program_of(sort, count=2), event) == {"f0-0", "f1-0"}


def test_kind_and_tool_stay_certain() -> None:
    """What they decide is judged as ever at an event whose budget is spent."""
    text = """\
version: 1
predicates:
  certain: kind == "call"
  other: kind == "else" && args.items.all(x, x > 0)
  doubtful: kind == "call" && args.items.all(x, args.items.all(y, x + y >= 0))
invariants:
  - {id: certain, severity: info, never: certain}
  - {id: both, severity: info, never: certain or doubtful}
  - {id: neither, severity: info, never: other}
  - {id: doubtful, severity: critical, on_unknown: violate, never: doubtful}
"""
    specs, _ = read_specs([("program.yaml", text)])
    program = compile_program(specs)
    judged = program.session.step(program.session.initial, event_of(items=list(range(1_000))))
    told = {program.invariants[i].declared.id: v for i, v in judged.verdicts}
    assert {name: verdict.kind for name, verdict in told.items()} == dict.fromkeys(
        ("certain", "both", "doubtful"), "violated"
    )
    assert told["doubtful"].is_escalated
    assert told["doubtful"].reason == "judging the event takes more than 115000 steps"
    assert not told["certain"].reason


def test_what_a_spent_event_names_is_not_known() -> None:
    """It can have been any value, also later: nothing that it could have said is denied."""
    text = """\
version: 1
predicates:
  pay:
    when: kind == "pay"
    with:
      to: args.to
  blocked:
    when: kind == "call" && args.items.all(x, args.items.all(y, true))
    with:
      to: args.to
invariants:
  - {id: blocked, severity: info, never: pay(to=x) and once blocked(to=x)}
"""
    specs, _ = read_specs([("program.yaml", text)])
    program = compile_program(specs)
    spent = program.session.step(
        program.session.initial, event_of(items=list(range(1_000)), to="Ann")
    )
    (verdict,) = [v for _, v in spent.verdicts]
    assert (verdict.kind, verdict.binding) == ("inconclusive", MISSING_BINDING)
    later = program.session.step(spent.progress, event_of("pay", to="Bob"))
    assert [v.kind for _, v in later.verdicts] == ["inconclusive"]


def test_a_text_is_parsed_once_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that cannot be parsed; and it is paid for once."""
    parsed: list[str] = []
    real = started.shell_commands

    def counted(line: Any, *rest: Any) -> Any:
        parsed.append(line)
        return real(line, *rest)

    monkeypatch.setattr(started, "shell_commands", counted)
    asks = [f'shell_commands(args.command).exists(c, c[0] == "z{i}")' for i in range(9)]
    program = program_of(*asks)
    for command in ("ls a b", "ls 'open", "a " * 3_000 + "'"):
        del parsed[:]
        doubt = doubtful(program, event_of(command=command))
        assert parsed == [command]
        assert len(doubt) == (9 if "'" in command else 0)


def test_each_word_that_braces_make_costs() -> None:
    """Beyond what its characters cost: where braces make it, and where it becomes an argument."""
    program = program_of('shell_commands(args.command).exists(c, c[0] == "z")')
    taken = [alone(program, event_of(command=c))[1][0] for c in ("echo 11111400", "echo {1..400}")]
    assert taken[1] - taken[0] >= 400 * 2 * 16


def test_braces_cost_what_they_make() -> None:
    """`{1..500} ` again and again is cut off, however many predicates ask."""
    asks = [f'shell_commands(args.command).exists(c, c[0] == "z{i}")' for i in range(9)]
    program = program_of(*asks)
    event = event_of(command="{1..500} " * 20_000)
    assert doubtful(program, event) == {f"f0-{i}" for i in range(9)}
    view = EventView(event)
    view.allot(program.session.plan("call", "").steps_max)
    program.session.predicates[0]["p0"].fact(view)
    # Cut within the word that was too much: a word makes 512 at most.
    assert -512 * 20 < view.steps_left < 0


@pytest.mark.parametrize("sort", ["emails(args.text) == ['z']", "urls(args.text) == ['z']"])
def test_a_sign_that_is_a_sentence_costs_one(sort: str) -> None:
    """U+FDFA costs as much as the 18 characters that are read in its place."""
    taken = [
        alone(program_of(sort), event_of(text=text))[1] for text in ("\ufdfa" * 160, "a" * 2880)
    ]
    assert taken[0] == taken[1] == [188]


@pytest.mark.parametrize(
    ("sort", "steps_of_text"),
    [
        ("emails(args.items) == ['z']", 8),
        ("urls(args.items) == ['z']", 8),
        ('seen(args.items, "page")', 16),
        ('only_from(args.items, "page")', 16),
        ('args.items.exists(x, seen(x, "page"))', 16),
    ],
)
def test_many_short_texts_cost_what_they_take(sort: str, steps_of_text: int) -> None:
    """90,000 addresses in one argument took 5.6 s and 90,000 steps."""
    text = f"""\
version: 1
sources:
  page: {{when: kind == "page", values: result}}
predicates:
  p0: {msgspec.json.encode(GUARD + sort).decode()}
invariants:
  - {{id: f0-0, severity: info, never: p0}}
"""
    program = compile_program(read_specs([("texts.yaml", text)])[0])
    view = EventView(event_of(items=[f"a{n}" for n in range(900)]), program.session.initial.shown)
    view.allot(10**9)
    program.session.predicates[0]["p0"].fact(view)
    assert 10**9 - view.steps_left >= 900 * steps_of_text


def test_plans_are_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """After any number of invented names a tool is planned once, and not at each event."""
    planned: list[None] = []
    real = Planner._plan

    def counted(self: Planner, kind: str, tool: str) -> Any:
        planned.append(None)
        return real(self, kind, tool)

    monkeypatch.setattr(Planner, "_plan", counted)
    program = program_of('args.text == "z"')
    for i in range(PLANS_MAX + 10):
        program.session.plan("call", f"junk{i}")
        program.session.plan("call", "used_all_the_time")
    assert len(planned) == PLANS_MAX + 11
    for _ in range(5):
        program.session.plan("call", "met_later")
    assert len(planned) == PLANS_MAX + 12
    program.session.plan("call", "used_all_the_time")
    program.session.plan("call", f"junk{PLANS_MAX + 9}")
    assert len(planned) == PLANS_MAX + 12
    program.session.plan("call", "junk0")
    assert len(planned) == PLANS_MAX + 13


def test_names_of_tools_that_agents_invent_share_their_routes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A route depends on what is known of the predicates, and few names differ in that."""
    routed: list[None] = []
    real = Stepper.route

    def counted(self: Stepper, *rest: Any, **named: Any) -> Any:
        routed.append(None)
        return real(self, *rest, **named)

    monkeypatch.setattr(Stepper, "route", counted)
    program = program_of('args.text == "z"')
    for i in range(100):
        program.session.plan("call", f"junk{i}")
    assert len(routed) == 1


def test_few_routes_of_large_formulas_are_remembered() -> None:
    """A folded copy for each event that differs would take gigabytes."""
    groups = [
        "(" + " and ".join(f"(p{j} or q)" for j in range(i, i + 10)) + ")" for i in (0, 10, 20, 30)
    ]
    predicates = {f"p{i}": f"{GUARD}has(args.x{i})" for i in range(40)}
    invariant = {"id": "i", "severity": "info", "never": " and ".join(groups)}
    content = {"version": 1, "predicates": predicates | {"q": f"{GUARD}has(args.q)"}}
    text = msgspec.json.encode(content | {"invariants": [invariant]}).decode()
    program = compile_program(read_specs([("large.yaml", text)])[0])
    for i in range(40):
        judged = program.session.step(program.session.initial, event_of(**{f"x{i}": 1}))
        assert not judged.verdicts
    assert program.session.step(program.session.initial, event_of(q=1)).verdicts
    assert program.session._planner._recent_routes.cache_info().currsize == 1
