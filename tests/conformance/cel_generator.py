"""Random CEL expressions with the events that they are asked of, for `test_cel_oracle.py`.

An expression grows from forms: texts with holes, each of which wants a type. Most holes get what
they want; some get another type, a key that is not there, or a number at the edge of its range, so
that a good part of all expressions ends in an error, and many with an error that is absorbed. The
events vary likewise: keys are missing from them or hold something else.

What docs/cel.md lists as different is not generated: `string()` of what is no int, bool or string,
keys of maps that are no strings, ints beyond 2^53 as doubles, spaces and `NaN` in texts of numbers,
the longest spans. The order of a map's keys is open in CEL: no list is made of a map's keys but to
be counted, and what `+ []` follows is a list or fails.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

Pick = Callable[[Sequence[Any]], Any]
"""Chooses one of several: at random, or so that a failing case can be made smaller."""

ARGS: Final[dict[str, Any]] = {
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
    "t": "2024-02-29T23:59:59.999999999Z",
    "w": "1h1m1.001s",
    "u": "é\U0001f600\uffff",
    "nul": None,
    "l": [1, 2.0, "ab", None, True, [1]],
    "ints": [3, 1, 2],
    "texts": ["a", "ab", "é"],
    "bools": [True, False],
    "none": [],
    "m": {"a": 1, "b": "y", "c": None, "m": {"a": [1]}},
    "records": [{"a": 1, "b": "y"}, {"a": "1"}, {}],
}
FIELDS: Final[dict[str, Any]] = {
    "kind": "tool.requested",
    "tool": "http.post",
    "text": "a,b é",
    "agent": "ab",
    "call": "1",
    "args": ARGS,
    "attributes": {"a": "1", "b": "ab"},
    "result": {"a": [1, 2], "b": "x y"},
    "seq": 7,
}
_STRANGE: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    2.5,
    1e300,
    "",
    "é",
    [],
    [None],
    {},
)
_ABSENT: Final = object()
NAMES: Final = ("tool", "text", "agent", "call")
KINDS: Final = (*("tool.requested",) * 3, "message.user", "session.started")


def events(count: int) -> list[dict[str, Any]]:
    """The fields of events; the first is whole, the others miss keys or hold something else."""
    choices = random.Random(1)
    return [FIELDS, *(_varied(choices) for _ in range(count - 1))]


def _varied(choices: random.Random) -> dict[str, Any]:
    args = {key: _fate(choices, value) for key, value in ARGS.items()}
    fields = FIELDS | {"args": {key: v for key, v in args.items() if v is not _ABSENT}}
    fields["kind"] = choices.choice(KINDS)
    for key, odds in (("args", 0.05), ("seq", 0.2), *dict.fromkeys(NAMES, 0.1).items()):
        if choices.random() < odds:
            del fields[key]
    if choices.random() < 0.2:
        fields["result"] = choices.choice(_STRANGE)
    return fields


def _fate(choices: random.Random, value: Any) -> Any:
    drawn = choices.random()
    if drawn < 0.08:
        return _ABSENT
    return choices.choice(_STRANGE) if drawn < 0.16 else value


LEAVES: Final[dict[str, tuple[str, ...]]] = {
    "bool": ("args.b", "args.no", "true", "false", "has(args.s)", "has(args.x)"),
    "int": ("args.i", "args.zero", "args.max", "args.min", "args.odd", "1", "-2", "0", "3", "seq"),
    "double": ("args.d", "args.whole", "args.dz", "1.5", "-2.0", "0.0", "1e300", "-1e19", "9.3e18"),
    "string": (
        *(
            "args.s",
            "args.e",
            "args.n",
            "args.u",
            "kind",
            "text",
            "tool",
            "agent",
            "call",
            "attributes.b",
        ),
        *("'a'", "'ab'", "''", "'1'", "'-7'", "'true'", "'2.50'", r"'\u00e9\t'", r"r'\d'", '"é"'),
        *("'9223372036854775808'", "'-9223372036854775808'", "result.b"),
    ),
    "list": (
        *("args.l", "args.ints", "args.texts", "args.bools", "args.none", "args.records"),
        *("[1, 'a']", "[]", "[1, 1.0]", "result.a", "[[], {}]"),
    ),
    "map": ("args.m", "args.m.m", "args", "{}", "{'a': 1.0}", "{'a': 1, 'b': null}", "attributes"),
    "timestamp": (
        *("time", "timestamp(args.t)", "timestamp(args.i)", "timestamp(0)"),
        *("timestamp('9999-12-31T23:59:59.999999999Z')", "timestamp('0001-01-01T00:00:00Z')"),
        "timestamp('1969-12-31T23:59:59.5-01:30')",
    ),
    "duration": (
        *("duration(args.w)", "duration('90m')", "duration('-1.000000001s')", "duration('0')"),
        *("duration('9223372035s')", "duration('-2562047h47m15s')", "duration('1us')"),
    ),
    "number": ("args.i", "args.max", "args.d", "args.whole", "1", "1.0", "0", "0.0"),
}
TYPES: Final = tuple(LEAVES)
ODD_LEAVES: Final = (
    *("args.nul", "null", "args.missing", "args.s.x", "args.m.zz", "args.l[9]", "(1 / 0)"),
    *("args.l[-1]", "(args.max + 1)", "(-args.min)", "args.m['zz']", "result.zz", "int(args.u)"),
)
ODDS_OTHER: Final = 40
"""One hole in so many gets what it did not ask for."""


def _forms(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


FORMS: Final[dict[str, tuple[str, ...]]] = {
    "bool": _forms(r"""
        ({bool1} && {bool2})
        ({bool1} || {bool2})
        ({bool1} && {bool2} && {bool3})
        ({bool1} || {bool2} || {bool3})
        ({odd1} || {bool1})
        ({bool1} && {odd1})
        (!{bool1})
        ({bool1} ? {bool2} : {any1})
        ({any1} == {any2})
        ({any1} != {any2})
        ({any1} < {any2})
        ({any1} >= {any2})
        ({number1} == {number2})
        ({int1} <= {int2})
        ({int1} > {double1})
        ({double1} >= {int1})
        ({string1} < {string2})
        ({bool1} < {bool2})
        ({timestamp1} < {timestamp2})
        ({timestamp1} == {timestamp2})
        ({duration1} >= {duration2})
        ({duration1} != {duration2})
        ({list1} == {list2})
        ({map1} != {map2})
        ({any1} in {list1})
        ({any1} in [{any2}, {any3}])
        ({string1} in {map1})
        ({any1} in {map1})
        {list1}.all({v}, {condition})
        {list1}.exists({v}, {condition})
        {list1}.exists_one({v}, {condition})
        {list1}.all({v}, {v} == {v} || {condition})
        args.ints.exists({v}, {v} > {int1} && {condition})
        args.records.exists({v}, {v}.a == {int1})
        args.records.all({v}, has({v}.a) && {condition})
        {map1}.exists({v}, {condition})
        {map1}.all({v}, {v}.size() > 0)
        {map1}.exists_one({v}, {v} == {string1})
        {string1}.contains({string2})
        {string1}.startsWith({string2})
        {string1}.endsWith({string2})
        {string1}.matches('^a.?$|é')
        {string1}.matches(r'^\w+[,. ]\D*(?i:B)')
        matches({string1}, '^$|[0-9]{{2}}')
        has({map1}.a)
        has({map1}.zz)
        has({any1}.a)
        has(args.m.m.a)
        bool({string1})
        bool({bool1})
        dyn({bool1})
    """),
    "int": _forms("""
        ({int1} + {int2})
        ({int1} - {int2})
        ({int1} * {int2})
        ({int1} / {int2})
        ({int1} % {int2})
        (-{int1})
        (args.max + {int1})
        (args.min - {int1})
        (args.min / {int1})
        (args.min % {int1})
        size({list1})
        size({string1})
        size({any1})
        {map1}.size()
        {map1}.map({v}, {body}).size()
        {map1}.a
        {map1}['a']
        args.ints[{int1}]
        args.ints[{int1} % 3]
        args.l[{any1}]
        {list1}[0]
        int({double1})
        int({int1})
        int({string1})
        int({bool1})
        int({timestamp1})
        int(string({int1} + 0))
        ({bool1} ? {int1} : {int2})
        {timestamp1}.getFullYear()
        {timestamp1}.getMonth()
        {timestamp1}.getDate()
        {timestamp1}.getDayOfMonth()
        {timestamp1}.getDayOfWeek()
        {timestamp1}.getDayOfYear()
        {timestamp1}.getHours()
        {timestamp1}.getMinutes()
        {timestamp1}.getSeconds()
        {timestamp1}.getMilliseconds()
        {duration1}.getHours()
        {duration1}.getMinutes()
        {duration1}.getSeconds()
        {duration1}.getMilliseconds()
    """),
    "double": _forms("""
        ({double1} + {double2})
        ({double1} - {double2})
        ({double1} * {double2})
        ({double1} / {double2})
        (-{double1})
        ({double1} + {int1})
        ({int1} * {double1})
        double({int1} % 1000)
        double({double1})
        double('-0.25e2')
        ({bool1} ? {double1} : {any1})
    """),
    "string": _forms("""
        ({string1} + {string2})
        ({string1} + {any1})
        {string1}.lowerAscii()
        {string1}.upperAscii()
        {string1}.trim()
        {string1}.replace({string2}, 'q')
        {string1}.replace({string2}, {string3})
        string({int1} % 1000)
        string(!{bool1})
        string({string1} + '')
        ({bool1} ? {string1} : {string2})
        {map1}.b
        {map1}[{string1}]
        {map1}[{any1}]
        args.texts[{int1}]
        {string1}.split(',')[{int1}]
    """),
    "list": _forms("""
        ({list1} + {list2})
        [{any1}, {any2}]
        [{int1}, {int2}, {double1}]
        ({list1} + []).filter({v}, {condition})
        ({list1} + []).map({v}, {body})
        ({list1} + []).map({v}, {condition}, {body})
        (args.ints + []).map({v}, {v} * {int1})
        {string1}.split(',')
        {string1}.split({string2})
        {map1}.m.a
        ({bool1} ? {list1} : {list2})
    """),
    "map": _forms("""
        {{'a': {any1}, 'b': {any2}}}
        {{'m': {map1}, 'a': {int1}}}
        {map1}.m
        args.records[{int1}]
        ({bool1} ? {map1} : {map2})
    """),
    "timestamp": _forms("""
        ({timestamp1} + {duration1})
        ({duration1} + {timestamp1})
        ({timestamp1} - {duration1})
        timestamp({int1})
        timestamp({string1})
        timestamp({timestamp1})
        ({bool1} ? {timestamp1} : {timestamp2})
    """),
    "duration": _forms("""
        ({duration1} + {duration2})
        ({duration1} - {duration2})
        ({timestamp1} - {timestamp2})
        duration({string1})
        duration({string1} + 's')
        ({bool1} ? {duration1} : {duration2})
    """),
    "number": _forms("""
        {int1}
        {double1}
        ({number1} + {number2})
    """),
}
_HOLE: Final = re.compile(r"(?<!\{)\{(\w+)\}")


def expression(pick: Pick, kind: str, depth: int, names: tuple[str, ...] = ()) -> str:
    """Text of an expression that mostly gives `kind`, and now and then something else.

    `names` are the variables of the macros around it.
    """
    fate = pick(range(ODDS_OTHER))
    if fate == ODDS_OTHER - 1:
        kind = pick(TYPES)
    if kind == "odd" or fate == ODDS_OTHER - 2:
        return str(pick(ODD_LEAVES))
    if names and pick(range(4)) == 3:
        return str(pick(names))
    if depth == 0 or fate < ODDS_OTHER // 10:
        return str(pick(LEAVES[kind]))
    return _filled(pick, str(pick(FORMS[kind])), depth - 1, names)


def _filled(pick: Pick, form: str, depth: int, names: tuple[str, ...]) -> str:
    """A form with something in each of its holes."""
    variable = f"v{len(names)}"
    # Two values of one type are compared more often than chance would have it.
    common = pick(TYPES) if pick(range(3)) else ""
    fields = {"v": variable}
    for hole in _HOLE.findall(form):
        wanted = hole.rstrip("123")
        if wanted in ("condition", "body"):
            kind = "bool" if wanted == "condition" else pick(TYPES)
            fields[hole] = expression(pick, kind, depth, (*names, variable))
        elif wanted != "v":
            kind = (common or pick(TYPES)) if wanted == "any" else wanted
            fields[hole] = expression(pick, kind, depth, names)
    return form.format(**fields)
