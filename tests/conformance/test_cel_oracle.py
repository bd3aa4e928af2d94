"""Our CEL against Google's C++ engine, on generated expressions over good and bad data.

Both evaluate the same text on the same event without static checks: values must be equal with
their types, and failures must be failures in both. What is known to differ is listed in
docs/cel.md and not generated here. `INTERLOCK_CEL_CASES` sets how many expressions are tried,
`INTERLOCK_CEL_SEED` which.
"""

from __future__ import annotations

import datetime
import math
import os
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invariants.cel.check import check
from invariants.cel.evaluate import prepare
from invariants.cel.parser import parse
from invariants.cel.values import Failure
from invariants.errors import Place
from invariants.spec import Source
from tests.support.cel import TIME_NS, make_view

try:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_strings
except ImportError:
    pytest.skip(
        "THE ORACLE IS MISSING: install cel-expr-python to hold our CEL against cel-cpp",
        allow_module_level=True,
    )

CASES_SHORT = 400
CASES = int(os.environ.get("INTERLOCK_CEL_CASES", CASES_SHORT))

TEXTS = ("kind", "tool", "text")
ENVIRONMENT = cel.NewEnv(
    variables=dict.fromkeys((*TEXTS, "args"), cel.Type.DYN) | {"time": cel.Type.TIMESTAMP},
    extensions=[ext_strings.ExtStrings()],
)
ARGS: dict[str, Any] = {
    "b": True,
    "no": False,
    "i": 3,
    "zero": 0,
    "max": 2**63 - 1,
    "min": -(2**63),
    "odd": 2**53 + 1,
    "d": 2.5,
    "whole": 3.0,
    "dz": 0.0,
    "s": "ab",
    "e": "",
    "n": "12",
    "u": "é\U0001f600\uffff",
    "nul": None,
    "l": [1, 2.0, "ab", None, True, [1]],
    "ints": [3, 1, 2],
    "texts": ["a", "ab", "é"],
    "bools": [True, False],
    "none": [],
    "m": {"a": 1, "b": "x", "c": None, "m": {"a": [1]}},
}
DATA = {"kind": "tool.requested", "tool": "http.post", "text": "a,b é", "args": ARGS}
BY_TYPE = {
    "bool": ["args.b", "args.no", "true", "false", "has(args.s)", "has(args.x)"],
    "int": ["args.i", "args.zero", "args.max", "args.min", "args.odd", "1", "-2", "0", "3"],
    "double": ["args.d", "args.whole", "args.dz", "1.5", "-2.0", "0.0", "1e300"],
    "string": ["args.s", "args.e", "args.n", "args.u", "kind", "text", "'a'", "'ab'", "''", "'1'"],
    "list": ["args.l", "args.ints", "args.texts", "args.bools", "args.none", "[1, 'a']", "[]"],
    "map": ["args.m", "args.m.m", "args", "{}", "{'a': 1.0}", "{'a': 1, 'b': null}"],
    "odd": ["args.nul", "null", "args.missing", "args.s.x", "args.m.zz", "args.l[9]", "(1 / 0)"],
}
TYPES = tuple(BY_TYPE)
VALUES = tuple(kind for kind in TYPES if kind != "odd")


Pick = Callable[[Sequence[Any]], Any]
"""Chooses one of several: at random, or so that a failing case can be made smaller."""


def expression(pick: Pick, kind: str, depth: int, names: tuple[str, ...] = ()) -> str:
    """Text of an expression that mostly gives `kind`, and now and then something else."""
    if pick(range(12)) == 11:
        kind = pick(TYPES)
    if names and pick(range(4)) == 3:
        return str(pick(names))
    if depth == 0 or kind == "odd":
        return str(pick(BY_TYPE[kind]))
    form = pick(FORMS[kind])
    variable = f"v{len(names)}"
    fields = {"v": variable}
    for name in re.findall(r"\{(\w+)\}", form):
        of = name.rstrip("12")
        if of in ("condition", "body"):
            wanted = "bool" if of == "condition" else pick(VALUES)
            fields[name] = expression(pick, wanted, depth - 1, (*names, variable))
        elif of != "v":
            fields[name] = expression(pick, pick(VALUES) if of == "any" else of, depth - 1, names)
    if "any1" in fields and "any2" in fields and pick(range(3)):
        # Two values of one type are compared more often than chance would have it.
        of = pick(VALUES)
        fields["any1"] = expression(pick, of, depth - 1, names)
        fields["any2"] = expression(pick, of, depth - 1, names)
    return str(form.format(**fields))


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """The same, by choices that Hypothesis can make simpler."""

    def pick(options: Sequence[Any]) -> Any:
        return draw(st.sampled_from(options))

    return expression(pick, pick(VALUES), 3)


def _formats(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


# The order of a map's keys is open in CEL: no list is made of a map's keys but to be counted, and
# what `+ []` follows is a list or fails. Neither is `string()` given a double.
FORMS: dict[str, list[str]] = {
    "bool": _formats("""
        ({bool1} && {bool2})
        ({bool1} || {bool2})
        (!{bool1})
        ({bool1} ? {bool2} : {any1})
        ({any1} == {any2})
        ({any1} != {any2})
        ({any1} < {any2})
        ({any1} >= {any2})
        ({int1} <= {int2})
        ({int1} > {double1})
        ({string1} < {string2})
        ({any1} in {list1})
        ({string1} in {map1})
        ({any1} in {map1})
        {list1}.all({v}, {condition})
        {list1}.exists({v}, {condition})
        {list1}.exists_one({v}, {condition})
        {map1}.exists({v}, {condition})
        {string1}.contains({string2})
        {string1}.startsWith({string2})
        {string1}.endsWith({string2})
        {string1}.matches('^a.?$|é')
        has({map1}.a)
        bool({string1})
        (time < timestamp('2023-11-14T22:13:20.000000001Z'))
        (time - timestamp('2023-11-14T22:00:00Z') == duration('800s'))
    """),
    "int": _formats("""
        ({int1} + {int2})
        ({int1} - {int2})
        ({int1} * {int2})
        ({int1} / {int2})
        ({int1} % {int2})
        (-{int1})
        size({list1})
        size({string1})
        {map1}.size()
        {map1}.map({v}, {body}).size()
        {map1}.a
        args.ints[{int1}]
        args.l[{any1}]
        int({double1})
        int({int1})
        ({bool1} ? {int1} : {int2})
        time.getHours()
    """),
    "double": _formats("""
        ({double1} + {double2})
        ({double1} - {double2})
        ({double1} * {double2})
        ({double1} / {double2})
        (-{double1})
        ({double1} + {int1})
        double({int1})
        ({bool1} ? {double1} : {any1})
    """),
    "string": _formats("""
        ({string1} + {string2})
        ({string1} + {any1})
        {string1}.lowerAscii()
        {string1}.upperAscii()
        {string1}.trim()
        {string1}.replace({string2}, 'q')
        string({int1} + 0)
        string(!{bool1})
        string({string1} + '')
        {map1}.b
        {map1}[{string1}]
        {map1}[{any1}]
    """),
    "list": _formats("""
        ({list1} + {list2})
        [{any1}, {any2}]
        ({list1} + []).filter({v}, {condition})
        ({list1} + []).map({v}, {body})
        ({list1} + []).map({v}, {condition}, {body})
        {string1}.split(',')
        {string1}.split({string2})
        {map1}.m.a
    """),
    "map": _formats("""
        {{'a': {any1}, 'b': {any2}}}
        {{'m': {map1}, 'a': {int1}}}
        {map1}.m
        ({bool1} ? {map1} : {map2})
    """),
}

FAILED = "failed"


def ours(source: str) -> Any:
    """The value by this project, or FAILED."""
    try:
        evaluator = prepare(parse(Source(source, Place())), {}, b"").evaluator
        return evaluator(make_view(**DATA))
    except Failure:
        return FAILED


def theirs(source: str) -> Any:
    """The value by cel-cpp, or FAILED. It raises for a key that stands twice in a map."""
    expression = ENVIRONMENT.compile(source, disable_check=True)
    moment = datetime.datetime.fromtimestamp(TIME_NS // 10**9, datetime.UTC)
    try:
        value = expression.eval(data={**DATA, "time": moment})
    except RuntimeError:
        return FAILED
    return FAILED if value.type() == cel.Type.ERROR else value.plain_value()


def shown(value: Any) -> str:
    """A text that tells apart what CEL tells apart: 1 and 1.0, 0.0 and -0.0, 1 and true."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {shown(value[key])}' for key in sorted(value))}}}"
    return f"{type(value).__name__} {value!r}"


def assert_agreement(source: str) -> bool:
    """Compares both engines; whether the expression has a value.

    An expression that calls a function so that it always fails is refused at load, and left out.
    """
    _, faults = check(parse(Source(source, Place())), file="", lists={})
    if any(fault.code == "E109" for fault in faults):
        return False
    mine, reference = ours(source), theirs(source)
    assert shown(mine) == shown(reference), source
    return mine is not FAILED


@settings(
    max_examples=CASES,
    deadline=None,
    derandomize=CASES <= CASES_SHORT,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(expressions())
def test_we_agree_with_cel_cpp(source: str) -> None:
    """Every generated expression has the same value, or none, in both engines."""
    assert_agreement(source)


def test_we_agree_with_cel_cpp_at_random() -> None:
    """Likewise for expressions drawn evenly, of which many have a value and many have none."""
    seed = int(os.environ.get("INTERLOCK_CEL_SEED", "0"))
    choices = random.Random(seed)
    valued = sum(
        assert_agreement(expression(choices.choice, choices.choice(VALUES), 3))
        for _ in range(4 * CASES)
    )
    # A generator that only fails, or never does, would prove nothing.
    assert CASES // 2 < valued < 3 * CASES, f"seed {seed}"


@pytest.mark.parametrize(
    ("source", "mine", "reference"),
    [
        ("9007199254740993 == 9007199254740992.0", False, True),
        ("9223372036854775807 < 9223372036854775808.0", True, False),
        ("double('NaN') < 1.0", FAILED, False),
        ("int(' 1')", FAILED, 1),
        ("string(1.5)", FAILED, "1.5"),
        ("{1: 2}[1]", FAILED, 2),
        ("timestamp('2024-01-01T00:00:60Z') == timestamp(0)", FAILED, False),
        ("duration('0.1ns') == duration('0')", FAILED, True),
    ],
)
def test_known_differences(source: str, mine: Any, reference: Any) -> None:
    """What docs/cel.md lists as different is different, and in the way that it says."""
    assert shown(ours(source)) == shown(mine)
    assert shown(theirs(source)) == shown(reference)
