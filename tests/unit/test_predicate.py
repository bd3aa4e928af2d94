"""Predicates: the fact of an event, its values, what is missing, and what is too much."""

from __future__ import annotations

from typing import Any

import pytest

from invariants.cel.fold import KindAndTool
from invariants.check.expressions import check_predicate
from invariants.model.errors import Place
from invariants.model.fact import ELEMENTS_MAX, NO_FACT, TEXT_CHARACTERS_MAX, Fact, Truth
from invariants.model.source_text import SourceText
from invariants.runtime.predicate import Predicate, compile_predicate
from invariants.spec.model import PredicateSpec
from tests.support.cel import KEY, make_view


def spec_of(when: str, values: dict[str, str]) -> PredicateSpec:
    sources = tuple((name, SourceText(text, Place(3, 1))) for name, text in values.items())
    return PredicateSpec("p", SourceText(when, Place(2, 1)), sources, Place())


def predicate(when: str, **values: str) -> Predicate:
    made, faults = check_predicate(spec_of(when, values), file="a.yaml", lists={})
    assert made is not None
    assert [fault for fault in faults if fault.severity == "error"] == []
    return compile_predicate(made, lists={}, digest_key=KEY)


def fact(when: str, values: dict[str, str], **fields: Any) -> Fact:
    return predicate(when, **values).fact(make_view(**fields))


def value_of(value: Any) -> Fact:
    """The fact of an event whose one value is `value`."""
    return fact("true", {"v": "result"}, result=value)


def test_truth() -> None:
    """False, true, and unknown: for an error, and for what is not a truth value."""
    assert fact("kind == 'x'", {"v": "args.none"}) is NO_FACT
    assert fact("kind == 'tool.requested'", {}) == Fact(Truth.TRUE, {})
    assert fact("args.none", {}, args={}) == Fact(Truth.UNKNOWN, {})
    assert fact("args.x", {}, args={"x": 1}) == Fact(Truth.UNKNOWN, {})
    assert fact("args.x", {}, args={"x": True}) == Fact(Truth.TRUE, {})


def test_values_are_told_where_the_predicate_is_unknown() -> None:
    """An unknown event still names its values, so that it blurs only what it names."""
    met = fact("args.none == 1", {"to": "args.to"}, args={"to": "a"})
    assert met == Fact(Truth.UNKNOWN, {"to": ("a",)})


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ("a", "a"),
        (" ", " "),
        (1, 1),
        (1.0, 1),
        (-0.0, 0),
        (1.5, 1.5),
        (0, 0),
        (2**63 - 1, 2**63 - 1),
        (2.0**70, 2**70),
        (True, ("bool", "true")),
        (False, ("bool", "false")),
    ],
)
def test_scalars_are_canonical(value: Any, canonical: Any) -> None:
    """Equal numbers are one value; truth values are none of the numbers."""
    met = value_of(value)
    assert met == Fact(Truth.TRUE, {"v": (canonical,)})
    assert type(met.values["v"][0]) is type(canonical)


def test_a_long_text_is_one_value_and_is_not_held() -> None:
    """Thousands of bindings of 900 KiB each once filled the memory; equality stays exact."""
    longest, longer = "z" * TEXT_CHARACTERS_MAX, "z" * (TEXT_CHARACTERS_MAX + 1)
    other = longer[:-1] + "y"
    found = value_of([longest, longer, other, longer]).values["v"]
    assert found[0] == longest
    assert len(found) == len(set(found)) == 3
    assert found[1:] == (*value_of(longer).values["v"], *value_of(other).values["v"])
    assert all(isinstance(value, tuple) and len(value[1]) < 300 for value in found[1:])
    told = found[1][1]
    assert value_of(told).values["v"] == (told,), "the text that it is told as is another value"


@pytest.mark.parametrize("value", [None, "", {}, {"a": 1}, [], 2**63, -(2**63) - 1])
def test_missing(value: Any) -> None:
    """Null, empty text, maps, empty lists and errors equal nothing."""
    assert value_of(value) == Fact(Truth.TRUE, {"v": ()}, frozenset({"v"}))


@pytest.mark.parametrize("text", ["args.none", "0.0 / args.z", "1.0 / args.z", "number(args.s)"])
def test_values_that_err_or_are_not_finite_are_missing(text: str) -> None:
    """A value of `with` that errs, is NaN or infinite is missing."""
    met = fact("true", {"v": text}, args={"z": 0.0, "s": "x"})
    assert met == Fact(Truth.TRUE, {"v": ()}, frozenset({"v"}))


def test_lists_stand_for_their_distinct_elements() -> None:
    """Each element once, in order; what cannot be used makes the name missing as well."""
    assert value_of(["a", "b", "a"]).values == {"v": ("a", "b")}
    assert value_of([1, 1.0, True, "1"]).values == {"v": (1, ("bool", "true"), "1")}
    for lacking in (None, "", {}, [], ["x"], 2**63):
        met = value_of(["a", lacking])
        assert met == Fact(Truth.TRUE, {"v": ("a",)}, frozenset({"v"}))
    assert value_of([None]) == Fact(Truth.TRUE, {"v": ()}, frozenset({"v"}))


def test_elements_not_finite_are_missing() -> None:
    """NaN and infinity are no values as elements either."""
    met = fact("true", {"v": "[0.0 / args.z, 1.0, 1.0 / args.z]"}, args={"z": 0.0})
    assert met == Fact(Truth.TRUE, {"v": (1,)}, frozenset({"v"}))


def test_long_lists_overflow() -> None:
    """64 distinct elements are kept, the 65th is told; repetitions count once."""
    many = [f"e{number}" for number in range(ELEMENTS_MAX + 1)]
    assert value_of(many[:-1] * 3).values == {"v": tuple(many[:-1])}
    assert not value_of(many[:-1] * 3).overflowing
    expected = Fact(Truth.TRUE, {"v": tuple(many[:-1])}, frozenset(), frozenset({"v"}))
    assert value_of(many) == expected
    assert value_of([*many, None]).missing == {"v"}


def test_elements_are_counted_as_often_as_they_stand_there() -> None:
    """For aggregates: up to 64 in all; what is missing counts for none."""
    assert value_of([900, 900]).elements("v") == (900, 900)
    assert value_of([2, 1.0, 2.0, 1]).elements("v") == (2, 1, 2, 1)
    assert value_of([2, None, 2]).elements("v") == (2, 2)
    assert value_of([2, 1]).repeated == value_of([2]).repeated == value_of(2).repeated == ()
    assert value_of([2, 1]).elements("v") == (2, 1)
    assert value_of(2).elements("v") == value_of([2]).elements("v") == (2,)
    assert value_of(None).elements("v") == value_of([]).elements("v") == ()
    assert value_of([7] * ELEMENTS_MAX).elements("v") == (7,) * ELEMENTS_MAX
    assert value_of([7] * (ELEMENTS_MAX + 1)).elements("v") is None
    assert value_of([7] * 5_000).values == {"v": (7,)}
    distinct = [*range(ELEMENTS_MAX)]
    assert value_of(distinct).elements("v") == tuple(distinct)
    for longer in ([*distinct, 0], [*distinct, ELEMENTS_MAX], [*distinct, 0, ELEMENTS_MAX]):
        assert value_of(longer).elements("v") is None
    assert value_of([*distinct, 0]).overflowing == frozenset()
    assert value_of([*distinct, 0, ELEMENTS_MAX]).repeated == ()


def test_names_do_not_disturb_each_other() -> None:
    """Missing and overflowing are told by name."""
    names = {"a": "args.a", "b": "args.b", "c": "args.c"}
    met = fact("true", names, args={"a": "x", "c": list(range(70))})
    assert met.values == {"a": ("x",), "b": (), "c": tuple(range(64))}
    assert (met.missing, met.overflowing) == ({"b"}, {"c"})
    assert predicate("true", **names).value_names == ("a", "b", "c")


def test_times_are_values() -> None:
    """A timestamp or a duration is a value of its own type."""
    met = fact("true", {"t": "time", "d": "time - timestamp('2023-11-14T22:13:18.5Z')"})
    assert met.values["t"] == (("timestamp", "2023-11-14T22:13:20Z"),)
    assert met.values["d"] == (("duration", "1.5s"),)
    early = fact("true", {"t": "time", "d": "timestamp(0) - timestamp(1)"}, time_ns=1)
    assert early.values["t"] == (("timestamp", "1970-01-01T00:00:00.000000001Z"),)
    assert early.values["d"] == (("duration", "-1s"),)


def test_what_kind_and_tool_decide() -> None:
    """What `when` says of kind and tool is enough to skip the predicate, or to settle its fact."""
    made = predicate("kind == 'a' && tool == 'b' && args.x == 1", v="args.none")
    assert made.planned(KindAndTool("b", "b")) is NO_FACT
    assert made.planned(KindAndTool("a", "a")) is NO_FACT
    assert callable(made.planned(KindAndTool("a", "b")))
    assert made.checked.fields == {"kind", "tool", "args"}
    settled = predicate("kind == 'a'", v="tool").planned(KindAndTool("a", "b"))
    assert settled == Fact(Truth.TRUE, {"v": ("b",)})
    read = predicate("kind == 'a'", v="args.x").planned(KindAndTool("a", "b"))
    assert callable(read)
    assert read(make_view(kind="a", tool="b", args={"x": 1})) == Fact(Truth.TRUE, {"v": (1,)})


@pytest.mark.parametrize(
    ("when", "values", "codes"),
    [
        ("kind", {}, ["E104"]),
        ("seq + 1", {}, ["E151", "E104"]),
        ("true", {"v": "args"}, ["E104"]),
        ("true", {"v": "null"}, ["E104"]),
        ("kind ==", {"v": "foo", "w": "tool"}, ["E101", "E102"]),
    ],
)
def test_faults(when: str, values: dict[str, str], codes: list[str]) -> None:
    """`when` must be able to be true, and values to be used; all faults are told at once."""
    spec = spec_of(when, values)
    made, faults = check_predicate(spec, file="a.yaml", lists={})
    assert made is None
    assert [fault.code for fault in faults] == codes


def test_warnings_come_with_the_predicate() -> None:
    """A warning does not keep a predicate from being made."""
    spec = spec_of("double(args.x) > 1.0", {})
    made, faults = check_predicate(spec, file="a.yaml", lists={})
    assert made is not None
    assert [(fault.code, fault.severity) for fault in faults] == [("E150", "warning")]


def test_a_fact_with_long_values_is_made_for_each_event() -> None:
    """Thousands of facts are remembered by kind and tool, and agents choose the names of tools."""
    made = predicate("kind == 'a'", v="tool.replace('x', '0123456789')")
    assert made.planned(KindAndTool("a", "x" * 50)) == Fact(Truth.TRUE, {"v": ("0123456789" * 50,)})
    read = made.planned(KindAndTool("a", "x" * 500))
    assert callable(read)
    assert read(make_view(kind="a", tool="x" * 500)).values == {"v": ("0123456789" * 500,)}
