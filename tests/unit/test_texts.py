"""`texts(x)`: one way to read an optional argument that is one text, several, or null."""

from __future__ import annotations

from typing import Any

import pytest

from invariants.values.value import STRING_BYTES_MAX
from tests.support.cel import codes, compiled, evaluate, fails


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ("", [""]),
        ("a", ["a"]),
        ([], []),
        (["a"], ["a"]),
        (["b", "a", "b"], ["b", "a", "b"]),
        ([None], []),
        (["a", None, ""], ["a", ""]),
    ],
)
def test_what_models_send(value: Any, expected: list[str]) -> None:
    """Null is none, a text is one, a list is its texts in their order; a null in it is nothing."""
    assert evaluate("texts(args.x)", args={"x": value}) == expected
    assert evaluate("texts(texts(args.x))", args={"x": value}) == expected


@pytest.mark.parametrize(
    "value",
    [0, 1.5, True, False, {}, {"a": "b"}, 2**63, [1], ["a", 1], [["a"]], ["a", {}], [True], [[]]],
)
def test_what_is_no_text_is_an_error(value: Any) -> None:
    """What a tool makes of it is not known, and so it is never passed over."""
    assert fails("texts(args.x)", args={"x": value})
    assert fails("texts(args.x).exists(t, t == 'z')", args={"x": value})


def test_an_absent_key_stays_an_error() -> None:
    """`has()` comes first; a path through nothing is an error too."""
    assert fails("texts(args.x)", args={})
    assert fails("texts(args.x)")
    assert evaluate("has(args.x) && size(texts(args.x)) > 0", args={}) is False


def test_texts_are_bounded_as_everywhere() -> None:
    """A text over `string_bytes_max` fails, alone and in a list."""
    long = "x" * (STRING_BYTES_MAX + 1)
    assert fails("size(texts(args.x)) > 0", args={"x": long})
    assert fails("size(texts(args.x)) > 0", args={"x": ["a", long]})
    assert evaluate("size(texts(args.x))", args={"x": long[1:]}) == 1


def test_its_type_is_known() -> None:
    """A list before any event; what can never be one of the three is refused."""
    assert compiled("texts(args.x)").checked.type == "list"
    for text in ("texts(args)", "texts(3)", "texts(true)", "texts(seq)", "texts(time)"):
        assert "E104" in codes(text), text
    assert codes("texts()") == codes("args.x.texts()") == ["E103"]


def test_lists_in_it_cost_steps_within_macros() -> None:
    """A long list that is read again for each element runs out of steps, and fails."""
    values = ["a"] * 1_000
    assert fails("args.x.all(v, texts(args.x) == args.x)", args={"x": values})
    assert evaluate("texts(args.x).all(v, v == 'a')", args={"x": values}) is True
