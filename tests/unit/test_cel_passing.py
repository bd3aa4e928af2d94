"""Generated functions: what they share, what they charge, and how deep and long they may be."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from invariants.cel.checked import CheckedExpression, check_expression
from invariants.cel.common import CommonParts
from invariants.cel.compile import Expression, compile_expression
from invariants.model.errors import Place
from invariants.model.source_text import SourceText
from tests.support.cel import KEY, evaluate, make_view

LISTS: dict[str, list[Any]] = {"names": ["*a*", "cmd"]}
CONDITIONS = ("named_any(lists.names, k)", "k.contains('a')", "k.matches('^[a-m]')", "bool(k)")
RESTS = ("args[k] == 1", "size(args[k]) > 1 / size(args)", "k.startsWith('c')", "args[k]")
KEYS = ("a", "b", "cmd", "na", "true", "x" * 1_001, "y" * 300)
VALUES: tuple[Any, ...] = (1, "text", True, [1], None, 2**70)


def checked(text: str) -> CheckedExpression:
    found, faults = check_expression(SourceText(text, Place()), file="a.yaml", lists=LISTS)
    assert found is not None, faults
    return found


def pair(texts: list[str]) -> list[tuple[Expression, Expression]]:
    """Each expression alone, and together with the others."""
    found, common = [checked(text) for text in texts], CommonParts()
    for one in found:
        common.take(one.node, LISTS)
    return [
        (
            compile_expression(one, lists=LISTS, digest_key=KEY),
            compile_expression(one, lists=LISTS, digest_key=KEY, common=common),
        )
        for one in found
    ]


def drawn(choose: Callable[[Any], Any]) -> str:
    condition, rest = choose(CONDITIONS), choose(RESTS)
    more = choose(("", f" && {choose(RESTS)}"))
    if choose((True, False)):
        return f"args.exists(k, {condition} && {rest}{more})"
    return f"args.all(k, !{condition} || {rest}{more.replace('&&', '||')})"


def test_elements_that_pass_are_found_once() -> None:
    """With and without sharing: the same values, reasons and steps, however few are left."""
    spent_count = failed_count = true_count = 0
    for seed in range(250):
        choose = Random(seed).choice
        pairs = pair([drawn(choose) for _ in range(4)])
        for fields in ({}, *({choose(KEYS): choose(VALUES) for _ in range(4)} for _ in range(4))):
            steps = choose((10, 30, 100, 100_000))
            one, other = make_view(args=fields), make_view(args=fields)
            one.allot(steps)
            other.allot(steps)
            for alone, together in pairs:
                value, beside = alone.evaluate(one), together.evaluate(other)
                assert repr(value) == repr(beside), (seed, alone.checked.text, fields)
                spent_count += one.steps_left < 0
                assert (one.steps_left < 0) == (other.steps_left < 0), seed
                if one.steps_left < 0:
                    break
                assert one.steps_left == other.steps_left, (seed, alone.checked.text, fields)
                true_count += value is True
                failed_count += "CelError" in repr(value)
    assert spent_count > 50
    assert failed_count > 500
    assert true_count > 500


def test_elements_are_asked_once() -> None:
    """The second expression asks nothing of an element that did not pass."""
    texts = ["args.exists(k, named_any(lists.names, k) && args[k] == 1)"] * 2
    (_, first), (_, second) = pair(texts)
    view = make_view(args={f"x{n}": 0 for n in range(100)})
    assert first.evaluate(view) is False
    (rows,) = (rows for rows in view.shared.values() if isinstance(rows, list))
    assert len(rows) == 1
    before = view.steps_left
    assert second.evaluate(view) is False
    assert before - view.steps_left == 100 * 5


def test_too_many_elements_are_not_all_asked() -> None:
    """Names that cost more than the event has left are not looked at, by any expression."""
    texts = ["args.exists(k, named_any(lists.names, k) && args[k] == 1)"] * 2
    view = make_view(args={f"{n}" * 200: 0 for n in range(100, 1_000)})
    view.allot(10_000)
    for _, together in pair(texts):
        together.evaluate(view)
        # A name costs some 300 steps: the first that is too much is the last.
        assert -1_000 < view.steps_left < 0
    assert not view.shared


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("args.l.exists(e, e > 3)", 3 * 3),
        ("args.l.exists(e, e > 3 || e < 0)", 3 * (1 + 3 + 3)),
        ("args.l.all(e, e > 0 || e < 0)", 3 * (1 + 3)),
        ("args.l.exists(e, e > 1 && e < 3)", 2 * (1 + 3) + 3),
        ("args.l.map(e, e > 1, e + 1) == [3, 4]", 3 * 6 + 2),
        ("args.l.exists(e, args.l.exists(f, f == e && e == 3))", 3 * 3 + 9 * (1 + 3) + 3 * 3),
    ],
)
def test_steps_of_macros(text: str, steps: int) -> None:
    """docs/cel.md, Bounds: nodes of the body for each element, and of each operand evaluated."""
    view = make_view(args={"l": [1, 2, 3]})
    compile_expression(checked(text), lists=LISTS, digest_key=KEY).evaluate(view)
    assert 100_000 - view.steps_left == steps


def test_a_chain_may_be_long() -> None:
    """Operands are one after the other, and not one within the other."""
    text = " || ".join(f"args.n == {n}" for n in range(500))
    assert evaluate(text, args={"n": 499}) is True
    assert evaluate(text, args={"n": 500}) is False


@pytest.mark.parametrize("depth", [1, 10, 20, 24])
def test_operators_may_be_deep(depth: int) -> None:
    """Python nests twenty blocks at most; an expression may be deeper."""
    text = "args.x"
    for level in range(depth):
        other = "args.y" if level % 2 else "args.none.x"
        text = f"({text} {'||' if level % 2 else '&&'} {other})"
    assert evaluate(text, args={"x": False, "y": False}) is False
    chosen = "args.x"
    for _ in range(depth):
        chosen = f"(args.x ? args.none : {chosen})"
    assert evaluate(chosen, args={"x": False}) is False


@pytest.mark.parametrize("depth", [1, 8, 20])
def test_macros_may_be_deep(depth: int) -> None:
    """Each level reads the variables of all around it."""
    names = [f"v{level}" for level in range(depth)]
    text = " + ".join(names) + f" == {depth}"
    for name in reversed(names):
        text = f"args.l.exists({name}, {text})"
    assert evaluate(text, args={"l": [1]}) is True
    assert evaluate(text, args={"l": [2]}) is False


def test_generated_functions_have_no_builtins() -> None:
    """They can name what they were given, and nothing else."""
    expression = compile_expression(checked("size(args.x) == 1"), lists=LISTS, digest_key=KEY)
    assert expression.evaluate(make_view(args={"x": "a"})) is True
    assert expression._prepared.evaluator.__globals__["__builtins__"] == {}  # type: ignore[attr-defined]


def test_a_macro_stops_when_no_steps_are_left() -> None:
    """A loop whose steps depend on no value asks at each element if any are left."""
    text = "args.l.exists(a, args.l.exists(b, args.l.exists(c, a + b + c < 0)))"
    view = make_view(args={"l": list(range(100))})
    compile_expression(checked(text), lists=LISTS, digest_key=KEY).evaluate(view)
    assert -10 < view.steps_left < 0
