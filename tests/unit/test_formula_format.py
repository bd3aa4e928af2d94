"""Writing a formula and reading it back gives the same formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    Formula,
    Not,
    SessionEnd,
    Temporal,
    Until,
    Variable,
    Window,
)
from invariants.formula.durations import format_duration
from invariants.formula.format import format_formula
from invariants.formula.leaves import LIMIT_FUNCTIONS
from invariants.formula.parser import parse_formula
from invariants.model.fact import canonical

MILLISECOND = 1_000_000

names = st.sampled_from(["p", "q", "secret_read", "x", "_private", "never"])
variables = st.builds(Variable, names)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
decimals = st.integers(-(10**12), 10**12).map(lambda n: n / 10_000)
numbers = st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), decimals)
constants = st.one_of(texts, numbers, st.booleans()).map(lambda v: Constant(canonical(v) or 0))
terms = st.one_of(variables, constants, st.just(Anything()))
atoms = st.builds(
    lambda name, arguments: Atom(name, tuple(arguments.items())),
    names,
    st.dictionaries(names, terms, max_size=3),
)
durations = st.integers(0, 10**9).map(lambda n: n * MILLISECOND)
upto = st.one_of(st.just(UNBOUNDED), st.builds(Window, st.just(0), durations))
windows = st.one_of(upto, st.tuples(durations, durations).map(lambda p: Window(min(p), max(p))))
comparison_signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
comparisons = st.one_of(
    st.builds(Comparison, comparison_signs, variables, st.one_of(variables, constants)),
    st.builds(Comparison, comparison_signs, constants, variables),
)
aggregates = st.one_of(
    st.builds(Aggregate, st.just("count"), atoms, st.none(), upto),
    st.builds(
        Aggregate,
        st.sampled_from(["sum", "min", "max", "avg", "distinct", "first"]),
        atoms,
        names,
        upto,
    ),
)
limits = st.builds(Aggregate, st.sampled_from(LIMIT_FUNCTIONS), atoms, names, upto)
bounds = st.one_of(variables, numbers.map(lambda n: Constant(canonical(n) or 0)), limits)
leaves = st.one_of(
    atoms,
    st.just(SessionEnd()),
    comparisons,
    st.builds(AggregateComparison, aggregates, comparison_signs, bounds),
)


def _grow(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
    unary = st.sampled_from(["previous", "once", "historically", "next", "eventually", "always"])
    return st.one_of(
        st.builds(Not, inner),
        st.builds(Binary, st.sampled_from(["and", "or", "implies", "iff"]), inner, inner),
        st.builds(Temporal, unary, windows, inner),
        st.builds(Until, st.sampled_from(["since", "until"]), windows, inner, inner),
        st.builds(Exists, st.sampled_from(["x", "y"]), inner),
    )


formulas = st.recursive(leaves, _grow, max_leaves=12)


@given(formulas)
def test_parse_undoes_format(formula: Formula) -> None:
    """`parse_formula(format_formula(f)) == f` for every formula that the grammar has."""
    assert parse_formula(format_formula(formula)) == formula


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("((a) and (b and c))", "a and (b and c)"),
        ("(a and b) and c", "a and b and c"),
        ("(a implies b) implies c", "(a implies b) implies c"),
        ("a implies (b implies c)", "a implies b implies c"),
        ("(a since b) since c", "(a since b) since c"),
        ("not (a) since[0s,60s] (once(b))", "not a since[1m] once b"),
        ("once[60s, 3600000ms] p(a = 1.50)", "once[1m, 1h] p(a=1.5)"),
        ("3 >= count(p( ))[90s]", "count(p)[90s] <= 3"),
        ("x < 0.0000001", "x < 0.0000001"),
        ('p(a="\\u00e9\\n")', 'p(a="é\\n")'),
    ],
)
def test_brackets_are_as_few_as_can_be(text: str, written: str) -> None:
    """The canonical text has one form for each formula."""
    assert format_formula(parse_formula(text)) == written


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [(0, "0s"), (1, "1ms"), (999, "999ms"), (1_000, "1s"), (90_000, "90s"), (86_400_000, "1d")],
)
def test_durations_take_the_largest_whole_unit(duration_ns: int, text: str) -> None:
    """A duration is written in the largest unit in which it is a whole number."""
    assert format_duration(duration_ns * MILLISECOND) == text
