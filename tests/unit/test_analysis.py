"""What `interlock check` says with `--deep`, `--bounds` and `--recording`, of known files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from invariants.analysis.bounds import bounds_of
from invariants.analysis.deep import analyse
from invariants.analysis.unused import unused_lists
from invariants.check.specs import read_specs
from invariants.model.limits import Limits
from monitor.authoring.files import default_pack_specs
from monitor.cli.__main__ import main
from monitor.cli.check_deep import trace_text

HEAD = """\
version: 1
predicates:
  pay:
    when: kind == "tool.requested" && tool == "pay"
    with:
      to: args.to
  ok:
    when: kind == "approval.granted"
    with:
      to: args.to
  egress: kind == "tool.requested" && tool == "post"
  secret: kind == "tool.completed"
  failed: kind == "tool.failed"
  slow: kind == "tool.failed" && args.ms > 10
invariants:
"""


def written(**formulas: str) -> str:
    lines = [f"  - {{id: {name}, severity: info, {f}}}\n" for name, f in formulas.items()]
    return HEAD + "".join(lines)


def answers(**formulas: str) -> tuple[dict[str, str], set[tuple[str, str, str]], dict[str, str]]:
    """The answer of each, of pairs, and the traces of both."""
    found = analyse(read_specs([("deep.yaml", written(**formulas))])[0])
    alone: dict[str, str] = {a.invariant.id: a.kind for a in found.alone}
    pairs: set[tuple[str, str, str]] = {
        (p.one.invariant.id, p.relation, p.other.invariant.id) for p in found.together
    }
    traces = {a.invariant.id: trace_text(a.trace) for a in found.alone}
    traces |= {
        f"{p.one.invariant.id} {p.other.invariant.id}": trace_text(p.trace) for p in found.together
    }
    return alone, pairs, traces


@pytest.mark.parametrize(
    ("formula", "expected", "trace"),
    [
        ('never: "egress"', "violable", "egress"),
        ('never: "egress and secret"', "never", ""),
        ('never: "egress and pay"', "never", ""),
        ('never: "failed and slow"', "violable", "failed and slow"),
        ('never: "egress and not egress"', "never", ""),
        ('never: "not (egress and not egress)"', "always", ""),
        ('always: "egress implies once egress"', "never", ""),
        ('always: "egress implies once[5s, 10s] egress"', "violable", "egress"),
        ('never: "count(failed)[1m] >= 2 and not once failed"', "never", ""),
        ('never: "once secret and not previous once secret and not secret"', "never", ""),
        ('never: "egress and once secret"', "violable", "secret; 1s later egress"),
        ('always: "pay(to=x) implies once ok(to=x)"', "violable", 'pay(to="a")'),
        ('always: "count(failed)[60s] <= 3"', "violable", "failed; 3 times, each 1s later failed"),
        (
            'always: "count(failed)[1s] <= 30"',
            "violable",
            "failed; 30 times, each 1ms later failed",
        ),
        ('always: "pay implies eventually[5m] failed"', "violable", 'pay(to="a")'),
        ('never: "pay and not eventually pay"', "never", ""),
        ('always: "count(failed)[60s] <= 3000"', "undecided", ""),
        ('never: "egress and not session_end"', "violable", "egress"),
    ],
)
def test_alone(formula: str, expected: str, trace: str) -> None:
    """Each answer, and a shortest trace where there is one."""
    alone, _, traces = answers(a=formula)
    assert (alone["a"], traces["a"]) == (expected, trace)


@pytest.mark.parametrize(
    ("one", "other", "relation", "trace"),
    [
        (
            'never: "egress and once[5m] secret"',
            'never: "egress and once[10m] secret"',
            "contained",
            "secret; 600s later egress",
        ),
        (
            'never: "secret and once[5s] egress"',
            'never: "secret and once egress"',
            "contained",
            "egress; 5s and 1ns later secret",
        ),
        ('never: "egress and secret"', 'never: "egress"', None, ""),
        (
            'always: "pay(to=x) implies once ok(to=x)"',
            'always: "pay(to=y) implies once[10m] ok(to=y)"',
            "contained",
            'ok(to="a"); 600s and 1ns later pay(to="a")',
        ),
        ('always: "egress implies once secret"', 'never: "egress and not once secret"', "same", ""),
        (
            'always: "egress implies once secret"',
            'never: "egress and once secret"',
            "contradict",
            "",
        ),
        (
            'always: "count(failed)[60s] <= 5"',
            'always: "count(failed)[60s] <= 3"',
            "contained",
            "failed; 3 times, each 1s later failed",
        ),
        ('always: "pay implies once ok"', 'never: "egress and once secret"', None, ""),
        ('never: "egress and previous secret"', 'never: "egress and once secret"', None, ""),
    ],
)
def test_together(one: str, other: str, relation: str | None, trace: str) -> None:
    """Windows, bounds, variables under other names; what cannot be proven is not said."""
    _, pairs, traces = answers(one=one, other=other)
    expected = set() if relation is None else {("one", relation, "other")}
    assert pairs == expected
    assert relation is None or traces["one other"] == trace


def test_of_different_scopes_nothing_holds_of_both() -> None:
    """An event may violate the one and not the other: they are about other events."""
    formula = 'never: "egress and once[1h] secret"'
    _, pairs, _ = answers(one=formula, other=f"per: tenant, {formula}")
    assert pairs == set()
    _, pairs, _ = answers(one=f"per: tenant, {formula}", other=f"per: tenant, {formula}")
    assert pairs == {("one", "same", "other")}


def test_predicates_of_two_files_are_one_where_they_are_the_same() -> None:
    """By what they say, and not by their names alone."""
    texts = [
        ("a.yaml", written(one='never: "egress and once[5m] secret"')),
        ("b.yaml", written(two='never: "egress and once secret"')),
        ("c.yaml", written(three='never: "egress"').replace('"post"', '"get"')),
    ]
    found = analyse(read_specs(texts)[0])
    pairs = {(p.one.invariant.id, p.relation, p.other.invariant.id) for p in found.together}
    assert pairs == {("one", "contained", "two")}
    assert trace_text(found.alone[2].trace) == "egress (c.yaml)"


def test_the_packs_have_nothing_wrong() -> None:
    """Each can be violated, and no two contradict each other."""
    found = analyse(default_pack_specs())
    assert {alone.kind for alone in found.alone} == {"violable"}
    assert not [pair for pair in found.together if pair.relation == "contradict"]


def test_lists_that_nothing_names() -> None:
    """Unless some expression finds its list at the event."""
    text = HEAD.replace("predicates:", "lists:\n  a: [x]\n  b: [y]\npredicates:")
    text = text.replace('tool == "post"', "tool in lists.a")
    text += "  - {id: i, severity: info, never: egress}\n"
    (spec,) = read_specs([("l.yaml", text)])[0]
    assert unused_lists(spec) == ["b"]


def test_bounds() -> None:
    """Every memory of every invariant, with the setting that bounds it."""
    text = written(
        a='always: "pay(to=x) implies once[10m] ok(to=x)"',
        b='never: "egress and once[5s, 10s] secret and previous failed"',
        c='always: "count(pay(to=x))[1m] <= 3"',
        d='always: "pay(to=x) implies eventually[1m] ok(to=x)"',
    )
    bounds = bounds_of(read_specs([("b.yaml", text)])[0], Limits(100, 50, 7))
    told = {(b.invariant, b.keeps): (b.bindings_max, b.entries_max) for b in bounds}
    assert told == {
        ("a", "times"): (100, 200),
        ("b", "times"): (1, 12),
        ("b", "the last two events"): (1, 2),
        ("c", "samples"): (100, 5_000),
        ("d", "pending verdicts"): (7, 7),
    }


def test_fields_that_no_event_carries(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt field is named with the one that is there; an optional one is not missed."""
    file, events = tmp_path / "f.yaml", tmp_path / "events.jsonl"
    file.write_text(
        HEAD.replace("to: args.to", "to: args.recipent", 1).replace(
            "args.ms > 10", "has(args.ms) && args.ms > 10"
        )
        + '  - {id: i, severity: info, never: "pay(to=x) and once ok(to=x) and not slow"}\n'
    )
    lines = [
        {"kind": "tool.requested", "tool": "pay", "args": {"recipient": "a"}},
        {"kind": "tool.failed", "tool": "pay", "args": {}},
        {"kind": "tool.requested", "tool": "post", "args": {"url": "b"}},
    ]
    base = {"session": "s", "ts": 1}
    events.write_text(
        "".join(json.dumps(base | {"seq": n} | e) + "\n" for n, e in enumerate(lines))
    )
    assert main(["check", str(file), "--recording", str(events)]) == 0
    shown = capsys.readouterr().out
    assert "`pay` reads `args.recipent`, which none of its 1 events has; " in shown
    assert "did you mean `args.recipient`?" in shown
    assert "`ok`: no event of the recording has the kinds and tools that it requires" in shown
    assert "args.ms" not in shown


def test_fields_that_are_left_out_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are unknown at every event, and so said; what a session stated first is there."""
    file, events = tmp_path / "f.yaml", tmp_path / "events.jsonl"
    file.write_text("""version: 1
predicates:
  ours: kind == "tool.requested" && agent == "bot"
  theirs: kind == "tool.requested" && tenant == "acme" && [user].exists(c, c == "x")
  asked: kind == "tool.requested" && present(user) && user == "ann"
  sent: kind == "tool.requested" && principal != "p"
invariants:
  - {id: i, severity: info, never: ours or theirs or asked or sent}
""")
    lines = [{"kind": "session.started", "agent": "bot", "tenant": ""}, {"kind": "tool.requested"}]
    base = {"session": "s", "ts": 1}
    events.write_text(
        "".join(json.dumps(base | {"seq": n} | e) + "\n" for n, e in enumerate(lines))
    )
    assert main(["check", str(file), "--recording", str(events)]) == 0
    shown = capsys.readouterr().out
    assert "`theirs` reads `tenant`, which none of its 1 events has\n" in shown
    assert "`theirs` reads `user`" in shown and "`sent` reads `principal`" in shown
    assert "`ours`" not in shown and "`asked`" not in shown and "call" not in shown


def test_the_verb_ends_with_1_where_something_is_surely_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says all of it in JSON too."""
    file = tmp_path / "d.yaml"
    file.write_text(written(a='never: "egress and secret"', b='never: "egress"'))
    assert main(["check", str(file)]) == 0
    assert main(["check", "--deep", str(file)]) == 1
    assert "a can never be violated" in capsys.readouterr().out
    assert main(["check", "--deep", "--bounds", "--output", "json", str(file)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [record["answer"] for record in told["deep"]] == ["never", "violable"]
    assert told["deep"][1]["trace"] == [{"event": "egress", "after_ns": 0}]
    assert told["bounds"] == []
    file.write_text("version: 1\n")
    assert main(["check", "--deep", str(file)]) == 2
