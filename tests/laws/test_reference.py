"""The reference, and the machine, against values computed by hand where the cases do not reach."""

from __future__ import annotations

import pytest

from invariants.formula.parser import parse_formula
from invariants.model.fact import Fact, Truth
from invariants.reference import judge
from tests.support.cases import parse_case, show_verdicts
from tests.support.engines import Kernel, final_verdicts, make_invariant, make_moment

BOTH_ENGINES = pytest.mark.parametrize("engine", ["reference", "machine"])

SECOND_NS = 1_000_000_000
TRUTHS = {"f": Truth.FALSE, "u": Truth.UNKNOWN, "t": Truth.TRUE}
KINDS = {"f": "holds", "u": "inconclusive", "t": "violated"}


def truth_letter(engine: Kernel, formula: str, **predicates: str) -> str:
    """f, u or t: the value of a formula at one event, as the verdict of `never: formula` tells.

    `not not` keeps an atom from being a trigger of its own.
    """
    facts = {name: Fact(TRUTHS[letter], {}) for name, letter in predicates.items()}
    invariant = make_invariant("never", parse_formula(formula))
    told = final_verdicts(engine, invariant, [make_moment(0, 0, facts)])
    kind = told.get((0, ()), "holds")
    return {kind: letter for letter, kind in KINDS.items()}[kind]


@BOTH_ENGINES
@pytest.mark.parametrize(
    ("operator", "table"),
    [
        ("and", "fff fuu fut"),
        ("or", "fut uut ttt"),
        ("implies", "ttt uut fut"),
        ("iff", "tuf uuu fut"),
    ],
)
def test_connectives_are_kleenes(engine: Kernel, operator: str, table: str) -> None:
    """Rows are the left value f, u, t; columns the right one."""
    rows = [
        "".join(truth_letter(engine, f"a {operator} b", a=left, b=right) for right in "fut")
        for left in "fut"
    ]
    assert " ".join(rows) == table


@BOTH_ENGINES
def test_negation_is_kleenes(engine: Kernel) -> None:
    """`not unknown` is unknown."""
    assert "".join(truth_letter(engine, "not a", a=value) for value in "fut") == "tuf"


def test_an_empty_trace_has_no_verdicts() -> None:
    """Not even of an invariant that every event would violate."""
    assert judge(make_invariant("never", parse_formula("not a")), []) == {}


def test_judging_keeps_nothing() -> None:
    """Judging a trace, then a shorter one, gives what the shorter one alone gives."""
    invariant = make_invariant("always", parse_formula("a implies eventually[1s] b"))
    fact = Fact(Truth.TRUE, {})
    trace = [make_moment(0, 0, {"a": fact}), make_moment(1, 0, {"b": fact})]
    assert judge(invariant, trace) == {(0, ()): "holds"}
    assert judge(invariant, trace[:1]) == {(0, ()): "pending"}


def test_a_tick_before_the_last_event_says_nothing() -> None:
    """Time is the later of the last event's and the tick's."""
    invariant = make_invariant("always", parse_formula("a implies eventually[1s] b"))
    trace = [make_moment(0, 5 * SECOND_NS, {"a": Fact(Truth.TRUE, {})})]
    for ticked_to_ns, kind in ((0, "pending"), (6 * SECOND_NS, "pending"), (None, "pending")):
        assert judge(invariant, trace, ticked_to_ns=ticked_to_ns) == {(0, ()): kind}
    assert judge(invariant, trace, ticked_to_ns=6 * SECOND_NS + 1) == {(0, ()): "violated"}


FUTURE_RUNS = [
    # A met `until` needs no more; an unknown left side caps what a later event can give.
    ("b until c", [{"a": True, "b": True}, {"unknown": {"b": True}}], "pending"),
    ("b until c", [{"a": True, "b": True}, {"unknown": {"b": True}}, {"c": True}], "inconclusive"),
    ("b until c", [{"a": True, "b": True}, {"unknown": {"b": True}}, {}], "violated"),
    ("b until c", [{"a": True}, {"c": True}], "violated"),
    # An unknown right side at the present, and a left side that then fails: unknown for good.
    ("b until c", [{"a": True, "unknown": {"c": True}}], "inconclusive"),
    ("b until c", [{"a": True, "b": True, "unknown": {"c": True}}], "pending"),
    # `always`: unknown is not yet the end of it.
    ("always b", [{"a": True, "unknown": {"b": True}}], "pending"),
    ("always b", [{"a": True, "unknown": {"b": True}}, {}], "violated"),
    ("always b", [{"a": True, "unknown": {"b": True}}, {"b": True, "end": True}], "inconclusive"),
    # No deeper look-ahead: that no event can ever meet it is not seen.
    ("eventually (c and not c)", [{"a": True}], "pending"),
    ("next c", [{"a": True}, {"unknown": {"c": True}}], "inconclusive"),
    ("next[2s] c", [{"a": True}, {"tick": 2}], "pending"),
    ("next[2s] c", [{"a": True}, {"tick": 3}], "violated"),
]


@BOTH_ENGINES
@pytest.mark.parametrize(("future", "events", "kind"), FUTURE_RUNS)
def test_a_pending_verdict_is_decided_when_nothing_is_left_to_choose(
    engine: Kernel, future: str, events: list[dict[str, object]], kind: str
) -> None:
    """Of `always: a implies F`, anchored at the first event; all events are at time 0."""
    run = [event if "tick" in event else {"at": 0, **event} for event in events]
    document = {"note": "", "invariant": {"always": f"a implies {future}"}, "run": run}
    case = parse_case({**document, "verdicts": {}}, "future")
    assert final_verdicts(engine, case.invariant, case.steps)[0, ()] == kind


AGGREGATES = [
    # Certain values, values of doubtful events, the aggregate, its least and greatest value.
    ([1, 2], [], "sum", 3, 3),
    ([1], [2, -5], "sum", -4, 3),
    ([1], [2, -5], "count", 1, 3),
    ([1], [1, 2], "distinct", 1, 2),
    ([3], [1, 5], "min", 1, 3),
    ([3], [1, 5], "max", 3, 5),
    ([3], [1, 5], "avg", 2, 4),
    ([3, 3], [9], "avg", 3, 5),
]


@BOTH_ENGINES
@pytest.mark.parametrize(("certain", "doubtful", "function", "least", "greatest"), AGGREGATES)
def test_an_aggregate_lies_between_its_least_and_greatest(
    engine: Kernel,
    certain: list[int],
    doubtful: list[int],
    function: str,
    least: int,
    greatest: int,
) -> None:
    """A comparison is known exactly where the whole range agrees on it."""
    term = f"{function}(p)" if function == "count" else f"{function}(p.v)"
    facts = [Fact(Truth.TRUE, {"v": (v,)}) for v in certain]
    facts += [Fact(Truth.UNKNOWN, {"v": (v,)}) for v in doubtful]
    trace = [make_moment(i, 0, {"p": fact}) for i, fact in enumerate(facts)]
    trace.append(make_moment(len(trace), 0, {"b": Fact(Truth.TRUE, {})}))

    def kind(comparison: str) -> str:
        invariant = make_invariant("always", parse_formula(f"b implies {term} {comparison}"))
        return final_verdicts(engine, invariant, trace)[len(trace) - 1, ()]

    is_point = least == greatest
    assert kind(f">= {least}") == "holds"
    assert kind(f"<= {greatest}") == "holds"
    assert kind(f"< {least}") == "violated"
    assert kind(f"> {greatest}") == "violated"
    assert kind(f"> {least}") == ("violated" if is_point else "inconclusive")
    assert kind(f"< {greatest}") == ("violated" if is_point else "inconclusive")
    assert kind(f"== {least}") == ("holds" if is_point else "inconclusive")
    assert kind(f"!= {greatest + 1}") == "holds"


EXISTS_RUNS = [
    # One value must do both; unknown where only an unknown joins them.
    ([{"p": {"v": 1}, "q": {"v": 2}, "a": True}], {"0": "holds"}),
    ([{"p": {"v": [1, 2]}, "q": {"v": 2}, "a": True}], {"0": "violated"}),
    ([{"p": {"v": 2}, "unknown": {"q": {"v": 2}}, "a": True}], {"0": "inconclusive"}),
    # A list that was too long may have held the very value.
    (
        [{"p": {"v": {"overflow": [1]}}, "q": {"v": 2}, "a": True}],
        {"0": "inconclusive", "0 ?": "inconclusive"},
    ),
]


@BOTH_ENGINES
@pytest.mark.parametrize(("run", "verdicts"), EXISTS_RUNS)
def test_exists_asks_for_one_value(
    engine: Kernel, run: list[dict[str, object]], verdicts: dict[str, str]
) -> None:
    """`never: a and exists x (p(v=x) and q(v=x))`."""
    document = {
        "note": "",
        "invariant": {"never": "a and exists x (p(v=x) and q(v=x))"},
        "run": [{"at": 0, **event} for event in run],
        "verdicts": {},
    }
    case = parse_case(document, "exists")
    told = final_verdicts(engine, case.invariant, case.steps)
    assert show_verdicts(told) == verdicts
