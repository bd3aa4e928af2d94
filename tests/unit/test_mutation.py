"""Mutants of invariants: which there are, which are noticed, and what would notice the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from invariants.analysis.equivalence import mean_the_same
from invariants.analysis.event_domain import asked_by_predicates
from invariants.analysis.mutants import MUTANTS_MAX, mutants_of
from invariants.check import specs as check
from invariants.check.checked import CheckedSpec
from invariants.formula.format import format_clearly
from invariants.model.fact import Truth
from invariants.spec.example_text import example_lines
from invariants.spec.load import load_spec
from invariants.spec.model import Example, InvariantSpec
from invariants.taint.event_view import EventView
from monitor.authoring.examples import prepare_trial, run_examples
from monitor.authoring.files import read_specs
from monitor.authoring.mutation import Mutation, mutate
from monitor.authoring.packs import all_packs
from monitor.cli.__main__ import main
from tests.support.engines import make_invariant

FILE = """version: 1
predicates:
  a: kind == "a"
  b: kind == "b"
  c: kind.startsWith("c")
  d: kind.startsWith("d")
  p:
    when: kind == "p"
    with:
      v: args.v
      w: args.w
      n: number(args.n)
invariants:
  - id: i
    severity: info
    STATED
"""


def _loaded(stated: str) -> tuple[CheckedSpec, InvariantSpec]:
    (spec,), _ = check.read_specs([("a.yaml", FILE.replace("STATED", stated))])
    return spec, spec.invariants[0]


def _changes(stated: str) -> dict[str, str]:
    """What was changed, and the whole of what came of it."""
    spec, invariant = _loaded(stated)
    return {
        mutant.change.replace("`", ""): f"{mutant.invariant.form}: "
        f"{format_clearly(mutant.invariant.formula)}"
        for mutant in mutants_of(spec, invariant).found
    }


@pytest.mark.parametrize(
    ("stated", "change", "mutant"),
    [
        ("never: a and once b", "always for never", "always: a and once b"),
        ("never: a and once b", "dropped a", "never: once b"),
        ("never: a and once b", "dropped once b", "never: a"),
        ("never: a and once b", "dropped once", "never: a and b"),
        ("never: a and once b", "or for and", "never: a or once b"),
        ("never: a and once b", "historically for once", "never: a and historically b"),
        ("never: a and once b", "previous for once", "never: a and previous b"),
        ("never: a and once b", "not b for b", "never: a and once not b"),
        ("never: a and not once b", "dropped not before once b", "never: a and once b"),
        ("never: a or b", "and for or", "never: a and b"),
        ("never: a and once[10s] b", "once[20s] for once[10s]", "never: a and once[20s] b"),
        ("never: a and once[10s] b", "once[5s] for once[10s]", "never: a and once[5s] b"),
        ("never: a and once[10s] b", "once for once[10s]", "never: a and once b"),
        (
            "never: a and once[4s, 6s] b",
            "once[6s] for once[4s, 6s]",
            "never: a and once[6s] b",
        ),
        (
            "never: a and once[4s, 6s] b",
            "once[4s, 4s] for once[4s, 6s]",
            "never: a and once[4s, 4s] b",
        ),
        ("always: a implies once b", "and for implies", "always: a and once b"),
        ("always: a implies once b", "both sides of implies swapped", "always: once b implies a"),
        ("always: a implies once b", "dropped the condition a", "always: once b"),
        ("always: a implies eventually b", "once for eventually", "always: a implies once b"),
        ("always: a implies eventually b", "next for eventually", "always: a implies next b"),
        ("never: a iff b", "implies for iff", "never: a implies b"),
        ("never: a and ((not b) since b)", "dropped not b before since", "never: a and once b"),
        (
            "never: a and (a since b)",
            "both sides of since swapped",
            "never: a and (b since a)",
        ),
        ("always: count(b) <= 3", "count(b) <= 2 for count(b) <= 3", "always: count(b) <= 2"),
        ("always: count(b) <= 3", "count(b) <= 4 for count(b) <= 3", "always: count(b) <= 4"),
        (
            "always: sum(p.n)[1m] <= 3",
            "sum(p.n)[1m] < 3 for sum(p.n)[1m] <= 3",
            "always: sum(p.n)[1m] < 3",
        ),
        (
            "always: count(p(v=x))[1m] <= 3",
            "count(p(v=_))[1m] <= 3 for count(p(v=x))[1m] <= 3",
            "always: count(p(v=_))[1m] <= 3",
        ),
        (
            "never: p(v=x) and once p(v=x, w=1)",
            "p(v=x, w=_) for p(v=x, w=1)",
            "never: p(v=x) and once p(v=x, w=_)",
        ),
        (
            "never: p(v=x, w=y) and once p(v=x, w=y)",
            "p(v=y, w=x) for p(v=x, w=y)",
            "never: p(v=x, w=y) and once p(v=y, w=x)",
        ),
        (
            "never: p(n=x) and x > 3",
            "x >= 3 for x > 3",
            "never: p(n=x) and x >= 3",
        ),
        ("never: session_end and once a", "not session_end for session_end", None),
        ("pattern: {at_most: {event: b, times: 2}}", "count(b) <= 3 for count(b) <= 2", None),
    ],
)
def test_what_is_changed(stated: str, change: str, mutant: str | None) -> None:
    """Each sort of change is made, once, and the rest stays."""
    changes = _changes(stated)
    assert change in changes
    assert mutant is None or changes[change] == mutant


def test_what_the_language_forbids_is_no_mutant() -> None:
    """A mutant with an unbound variable, or the future below, would say nothing of examples."""
    told = _changes("never: p(v=x) and once p(v=x)")
    assert "dropped once" in told
    assert not any("historically" in mutant or "eventually" in mutant for mutant in told.values())
    assert "dropped p(v=x)" not in told  # `never: once p(v=x)` binds no x.
    assert not any(mutant.endswith("once not p(v=x)") for mutant in told.values())


def test_mutants_are_many_but_bounded() -> None:
    """A huge formula has no more than are tried, and that is said."""
    many = " and ".join(f'once[{n}s] p(v="{n}")' for n in range(1, 90))
    spec, invariant = _loaded(f"never: a and {many}")
    mutants = mutants_of(spec, invariant)
    assert 0 < len(mutants.found) <= MUTANTS_MAX and mutants.is_cut


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("a and b", "b and a", True),
        ("a and (b or not b)", "a", False),  # b may be unknown
        ("a and (a or b)", "a", True),
        ("not (a and once b)", "(not a) or not once b", True),
        ("a and once (a and b)", "a and once (b and a)", True),
        ("a and once b", "a and once[5s] b", False),
        ("a and count(b) < 3", "a and count(b) <= 2", True),
        ("a and sum(p.n) < 3", "a and sum(p.n) <= 2", False),
        ("p(v=x, w=y)", "p(v=y, w=x)", True),
        ("p(v=x, w=y) and once p(v=x, w=y)", "p(v=x, w=y) and once p(v=y, w=x)", False),
        ("p(v=x) and once a", "once a and p(v=x)", True),
        ("p(v=_)", "p", True),
        ("p(v=1)", "p", False),
        ("a and historically b", "a and not once not b", True),
        ("a and (exists x (p(v=x) and a))", "a and (exists x (a and p(v=x)))", True),
    ],
)
def test_what_provably_means_the_same(one: str, other: str, is_same: bool) -> None:
    """In three values, whatever the temporal parts are."""
    first, second = _loaded(f"never: {one}")[1], _loaded(f"never: {other}")[1]
    assert mean_the_same(first, second) is is_same


EXAMPLES = """never: a and once[10s] b
    examples:
      - events: [{kind: b}, {kind: a}]
        violated_at: [1]
      - events: [{kind: a}, {kind: b}]
        violated_at: []
"""


def _mutated(stated: str) -> Mutation:
    spec, invariant = _loaded(stated)
    return mutate(spec, invariant)


def test_what_survives_and_what_would_notice_it() -> None:
    """Each survivor has an example that fails for it and holds for the original."""
    spec, invariant = _loaded(EXAMPLES)
    mutation = mutate(spec, invariant)
    told = {survivor.mutant.change for survivor in mutation.survivors}
    assert "`once[20s]` for `once[10s]`" in told and "`once[5s]` for `once[10s]`" in told
    assert mutation.killed_count >= 5 and not mutation.is_passed
    for survivor in mutation.survivors:
        hint = survivor.hint
        assert hint is not None, survivor.mutant.change
        lines = example_lines("x", hint.events, hint.marks.violated_at, ())
        text = FILE.replace("STATED", EXAMPLES.rstrip() + "\n" + _indented(lines))
        (loaded,), _ = check.read_specs([("a.yaml", text)])
        assert all(result.is_passed for result in run_examples([loaded]))
        example: Example = loaded.invariants[0].examples[-1]
        assert prepare_trial(spec, [survivor.mutant.invariant]).problems(example) != [""]


def _indented(lines: list[str]) -> str:
    return "\n".join(f"      {line}" for line in lines) + "\n"


@pytest.mark.parametrize(
    ("stated", "change", "length"),
    [
        # Two sessions' worth of counting is found by repetition, a deadline by waiting.
        ("always: count(b)[10s] <= 7", "`count(b)[10s] <= 8` for `count(b)[10s] <= 7`", 8),
        ("always: count(b)[10s] <= 7", "`count(b)[5s] <= 7` for `count(b)[10s] <= 7`", 8),
        ("always: b implies eventually[10s] a", "`eventually[20s]` for `eventually[10s]`", 2),
        ("always: p(v=x) implies once p(v=x, w=1)", "`p(v=_, w=1)` for `p(v=x, w=1)`", 2),
    ],
)
def test_hints_are_short(stated: str, change: str, length: int) -> None:
    """The trace holds no event that is not needed."""
    examples = "\n    examples:\n      - events: [{kind: b}, {kind: p, args: {v: s, w: 1, n: 1}}]"
    mutation = _mutated(stated + examples + "\n        violated_at: []\n")
    found = {s.mutant.change: s.hint for s in mutation.survivors}
    hint = found.get(change)
    assert hint is not None, mutation
    assert len(hint.events) == length


def test_no_difference_is_found_where_there_is_none() -> None:
    """Some mutants mean the same by what the predicates say, and nobody can tell them apart."""
    stated = "never: c and not d\n    examples:\n      - {events: [{kind: c}], violated_at: [0]}\n"
    mutation = _mutated(stated)
    hintless = [s.mutant.change for s in mutation.survivors if s.hint is None]
    assert hintless == ["dropped `not d`"]
    assert mutation.same_count == 0


def test_predicates_of_different_kinds_are_never_both_true() -> None:
    """Then a part that asks for it can be dropped, and that is proven."""
    stated = "never: a and not b\n    examples:\n      - {events: [{kind: a}], violated_at: [0]}\n"
    mutation = _mutated(stated)
    assert mutation.same_count == 1
    assert "dropped `not b`" not in {s.mutant.change for s in mutation.survivors}


@pytest.mark.parametrize(
    ("examples", "problem"),
    [
        ("", "it has no examples, so every mutant survives"),
        (
            "    examples:\n      - {events: [{kind: a}], violated_at: []}\n",
            "its examples fail without a mutation; fix them first",
        ),
    ],
)
def test_what_cannot_be_tried(examples: str, problem: str) -> None:
    """Without examples that hold there is nothing to notice anything."""
    mutation = _mutated("never: a\n" + examples)
    assert mutation.problem == problem and not mutation.is_passed


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1 while a mutant survives, 0 when all were noticed; JSON holds the same."""
    file = tmp_path / "a.yaml"
    file.write_text(FILE.replace("STATED", EXAMPLES))
    assert main(["test", "--mutate", str(file)]) == 1
    told = capsys.readouterr().out
    assert f"{file}:16:18: survived: i: `once[20s]` for `once[10s]`" in told
    assert "  never: a and once[20s] b\n" in told and "- name: " in told
    assert main(["test", "--mutate", str(file), "--output", "json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["survived"][0]["invariant"] == "i"
    assert all(survivor["example"]["events"] for survivor in content["survived"])
    lines = [
        line
        for survivor in content["survived"]
        for line in example_lines("more", **survivor["example"])
    ]
    file.write_text(FILE.replace("STATED", EXAMPLES.rstrip() + "\n" + _indented(lines)))
    assert main(["test", "--mutate", str(file)]) == 0
    assert "0 survived" in capsys.readouterr().out
    assert main(["test", "--mutate", str(file), "--id", "nobody"]) == 1


def test_an_example_is_written_as_it_is_read() -> None:
    """Quotes where YAML would read something else, escapes where a text hides."""
    event = {"kind": "tool.requested", "text": "a: b #c", "args": {"x y": [1, 1.5, True, None]}}
    odd = {"kind": "null", "text": "\u202e\x00é\U000e0001\"'", "attributes": {"on": "1.0"}}
    lines = example_lines("it: is", [event, odd], [1, 0], [])
    text = FILE.replace("STATED", "never: a\n    examples:\n" + _indented(lines))
    spec, faults = load_spec(text, "a.yaml")
    assert spec is not None, faults
    (example,) = spec.invariants[0].examples
    assert example.name == "it: is" and example.violated_at == {0, 1}
    given = [
        {key: value for key, value in read.items() if key not in ("session", "ts", "seq")}
        for read in example.events
    ]
    assert given == [event, odd]


def test_outside_of_what_they_ask_for_predicates_are_false() -> None:
    """Not unknown, whatever else is wrong with the event: the proofs rest on it."""
    asking = 0
    for pack in all_packs():
        for spec in read_specs(pack.path):
            trial = prepare_trial(spec, spec.invariants)
            content = {"session": "s", "ts": 0, "seq": 0, "kind": "never.heard.of"}
            view = EventView(trial.event(0, content))
            for name, asked in asked_by_predicates(spec).items():
                if asked.kinds is not None:
                    asking += 1
                    assert trial.program.session.predicates[0][name].fact(view).truth == Truth.FALSE
    assert asking > 20


@pytest.mark.parametrize("pack", [pack.name for pack in all_packs()])
def test_the_examples_of_packs_notice_every_mutant(pack: str) -> None:
    """What is shipped is tested as it asks others to be."""
    for spec in read_specs(Path(f"pack:{pack}")):
        for invariant in spec.invariants:
            mutation = mutate(spec, invariant)
            survived = [survivor.mutant.change for survivor in mutation.survivors]
            assert mutation.is_passed, f"{invariant.id}: {mutation.problem}{survived}"


def test_deep_formulas_are_compared_in_bounded_time() -> None:
    """Each pair of parts is compared once, however deep they stand in each other."""
    deep = "b"
    for number in range(30):
        deep = f'(p(v="{number}") since {deep})'
    first, second = _loaded(f"never: a and {deep}")[1], _loaded(f"never: {deep} and a")[1]
    assert mean_the_same(first, second)


def test_a_different_answer_to_doubt_is_no_proof() -> None:
    """`on_unknown` decides what doubt is: two invariants that differ in it are not the same."""
    formula = _loaded("never: a")[1].formula
    assert not mean_the_same(
        make_invariant("never", formula, "report"), make_invariant("never", formula, "violate")
    )
