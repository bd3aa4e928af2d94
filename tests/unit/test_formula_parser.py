"""Formulas are read by the grammar of docs/language.md, and faults say where, what and how."""

import pytest

from invariants.formula.ast import (
    UNBOUNDED,
    Aggregate,
    AggregateComparison,
    Anything,
    Atom,
    Binary,
    Comparison,
    Constant,
    Exists,
    Not,
    SessionEnd,
    Temporal,
    Until,
    Variable,
    Window,
)
from invariants.formula.parser import parse_formula
from invariants.model.errors import Place, SpecError

P, Q, R = Atom("p"), Atom("q"), Atom("r")
SECOND = 1_000_000_000
MINUTE = 60 * SECOND


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("p", P),
        ("p()", P),
        ("((p))", P),
        ("session_end", SessionEnd()),
        ("not not p", Not(Not(P))),
        ("p and q or r", Binary("or", Binary("and", P, Q), R)),
        ("p or q and r", Binary("or", P, Binary("and", Q, R))),
        ("p or q or r", Binary("or", Binary("or", P, Q), R)),
        ("p implies q implies r", Binary("implies", P, Binary("implies", Q, R))),
        ("p or q implies r", Binary("implies", Binary("or", P, Q), R)),
        ("p iff q implies r", Binary("iff", P, Binary("implies", Q, R))),
        ("p implies q iff r", Binary("iff", Binary("implies", P, Q), R)),
        ("p and q since r", Binary("and", P, Until("since", UNBOUNDED, Q, R))),
        ("p since q and r", Binary("and", Until("since", UNBOUNDED, P, Q), R)),
        ("not p since q", Until("since", UNBOUNDED, Not(P), Q)),
        ("not (p since q)", Not(Until("since", UNBOUNDED, P, Q))),
        ("p until[2s] q", Until("until", Window(0, 2 * SECOND), P, Q)),
        ("once p and q", Binary("and", Temporal("once", UNBOUNDED, P), Q)),
        ("once[10m] not p", Temporal("once", Window(0, 10 * MINUTE), Not(P))),
        ("historically [5s,10m] p", Temporal("historically", Window(5 * SECOND, 10 * MINUTE), P)),
        ("once[0s] p", Temporal("once", Window(0, 0), P)),
        ("once[250ms] p", Temporal("once", Window(0, SECOND // 4), P)),
        ("once[1d] p", Temporal("once", Window(0, 1440 * MINUTE), P)),
        ("previous next eventually always p",
         Temporal("previous", UNBOUNDED, Temporal("next", UNBOUNDED, Temporal(
             "eventually", UNBOUNDED, Temporal("always", UNBOUNDED, P))))),
        ("exists x (p(a=x)) and q",
         Binary("and", Exists("x", Atom("p", (("a", Variable("x")),))), Q)),
        ("p(a=x, b=_, c=\"t\\n\", d=-1.5, e=true)",
         Atom("p", (("a", Variable("x")), ("b", Anything()), ("c", Constant("t\n")),
                    ("d", Constant(-1.5)), ("e", Constant(("bool", "true")))))),
        ("p(a=1.0)", Atom("p", (("a", Constant(1)),))),
        ("p(a=-0)", Atom("p", (("a", Constant(0)),))),
        ("x == y", Comparison("==", Variable("x"), Variable("y"))),
        ("3 < x", Comparison("<", Constant(3), Variable("x"))),
        ("not x != false", Not(Comparison("!=", Variable("x"), Constant(("bool", "false"))))),
        ("count(p)[60s] <= 3",
         AggregateComparison(Aggregate("count", P, None, Window(0, MINUTE)), "<=", Constant(3))),
        ("3 >= count(p)",
         AggregateComparison(Aggregate("count", P, None, UNBOUNDED), "<=", Constant(3))),
        ("3 == count(p)",
         AggregateComparison(Aggregate("count", P, None, UNBOUNDED), "==", Constant(3))),
        ("n < sum(p(to=x).amount)[0s, 1h]",
         AggregateComparison(
             Aggregate("sum", Atom("p", (("to", Variable("x")),)), "amount",
                       Window(0, 60 * MINUTE)), ">", Variable("n"))),
        ("distinct(p.host)[1m] > 5",
         AggregateComparison(
             Aggregate("distinct", P, "host", Window(0, MINUTE)), ">", Constant(5))),
    ],
)  # fmt: skip
def test_what_a_text_means(text: str, formula: object) -> None:
    """Precedence, associativity, windows, terms and aggregates are as the grammar says."""
    assert parse_formula(text) == formula


def test_bool_and_number_stay_apart() -> None:
    """`true` is not 1 and `"1"` is not 1, in the formula as in the values of events."""
    assert len({parse_formula(f"p(a={literal})") for literal in ("1", "true", '"1"')}) == 3


@pytest.mark.parametrize(
    ("text", "column", "code", "mend"),
    [
        ("", 1, "E312", "once p"),
        ("p q", 3, "E301", "join two formulas"),
        ("once p once q", 8, "E301", "`and once`"),
        ("p implise q", 3, "E301", "write `implies`"),
        ("p AND q", 3, "E301", "write `and`"),
        ("(p and q", 1, "E301", "missing `)`"),
        ("p)", 2, "E301", "remove it"),
        ("and p", 1, "E301", "before `and`"),
        ("p and or q", 7, "E301", "between it and `and`"),
        ("p and", 6, "E301", "write a formula"),
        ("once 10m p", 6, "E301", "`[10m]`"),
        ("once p[10m]", 7, "E301", "follows its operator"),
        ("p.amount > 3", 2, "E301", "sum(p.amount)"),
        ("p(a=1,)", 7, "E301", "p(name=x)"),
        ("p(a 1)", 5, "E301", "p(name=x)"),
        ("p(a=x b=y)", 7, "E301", "separate arguments"),
        ("exists x p", 10, "E301", "exists x (...)"),
        ("exists x, y (p)", 9, "E301", "one `exists` for each"),
        ("p && q", 3, "E302", "write `and`"),
        ("p || q", 3, "E302", "write `or`"),
        ("!p", 1, "E302", "write `not`"),
        ("p -> q", 3, "E302", "write `implies`"),
        ("p => q", 3, "E302", "write `implies`"),
        ("p <-> q", 3, "E302", "write `iff`"),
        ("p ∧ q", 3, "E302", "write `and`"),
        ("x = 3", 3, "E302", "write `==`"),
        ("p(a='t')", 5, "E302", "double quotes"),
        ("p(a=“t”)", 5, "E302", "straight double quotes"),
        ("secret-read", 7, "E302", "write `_`"),
        ("x + 1 == 2", 3, "E302", "`with`"),
        ("é", 1, "E302", "ASCII"),
        ("p(x)", 3, "E303", "`p(name=x)`"),
        ('p("t")', 3, "E303", 'p(name="t")'),
        ("p(a=x, y)", 8, "E303", "p(name=y)"),
        ("p(a==x)", 4, "E303", "p(a=x)"),
        ("once[10] p", 6, "E304", "10s"),
        ("once[] p", 6, "E304", "whole number with a unit"),
        ("once[5m,5s] p", 5, "E304", "shorter duration first"),
        ("once[36501d] p", 6, "E304", "omit the window"),
        ("once[" + "9" * 5000 + "d] p", 6, "E304", "omit the window"),
        ("count(p)[1s,2s] < 3", 9, "E304", "[2s]"),
        ("a since b since c", 11, "E305", "(a since b) since c"),
        ("a since b until c", 11, "E305", "(a since b) until c"),
        ("a iff b iff c", 9, "E305", "(a iff b) iff c"),
        ("count(p)", 1, "E307", "<= 3"),
        ("count(p.v) < 3", 1, "E307", "distinct(p.v)"),
        ("sum(p) < 3", 1, "E307", "sum(p.value)"),
        ("count(p) < avg(p.v)", 12, "E307", "first, min, max, sum"),
        ("count(p) < count(q)", 12, "E307", "a number or a variable"),
        ("sum(p.v) <= first(q)", 13, "E307", "first(q.value)"),
        ("sum(p.v) <= first(q.v)[1s,2s]", 23, "E304", "`[2s]`"),
        ('count(p) < "t"', 12, "E307", "number"),
        ("true == count(p)", 1, "E307", "number"),
        ("once[10min] p", 6, "E308", "write `10m`"),
        ("once[1.5h] p", 6, "E308", "90m"),
        ("once[-5s] p", 6, "E308", "never negative"),
        ("x < 1e5", 5, "E308", "exponent"),
        ("x < 010", 5, "E308", "leading zero"),
        ("x < 1_000", 5, "E308", "without `_`"),
        ("x < 1.2.3", 5, "E308", "`12` or `-1.5`"),
        ("x < 9223372036854775808", 5, "E308", "2^63"),
        ("x < 0." + "1" * 40, 5, "E308", "40 characters"),
        ('p(a="t', 5, "E308", "close it"),
        ('p(a="\\q")', 5, "E308", "backslash"),
        ('p(a="\\ud800")', 5, "E308", "backslash"),
        ('p(a="")', 5, "E308", "when"),
        ("p(once=x)", 3, "E309", "another name"),
        ("p(a=once)", 5, "E309", "another name"),
        ("exists once (p)", 8, "E309", "another name"),
        ("exists _ (p)", 8, "E309", "exists x"),
        ("_", 1, "E309", "predicate's name"),
        ("true", 1, "E310", "remove it"),
        ("p and 3", 7, "E310", "compare it"),
        ("1 < 2", 1, "E310", "variable on one side"),
        ("x == _", 6, "E310", "p(name=x)"),
        ("_ == x", 1, "E310", "p(name=x)"),
        ("x ==", 5, "E310", "x == y"),
        ("p(a=1, a=2)", 8, "E311", "join two atoms"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, column: int, code: str, mend: str) -> None:
    """A fault names its place and code, and how to mend it, in one line."""
    with pytest.raises(SpecError) as caught:
        parse_formula(text, file="f.yaml")
    (fault,) = caught.value.faults
    assert (fault.file, fault.place, fault.code) == ("f.yaml", Place(1, column), code)
    assert mend in fault.mend
    assert len(str(fault).splitlines()) == 1


def test_places_start_at_the_place_given() -> None:
    """Columns count on from the first line's place; later lines count from their own start."""
    formula = parse_formula("p and\n  q", place=Place(7, 12))
    assert isinstance(formula, Binary)
    assert formula.left.place == Place(7, 12)
    assert formula.place == Place(7, 14)
    assert formula.right.place == Place(8, 3)


@pytest.mark.parametrize(
    "wrap",
    [
        "({})",
        "not {}",
        "once[1s] {}",
        "exists x ({})",
        "p and ({})",
        "p iff q implies r or p and q since ({})",
        "p implies {}",
    ],
)
def test_depth_is_bounded_without_recursion_errors(wrap: str) -> None:
    """A hundred levels are read; more are refused with a fault, whatever they are made of."""
    text = "p"
    for _ in range(90):
        text = wrap.format(text) if len(text) < 9_000 else text
    shallow = "p"
    for _ in range(19):
        shallow = wrap.format(shallow)
    parse_formula(shallow)
    for _ in range(2_000):
        if len(text) < 9_900:
            text = wrap.format(text)
    with pytest.raises(SpecError, match="E306"):
        parse_formula(text)


def test_length_is_bounded() -> None:
    """A text of more than 10,000 characters is refused before anything is read."""
    assert parse_formula("p".ljust(10_000)) == P
    with pytest.raises(SpecError, match=r"E306.*10001"):
        parse_formula("p".ljust(10_001))


def test_long_chains_are_grouped_with_brackets() -> None:
    """A hundred members stand in one chain; more need brackets, and then they are fine."""
    parse_formula(" or ".join(["p"] * 100))
    with pytest.raises(SpecError, match=r"E306.*brackets"):
        parse_formula(" or ".join(["p"] * 101))
    parse_formula(" or ".join("(" + " or ".join(["p"] * 40) + ")" for _ in range(40)))
