"""What expressions mean: operators, macros, absent fields, failures that are absorbed or not."""

from __future__ import annotations

import math

import msgspec
import pytest

from invariants.taint.event_view import EventView
from invariants.values.value import VALUE_DEPTH_MAX, CelError, Duration, Timestamp
from tests.support.cel import TIME_NS, compiled, evaluate, fails, make_view, raw_view

ARGS = {
    "n": 1,
    "f": 1.5,
    "s": "x",
    "b": True,
    "nul": None,
    "l": [1, "a"],
    "m": {"a": None, "k": 2},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("args.n == 1.0", True),
        ("args.b == 1", False),
        ("args.n == true", False),
        ("args.n == '1'", False),
        ("args.nul == null", True),
        ("args.n == null", False),
        ("args.n != '1'", True),
        ("1 == args.n", True),
        ("args.l == [1.0, 'a']", True),
        ("args.l == [true, 'a']", False),
        ("args.m == {'k': 2.0, 'a': null}", True),
        ("args.m == args.l", False),
        ("args.b in [1]", False),
        ("args.n in [true]", False),
        ("args.n in [1.0]", True),
        ("args.nul in [null]", True),
        ("args.nul in [false]", False),
        ("[1] in [[1.0]]", True),
        ("'a' in args.l", True),
        ("true in args.l", False),
        ("1.0 in args.l", True),
        ("'k' in args.m", True),
        ("1 in args.m", False),
        ("args.l == [1]", False),
        ("[1] == args.l", False),
        ("args.l == args.l + [2]", False),
        ("args.l + [2] == args.l", False),
        ("args.m == {'k': 2}", False),
        ("has(args.nul)", True),
        ("has(args.m.a)", True),
        ("has(args.none)", False),
        ("args.n < 1", False),
        ("args.n <= 1", True),
        ("args.n >= 1", True),
        ("args.n > 1", False),
        ("args.f <= 1.5", True),
        ("args.n < 1.5", True),
        ("args.n < args.f", True),
        ("9007199254740993 > 9007199254740992.0", True),
        ("9223372036854775807 < 9223372036854775808.0", True),
        ("'ab' < 'ac'", True),
        ("'\\U0001F600' > '\\uffff'", True),
        ("false < true", True),
        ("0.0 / 0.0 == 0.0 / 0.0", False),
        ("0.0 / 0.0 != 0.0 / 0.0", True),
        ("(0.0 / 0.0) in [0.0 / 0.0]", False),
        ("0.0 / 0.0 < 1.0", False),
        ("-0.0 == 0.0", True),
        ("-5 / 2", -2),
        ("5 / -2", -2),
        ("-5 % 2", -1),
        ("5 % -2", 1),
        ("1.0 / -0.0 < 0.0", True),
        ("args.l[0.0]", 1),
        ("args.l[1]", "a"),
        ("args['n']", 1),
        ("args.l + [2]", [1, "a", 2]),
        ("args.s + 'y'", "xy"),
        ("-args.f", -1.5),
        ("args.n > 0 ? 'a' : 1", "a"),
        ("[[1, 2], [3]].map(x, x.map(y, y * 2))", [[2, 4], [6]]),
        ("[1].map(x, [2].map(x, x))", [[2]]),
        ("[1, 2, 3].map(x, x > 1, x * 2)", [4, 6]),
        ("[1, 2].filter(x, x > 1)", [2]),
        ("args.m.map(k, k)", ["a", "k"]),
        ("args.m.exists(k, args.m[k] == 2)", True),
        ("[1, 2].exists_one(x, x > 1)", True),
        ("[2, 2].exists_one(x, x > 1)", False),
        ("[].all(x, false) && ![].exists(x, true)", True),
        ("dyn(args.n) == 1", True),
    ],
)
def test_values(text: str, value: object) -> None:
    """Operators and macros give what CEL's specification says, with the same types."""
    met = evaluate(text, args=ARGS)
    assert (type(met), met) == (type(value), value)


@pytest.mark.parametrize(
    "text",
    [
        "args.n < 'a'",
        "args.s < 1",
        "args.nul < dyn(null)",
        "args.l < args.l",
        "args.b < 1",
        "args.n + args.f",
        "args.n + args.s",
        "args.s + 1",
        "args.b + args.b",
        "args.m + args.m",
        "args.s * 2",
        "args.f % dyn(2.0)",
        "-args.s",
        "!args.n",
        "args.n ? 1 : 2",
        "args.none ? 1 : 1",
        "args.n / 0",
        "args.n % 0",
        "9223372036854775807 + args.n",
        "-9223372036854775808 - args.n",
        "4611686018427387904 * (args.n + 1)",
        "-(-9223372036854775808 + 0 * args.n)",
        "(-9223372036854775808 + 0 * args.n) / -1",
        "(-9223372036854775808 + 0 * args.n) % -1",
        "args.none",
        "args.none == 1",
        "args.none != 1",
        "args['none']",
        "args.m.a.b",
        "args.l.x",
        "args.s.x",
        "has(args.none.x)",
        "has(args.nul.x)",
        "has(args.l.x)",
        "args.l[2]",
        "args.l[-1]",
        "args.l[0.5]",
        "args.l[args.b]",
        "args.l[args.s]",
        "args.l[args.nul]",
        "args.m[args.n]",
        "args[args.nul]",
        "args.n[0]",
        "1 in args.s",
        "'x' in args.nul",
        "args.nul in args.m",
        "args.l in args.m",
        "args.n.all(x, true)",
        "args.nul.map(x, 1)",
        "args.l.filter(x, x)",
        "args.l.exists_one(x, x > 0)",
        "args.l.map(x, x + 1)",
        "{args.n: 1}",
        "{'a': 1, args.s + '': 2, 'x': 3}",
        "size(args.n)",
    ],
)
def test_failures(text: str) -> None:
    """What has no value in CEL is an error, never false and never a guess."""
    assert fails(text, args=ARGS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("args.none == 1 && false", False),
        ("false && args.none == 1", False),
        ("args.none == 1 || true", True),
        ("args.n && false", False),
        ("args.n || true", True),
        ("args.none == 1 && args.n && kind == ''", False),
        ("kind == 'tool.requested' && (args.none == 1 && kind == 'zzz')", False),
        ("[0, 1].exists(x, 1 / x == 1)", True),
        ("[1, 0].exists(x, 1 / x == 1)", True),
        ("[0, 1].all(x, 1 / x == 2)", False),
        ("[1, false].all(x, x)", False),
        ("[1, true].exists(x, x)", True),
        ("true || args.none.deeper.still", True),
    ],
)
def test_absorbed(text: str, value: bool) -> None:
    """`&&`, `||`, `all`, `exists` do not need an operand that cannot matter."""
    assert evaluate(text, args=ARGS) is value


@pytest.mark.parametrize(
    "text",
    [
        "args.none == 1 && true",
        "true && args.none == 1",
        "args.none == 1 || false",
        "args.n && true",
        "args.n || false",
        "kind == 'tool.requested' && args.n",
        "kind == 'tool.requested' && tool == '' && args.n",
        "kind == 'tool.requested' && args.none == 1 && true",
        "[0, 1].exists(x, 1 / x == 2)",
        "[0, 1].all(x, 1 / x == 1)",
        "[true, 1].all(x, x)",
        "args.none == 1 ? true : true",
        "(args.none == 1 || true) ? args.none : 1",
    ],
)
def test_not_absorbed(text: str) -> None:
    """An error that can matter is the result; the ternary absorbs none."""
    assert fails(text, args=ARGS)


def test_fields_that_the_kind_does_not_have_are_empty() -> None:
    """Absent texts are empty there, absent maps too, `result` is null, `seq` is an error."""
    for name in ("tool", "call", "text", "error"):
        assert evaluate(f"{name} == ''", kind="heartbeat") is True
    assert evaluate("attributes == {} && result == null && args == {}", kind="heartbeat") is True
    assert evaluate("has(args.x)", kind="heartbeat") is False
    assert fails("seq", kind="heartbeat")
    assert evaluate("seq + 1", seq=4) == 5
    assert evaluate("principal", principal="alice") == "alice"


@pytest.mark.parametrize("kind", ["tool.requested", "tool.failed", "approval.granted", "tool."])
def test_absent_args_of_a_call_are_an_error(kind: str) -> None:
    """On `tool.*` and `approval.*` the lack of `args` is no empty map, not even for `has`."""
    assert fails("args", kind=kind)
    assert fails("has(args.x)", kind=kind)
    assert fails("args.x", kind=kind)
    assert fails("size(args) == 0", kind=kind)
    assert evaluate("has(args.x)", kind=kind, args={}) is False


def test_ints_beyond_int64_fail_where_they_are_read() -> None:
    """An int that CEL cannot hold is an error when reached, and harmless before."""
    args = {"big": 2**63, "low": -(2**63) - 1, "l": [2**63, 1], "m": {"x": 2**64}, "ok": 2**63 - 1}
    for text in (
        "args.big",
        "args.low",
        "args['big']",
        "args.l[0]",
        "args.l == [1, 1]",
        "args.l != [1, 1]",
        "1 in args.l",
        "args.l.all(x, x > 0)",
        "args.l.map(x, x)",
        "args.m.x",
        "args.m == {'x': 1}",
        "digest(args)",
        "digest(args.l)",
        "args.big == args.big",
        "args.big > 0",
        "number(args.big)",
        "string(args.big)",
    ):
        assert fails(text, args=args), text
    assert evaluate("args.ok + 0 == 9223372036854775807 && has(args.big)", args=args) is True
    assert evaluate("args.l.all(x, true) && size(args.l) == 2", args=args) is True
    assert fails("result", result=2**63)
    assert fails("result[0]", result=[2**63])


def test_numbers_are_what_their_json_says() -> None:
    """An integral literal is an int; a point or an exponent makes a double."""
    view = raw_view(b'{"session":"s","ts":1,"kind":"k","args":{"a":1,"b":1.0,"c":1e2,"d":-0}}')
    assert compiled("args.a + 1").evaluate(view) == 2
    assert isinstance(compiled("args.b + 1").evaluate(view), CelError)
    assert compiled("args.c + 1.0").evaluate(view) == 101.0
    assert compiled("args.d + 1").evaluate(view) == 1


@pytest.mark.parametrize("args", [b'{"a":"\xff"}', b"3", b"[1]"])
def test_unreadable_parts_are_errors(args: bytes) -> None:
    """What no decoding stage should have let through is an error here too, never a crash."""
    view = raw_view(b'{"session":"s","ts":1,"kind":"tool.requested","args":' + args + b"}")
    assert isinstance(compiled("args.a").evaluate(view), CelError)
    assert isinstance(compiled("has(args.a)").evaluate(view), CelError)
    assert compiled("args.a == 1 || kind == 'tool.requested'").evaluate(view) is True


@pytest.mark.parametrize("number", [b"1e400", b"-1e309", b"1" * 5000, b"1e99999999999"])
def test_a_number_out_of_range_is_a_missing_value(number: bytes) -> None:
    """It fails where it is read, at any depth; what stands beside it is read as ever."""
    args = b'{"a":%s,"b":[1,%s,"x"],"c":{"d":%s},"e":"text"}' % (number, number, number)
    result = b'[{"f":%s},"y"]' % number
    view = raw_view(
        b'{"session":"s","ts":1,"kind":"tool.completed","args":%s,"result":%s}' % (args, result)
    )
    for text in (
        "args.a", "args.b[1]", "args.c.d", "args.a == 1", "args.c == {'d': 1}", "string(args.a)",
        "args.b.exists(x, x == 'z')", "args.b == [1, 2, 'x']", "'z' in args.b", "args.a > 0",
        "double(args.a) > 0.0", "digest(args.c)", "result[0].f", "result[0].f != 1",
        "[1, 2].exists(x, x == args.a)", "int(args.a)", "args.c.map(k, args.c[k])",
    ):  # fmt: skip
        assert isinstance(compiled(text).evaluate(view), CelError), text
    assert compiled("has(args.a) && args.e == 'text'").evaluate(view) is True
    assert compiled("args.b[2] == 'x' && size(args.b) == 3").evaluate(view) is True
    assert compiled("args.b.exists(x, x == 'x')").evaluate(view) is True
    assert compiled("result[1] == 'y'").evaluate(view) is True


def test_what_a_client_left_out_is_missing() -> None:
    """It says so in the event's attributes: an argument is there and has no value."""
    head = b'{"session":"s","ts":1,"kind":"tool.completed"'
    args, result = b'"args":{"a":1}', b'"result":{"b":{"$interlock_unserialisable":"T"},"c":2}'

    def view(*parts: bytes, **attributes: object) -> EventView:
        told = msgspec.json.encode(attributes)
        return raw_view(b",".join((head, *parts, b'"attributes":' + told)) + b"}")

    def fails_at(seen: EventView, *texts: str) -> bool:
        return all(isinstance(compiled(text).evaluate(seen), CelError) for text in texts)

    one = view(args, interlock_args_omitted=["x"])
    assert compiled("args.a == 1 && has(args.x)").evaluate(one) is True
    assert fails_at(one, "args.x", "args.x == 'evil'", "args == {'a': 1, 'x': 2}", "has(args.x.y)")
    every = view(args, interlock_args_omitted=True)
    assert fails_at(every, "args.a", "has(args.a)", "size(args) == 0", "'a' in args")
    parts = view(result, interlock_result_unserialisable=1)
    assert compiled("result.c == 2 && has(result.b)").evaluate(parts) is True
    assert fails_at(parts, "result.b", "has(result.b.x)", "result.b == {}")
    agents_own = view(result)
    assert compiled("has(result.b.x)").evaluate(agents_own) is False
    beside_a_number = view(result.replace(b'"c":2', b'"c":1e999'))
    assert compiled("has(result.b.x)").evaluate(beside_a_number) is False
    assert fails_at(beside_a_number, "result.c > 1.0")
    cut = view(b'"result":"begin"', interlock_result_length=10**6)
    assert fails_at(cut, "result", "result == 'begin'", "result.contains('z')")
    beginning = view(b'"text":"begin","error":"begin"', interlock_text_length=10**6)
    assert fails_at(beginning, "text", "text.contains('z')", "text == ''")
    assert compiled("error == 'begin'").evaluate(beginning) is True
    assert fails_at(view(b'"error":"begin"', interlock_error_length=5000), "error.contains('z')")
    none = view(interlock_attributes_omitted=True)
    assert fails_at(none, "has(attributes.x)", "attributes == {}", "size(attributes) == 1")


def test_time() -> None:
    """`time` is the effective time, as a timestamp."""
    assert evaluate("time") == Timestamp(TIME_NS)
    assert evaluate("time > timestamp('2023-11-14T22:13:19.999999999Z')") is True
    assert evaluate("time - timestamp('2023-11-14T22:00:00Z') == duration('13m20s')") is True
    assert evaluate("time.getHours() == 22 && time.getDayOfWeek() == 2") is True
    assert evaluate("time + duration('1ns')") == Timestamp(TIME_NS + 1)
    assert evaluate("time - time") == Duration(0)
    assert fails("time", time_ns=10**30)
    assert fails("timestamp(args.x)", args={"x": 10**18})


def test_steps_are_bounded() -> None:
    """An evaluation that takes too many steps fails at once, however deeply it is nested."""
    big = list(range(1000))
    for text in (
        "args.l.all(x, args.l.all(y, x + y >= 0))",
        "args.l.exists(x, args.l.exists(y, x + y < 0 || args.none == 1))",
        "args.l.map(x, args.l + args.l).size() > 0",
        "args.l.map(x, args.l.map(y, y)).size() > 0",
        "args.l.exists(x, x + 1000 in args.l)",
        "args.l.exists(x, args.l == args.l && x < 0)",
        "args.l.map(x, digest(args.l)).size() > 0",
        "args.l.all(x, !args.t.contains(args.s))",
        "digest(args.l.map(x, args.l)) == ''",
        "args.l.all(x, digest(args.t) != '')",
    ):
        value = evaluate(text, args={"l": big, "t": "a" * 200_000, "s": "b"})
        assert isinstance(value, CelError), text
        assert "no steps left" in value.reason, text
    assert evaluate("args.l.all(x, x >= 0)", args={"l": big}) is True


def test_spent_steps_are_absorbed_by_nothing() -> None:
    """Once an event has no steps left nothing is said of it that its kind does not decide."""
    args = {"l": list(range(1000))}
    spent = "args.l.all(x, args.l.all(y, x + y >= 0))"
    for text in (f"{spent} && kind == 'other'", f"{spent} || kind == 'tool.requested'"):
        assert fails(text, args=args), text
    assert evaluate(f"kind == 'other' && {spent}", args=args) is False


def test_deep_values_are_bounded() -> None:
    """Values nested beyond the bound fail in `==` and `digest`, they do not overflow the stack."""
    deep: object = 1
    for _ in range(300):
        deep = [deep]
    assert fails("args.a == args.b", args={"a": deep, "b": deep})
    assert fails("digest(args)", args={"a": deep})
    assert fails("args.a in [args.b]", args={"a": deep, "b": deep})


def test_the_deepest_evaluation_fits_the_stack() -> None:
    """The deepest expression over the deepest value evaluates, with half the stack in use."""
    deep: object = 1
    for level in range(VALUE_DEPTH_MAX):
        deep = {"a": deep} if level % 2 else [deep]
    inner = "(args.d == args.e && digest(args.d) == digest(args.e))"
    for number in range(14):
        inner = f"[1].all(v{number}, !(!{inner}))"
    expression = compiled(inner)

    def below(frames: int, value: object) -> object:
        if frames:
            return below(frames - 1, value)
        return expression.evaluate(make_view(args={"d": value, "e": value}))

    assert below(200, deep) is True
    assert isinstance(below(200, [deep]), CelError)


def test_evaluation_leaves_the_event_as_it_is() -> None:
    """Two evaluations of one event give the same; nothing is written back."""
    expression = compiled("(args.l + args.l).size() == 4 && args.l.size() == 2")
    view = make_view(args=ARGS)
    assert [expression.evaluate(view) for _ in range(2)] == [True, True]


@pytest.mark.parametrize(
    ("kind", "tool", "value"),
    [("a", "t", True), ("a", "u", False), ("b", "t", False), ("b", "u", False)],
)
def test_kind_and_tool_are_both_asked(kind: str, tool: str, value: bool) -> None:
    """Such a beginning is made short; it means what it would mean written out."""
    text = "kind == 'a' && tool == 't' && args.n == 1"
    assert evaluate(text, kind=kind, tool=tool, args=ARGS) is value


def test_what_is_no_number_is_in_no_list() -> None:
    """Not even in the list that it was taken out of."""
    expression = compiled("lists.l[0] in lists.l", l=(math.nan, 1))
    assert expression.evaluate(make_view()) is False
    assert compiled("lists.l[1] in lists.l", l=(math.nan, 1)).evaluate(make_view()) is True
