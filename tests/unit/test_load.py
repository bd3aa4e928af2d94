"""An invariant file becomes a `Spec`; its faults of shape are held by tests/golden."""

from typing import Any

import pytest

from invariants.check import specs as check
from invariants.model.errors import Place, SpecError
from invariants.spec.load import load_spec, read_spec
from invariants.spec.model import Example, Spec

HEAD = """\
version: 1
lists:
  hosts: ["*.corp.example", 8080, true, 1.5]
predicates:
  plain: kind == "a"   # a comment
  quoted: "kind == 'b'"
  always_true: true
  pay:
    when: >-
      kind == "tool.requested"
      && tool == "send_money"
    with:
      to: args.recipient
"""
TAIL = """\
invariants:
  - id: no-pay
    severity: critical
    on_unknown: violate
    summary: Nobody is paid twice
    mode: enforce
    fail: open
    per: session
    report: every
    respond: [kill, alert]
    never: |
      pay(to=x)
      and once[10m] plain
  - id: second
    severity: info
    always: "plain implies quoted"
"""


def _load(text: str) -> Spec:
    spec, faults = load_spec(text, "f.yaml")
    assert faults == []
    assert spec is not None
    return spec


def _example(events: str, more: str = "") -> Example:
    text = (
        "version: 1\npredicates:\n  p: kind == 'a'\ninvariants:\n  - id: a\n    severity: info\n"
        f"    never: p\n    examples:\n      - events: {events}\n{more}"
    )
    ((example,),) = [invariant.examples for invariant in _load(text).invariants]
    return example


def test_everything_written_is_kept() -> None:
    """Lists, predicates and invariants arrive with their values, defaults where none is written."""
    spec = _load(HEAD + TAIL)
    assert spec.file == "f.yaml"
    assert spec.lists == {"hosts": ("*.corp.example", 8080, True, 1.5)}
    texts = {predicate.name: predicate.when.text for predicate in spec.predicates}
    assert texts == {
        "plain": 'kind == "a"',
        "quoted": "kind == 'b'",
        "always_true": "true",
        "pay": 'kind == "tool.requested" && tool == "send_money"',
    }
    first, second = spec.invariants
    assert (first.id, first.severity, first.form) == ("no-pay", "critical", "never")
    assert (first.on_unknown, first.has_on_unknown) == ("violate", True)
    assert (first.mode, first.fail, first.respond) == ("enforce", "open", ("kill", "alert"))
    assert first.summary == "Nobody is paid twice"
    assert (second.form, second.on_unknown, second.has_on_unknown) == ("always", "report", False)
    assert (second.mode, second.fail, second.respond) == ("observe", "closed", ("alert",))
    assert second.examples == ()


def test_everything_has_its_place() -> None:
    """Names, expressions and formulas know their line and column."""
    spec = _load(HEAD + TAIL)
    plain, quoted, _, pay = spec.predicates
    assert (plain.place, plain.when.place) == (Place(5, 3), Place(5, 10))
    assert quoted.when.place == Place(6, 12)
    assert pay.when.place == Place(10, 7)
    assert pay.when.place_at(pay.when.text.index("tool ==")) == Place(11, 10)
    assert dict(pay.values)["to"].place == Place(13, 11)
    first, second = spec.invariants
    assert first.place == Place(15, 9)
    assert first.formula_source.place == Place(25, 7)
    assert first.formula.place == Place(26, 7)
    assert second.formula.place == Place(29, 20)


def test_lines_may_end_as_elsewhere() -> None:
    """CRLF changes no place and no text."""
    assert _load((HEAD + TAIL).replace("\n", "\r\n")) == _load(HEAD + TAIL)


@pytest.mark.parametrize("text", ["", "a: [", "version: 2", HEAD, HEAD + TAIL + "extra: 1\n"])
def test_a_faulty_file_gives_no_spec(text: str) -> None:
    """Only a file without an error is handed out; the rest of it is kept for more faults."""
    spec, faults = load_spec(text, "f.yaml")
    assert spec is None
    assert faults
    assert not read_spec(text, "f.yaml").is_whole


def test_a_comment_behind_whole_quotes_is_a_comment() -> None:
    """` #` cuts an expression off only where it stands inside the expression's own quotes."""
    line = 'plain: text == "it\'s" || text == "\\"'
    whole, faults = load_spec(HEAD.replace('plain: kind == "a"', f'{line}"') + TAIL, "f.yaml")
    assert whole is not None
    assert faults == []
    _, faults = load_spec(HEAD.replace('plain: kind == "a"', f"{line} #") + TAIL, "f.yaml")
    assert [fault.code for fault in faults] == ["E214"]


def test_faulty_predicates_are_remembered() -> None:
    """What was declared but could not be read is not called unknown later."""
    reading = read_spec(HEAD.replace("when: >-", "wenn: >-") + TAIL, "f.yaml")
    assert reading.predicates_refused == {"pay"}


def _events(events: str) -> list[dict[str, Any]]:
    return [dict(event) for event in _example(events).events]


def test_events_are_filled_in() -> None:
    """One session, one second apart from 0, positions of the session where neither id nor seq."""
    assert _events("[{kind: a}, {kind: b, id: x}, {kind: c, session: t}, {kind: d}]") == [
        {"session": "example", "ts": 0, "kind": "a", "seq": 0},
        {"session": "example", "ts": 1_000_000_000, "kind": "b", "id": "x"},
        {"session": "t", "ts": 2_000_000_000, "kind": "c", "seq": 0},
        {"session": "example", "ts": 3_000_000_000, "kind": "d", "seq": 1},
    ]


def test_what_is_written_wins() -> None:
    """A written time moves all later ones; a written seq is not given again."""
    first, second, third = _events(
        "[{kind: a, ts: 5000000000, seq: 7}, {kind: a}, {kind: a, ts: 1970-01-01T00:00:02.5+00:00}]"
    )
    assert (first["ts"], first["seq"]) == (5_000_000_000, 7)
    assert (second["ts"], second["seq"]) == (6_000_000_000, 8)
    assert (third["ts"], third["seq"]) == ("1970-01-01T00:00:02.5+00:00", 9)


def test_a_time_in_text_is_counted_on() -> None:
    """RFC 3339 is read to the nanosecond, in its zone, to place the next event."""
    _, second = _events("[{kind: a, ts: '1970-01-01T01:00:00.000000001+01:00'}, {kind: a}]")
    assert second["ts"] == 1_000_000_001


def test_values_of_events_are_json() -> None:
    """Null, empty texts, lists and maps are data in an event, and no empty values."""
    (event,) = _events("[{kind: a, args: {x: null, y: '', z: [], n: 010}, result: null}]")
    assert event["args"] == {"x": None, "y": "", "z": [], "n": 10}
    assert event["result"] is None


def test_verdicts_of_examples() -> None:
    """Positions are sets; an empty list and a missing one say nowhere."""
    more = "        violated_at: [0, 1]\n        inconclusive_at: []\n"
    example = _example("[{kind: a}, {kind: a}]", more)
    assert example.violated_at == {0, 1}
    assert not example.inconclusive_at
    assert example.name == "example 1"


def _times(*written: str) -> list[int | str]:
    events = "".join(f"          - {{kind: a{', ' if w else ''}{w}}}\n" for w in written)
    text = (
        "version: 1\npredicates: {p: kind == 'a'}\ninvariants:\n  - id: a\n    severity: info\n"
        f"    never: p\n    examples:\n      - events:\n{events}"
    )
    spec, faults = load_spec(text, "f.yaml")
    assert spec is not None, faults
    return [event["ts"] for event in spec.invariants[0].examples[0].events]


def test_times_of_examples() -> None:
    """`at` counts from the beginning, `after` from the event before, and nothing is a second."""
    second = 10**9
    assert _times("", "after: 5m", "at: 301s", "ts: 302s", "", "after: 0s") == [
        0,
        300 * second,
        301 * second,
        302 * second,
        303 * second,
        303 * second,
    ]
    assert _times("after: 2s", "at: 3s") == [2 * second, 3 * second]
    stated = "ts: '1970-01-01T00:01:00Z'"
    assert _times(stated, "at: 5s", "after: 1s") == [stated[5:-1], 65 * second, 66 * second]
    assert _times("ts: 7", "ts: 5", "at: 1ms") == [7, 5, 1_000_007]


EXPRESSIONS = (
    "args.x",
    "number(args.x)",
    "args.x == 'a'",
    "-1",
    "size(args.x) > 2 && args.y != 3",
    'glob("a,b", args.x)',
    'glob("a, m: b", args.x)',
    "args.x.replace('a', 'b, m: c')",
    "path_within(args.x, m: args.y)",
    'args["x"]',
    '["a", "b"]',
    '{"a": 1}',
    "has(args.x) ? 1 : 2",
    "'a # b'",
    'args.x == "a # b"',
    "'a, m: args.y'",
    "!has(args.x)",
    "args.x == '}'",
    "args.x == ', m: '",
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_flow_map_holds_an_expression_whole_or_is_refused(expression: str) -> None:
    """What YAML cuts is never taken for a shorter expression."""
    text = (
        f"version: 1\npredicates:\n  p:\n    when: kind == 'a'\n    with: {{n: {expression}}}\n"
        f"  q: {{when: kind == 'a', with: {{n: {expression}}}}}\n"
        "invariants:\n  - {id: a, severity: info, never: p and q}\n"
    )
    try:
        (spec,), _ = check.read_specs([("f.yaml", text)])
    except SpecError:
        return
    written = expression.strip("'") if expression.startswith("'") else expression
    for predicate in spec.predicates:
        assert [(name, source.text) for name, source in predicate.values] == [("n", written)]


def test_flow_maps_are_taken() -> None:
    """The short form that everybody writes first."""
    text = "version: 1\npredicates:\n  p: {when: kind == 'a', with: {n: args.x, m: 'f(1, 2)'}}\n"
    spec, _ = load_spec(text + "invariants:\n  - {id: a, severity: info, never: p}\n", "f.yaml")
    assert spec is not None
    values = [(name, source.text) for name, source in spec.predicates[0].values]
    assert values == [("n", "args.x"), ("m", "f(1, 2)")]
