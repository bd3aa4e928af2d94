"""`digest`: plain values are written at once, all others step by step, to the same bytes."""

from __future__ import annotations

import hmac
from random import Random
from typing import Any

import pytest

from invariants.cel import digests
from invariants.values.value import Failure
from tests.support.cel import make_view

SCALARS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -(2**63),
    2**63 - 1,
    "",
    "a" * 300,
    '\x00\x1f"\\/\b\f\n\r\t\x7f',
    "\u00e9\u2028\uffff\U0001f600",
    1.0,
    1.5,
    1e300,
)
KEYS = ("", "a", "B", "a b", "\t", "\u00e9", "\uffff", "\U0001f600", "k" * 200)


def drawn(random: Random, depth: int) -> Any:
    choice = random.random()
    if depth and choice < 0.3:
        return [drawn(random, depth - 1) for _ in range(random.randrange(4))]
    if depth and choice < 0.7:
        return {random.choice(KEYS): drawn(random, depth - 1) for _ in range(random.randrange(4))}
    return random.choice(SCALARS)


def slowly(value: Any, key: bytes) -> tuple[str, int]:
    """The definition: RFC 8785, part after part, and HMAC-SHA256; with the steps."""
    parts: list[bytes] = []
    view = make_view()
    before = view.steps_left
    digests._write(value, parts, view, 0)
    return hmac.digest(key, b"".join(parts), "sha256").hex(), before - view.steps_left


@pytest.mark.parametrize("key", [b"", b"key", b"k" * 64, b"k" * 65, bytes(range(256))])
def test_digests_are_those_of_the_definition(key: bytes) -> None:
    """The same digits and the same steps, for keys of any length."""
    plain_count = 0
    for seed in range(1_000):
        value = drawn(Random(seed), 4)
        view = make_view()
        before = view.steps_left
        digits = digests.digest(value, key, view)
        assert (digits, before - view.steps_left) == slowly(value, key), value
        plain_count += digests._plain_steps(value, 0) is not None
    assert 300 < plain_count < 900


def test_each_character_is_written_alike() -> None:
    """ASCII as a whole, and each character alone: plain texts are ASCII."""
    for code in range(0x80):
        assert digests._plain_steps(chr(code), 0) == 0
        assert digests.digest(chr(code), b"k", make_view()) == slowly(chr(code), b"k")[0]


@pytest.mark.parametrize("value", [2**63, {"a": [-(2**63) - 1]}, "\ud800", {"\ud800": 1}])
def test_what_is_no_json_fails(value: Any) -> None:
    """Within a plain value too."""
    for given in (value, [1, value], {"a": value}):
        with pytest.raises(Failure):
            digests.digest(given, b"k", make_view())


def test_values_may_be_deep() -> None:
    """As deep as the definition allows, and no deeper."""
    value: Any = 1
    for _ in range(100):
        value = [value]
    assert digests.digest(value, b"k", make_view()) == slowly(value, b"k")[0]
    with pytest.raises(Failure):
        digests.digest([value], b"k", make_view())
