"""`fold`: what is certain of every event of a kind and tool, and nothing that is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invariants.cel.fold import KindAndTool
from invariants.values.value import CelError
from tests.support.cel import compiled, make_view

A, B = ("tool.requested", "http.post"), ("message.user", "")


@pytest.mark.parametrize(
    ("text", "of_a", "of_b"),
    [
        ("kind == 'tool.requested'", True, False),
        ("kind != 'tool.requested'", False, True),
        ("kind == 'tool.requested' && args.x == 1", None, False),
        ("args.x == 1 && kind == 'tool.requested'", None, False),
        ("kind == 'tool.requested' || args.x == 1", True, None),
        ("!(kind == 'tool.requested' && args.x == 1)", None, True),
        ("kind in ['tool.requested', 'tool.failed'] && tool == 'http.post'", True, False),
        ("kind.startsWith('tool.') && tool.size() > 0", True, False),
        ("kind == 'tool.requested' ? tool == 'http.post' : args.x", True, None),
        ("args.x ? true : true", None, None),
        ("args.none == 1 && false", False, False),
        ("true || args.none.x", True, True),
        ("args.x == args.x", None, None),
        ("kind == tool", None, None),
        ("[1].all(x, true)", None, None),
        ("kind == 'tool.requested' && [1].all(x, true)", None, False),
        ("kind", None, None),
        ("dyn(kind) && false", False, False),
        ("dyn(kind) && true", None, None),
        ("dyn(kind) || true", True, True),
        ("host(tool) == 'x' && kind == 'message.user'", False, None),
        ("glob_any(lists.tools, tool)", True, False),
        ("named_any(['**HttpPost'], tool)", True, False),
        ("named_any(lists.tools, tool) && args.x == 1", None, False),
        ("text == ''", None, None),
        ("session == ''", None, None),
        ("time > timestamp('2024-01-01T00:00:00Z')", None, None),
    ],
)
def test_fold(text: str, of_a: bool | None, of_b: bool | None) -> None:
    """Only kind and tool decide; errors are counted as `&&` and `||` count them."""
    expression = compiled(text, tools=("http.*",))
    assert expression.fold(KindAndTool(*A)) is of_a
    assert expression.fold(KindAndTool(*B)) is of_b


PARTS = st.sampled_from(
    [
        "kind == 'a'",
        "kind == 'tool.b'",
        "tool == ''",
        "tool in ['x', 'y']",
        "args.x == 1",
        "args.none",
        "has(args.x)",
        "dyn(tool)",
        "args.l.all(e, e < 'a')",
        "host(tool) == 'a'",
        "true",
        "false",
    ]
)
EXPRESSIONS = st.recursive(
    PARTS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} && {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} || {pair[1]})"),
        inner.map(lambda part: f"(!{part})" if part[0] == "(" else f"(!({part}))"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
    ),
    max_leaves=8,
)
EVENTS: list[dict[str, Any]] = [
    {"kind": kind, "tool": tool, **more}
    for kind in ("a", "tool.b")
    for tool in ("", "x", "http://a")
    for more in ({}, {"args": {"x": 1, "l": ["A"]}}, {"args": {"x": "1", "l": [1]}})
]


@given(EXPRESSIONS)
def test_fold_is_sound(text: str) -> None:
    """Where `fold` is certain, no event of that kind and tool says anything else."""
    expression = compiled(text)
    for event in EVENTS:
        certain = expression.fold(KindAndTool(event["kind"], event["tool"]))
        value = expression.evaluate(make_view(**event))
        if certain is not None:
            assert value is certain, event


@given(EXPRESSIONS, EXPRESSIONS)
def test_and_or_are_commutative(left: str, right: str) -> None:
    """The order of operands changes no value: failures included, reasons aside."""
    for operator in ("&&", "||"):
        one, other = (compiled(f"{a} {operator} {b}") for a, b in ((left, right), (right, left)))
        for event in EVENTS:
            view = make_view(**event)
            first, second = one.evaluate(view), other.evaluate(view)
            if isinstance(first, CelError):
                assert isinstance(second, CelError)
            else:
                assert first is second
