"""Laws of the numbers in a record: their cost, and those that only the slow reader reads."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from interlock.limits import COSTLY_NUMBERS_MAX, costly_numbers, has_too_costly_numbers
from invariants.model.event import Event, Origin
from monitor.ingest.decode import decode_event
from monitor.ingest.rejected import Rejected

ORIGIN = Origin("t", "0", 0)


def naive_cost(text: str) -> int:
    """As docs/events.md says it, of a number's text."""
    is_whole = not set(text) & set(".eE")
    if is_whole and len(text.lstrip("-")) <= 19:
        return 0
    exponent = text.lower().partition("e")[2].lstrip("+-")
    return (1 if len(text) <= 24 else len(text) // 8) + (64 if len(exponent) > 2 else 0)


number_texts = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,5})?", fullmatch=True
)
number_trees = st.recursive(
    st.one_of(number_texts, st.sampled_from(["true", "null", '"1.5e999"', '"\\"1e400"', '"1"'])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5).map(lambda items: "[" + ", ".join(items) + "]"),
        st.lists(inner, max_size=5).map(
            lambda items: "{" + ",".join(f'"{n}.5e{n}": {x}' for n, x in enumerate(items)) + "}"
        ),
    ),
)


@given(number_trees)
def test_numbers_cost_what_the_page_says(written: str) -> None:
    """Those that a JSON reader meets, and none that stands in a text."""
    met: list[str] = []
    json.loads(written, parse_int=met.append, parse_float=met.append)
    assert costly_numbers(written.encode()) == sum(map(naive_cost, met))


@given(number_texts, st.integers(-1, 2), st.sampled_from(["", "e" * 700, "." * 70_000]))
def test_a_record_of_few_points_and_exponents_costs_little(
    number: str, beyond: int, text: str
) -> None:
    """The searches that spare most records the sum say no only where the sum does."""
    cost = naive_cost(number)
    count = min(COSTLY_NUMBERS_MAX // max(cost, 1) + beyond, 70_000)
    value = f'["{text}",{",".join([number] * count)}]'.encode()
    is_too_costly = costly_numbers(value) > COSTLY_NUMBERS_MAX
    assert has_too_costly_numbers(value) is is_too_costly
    assert is_too_costly is (cost * count > COSTLY_NUMBERS_MAX)


HOSTILE_NUMBERS = ("1" * 4_301, "-" + "9" * 4_301, "1e999", "1" * 4_300, "1.0", "1e5", "NaN", "01")


@given(
    st.lists(st.sampled_from(HOSTILE_NUMBERS), min_size=1, max_size=3),
    st.sampled_from(["", " x", "}", ",", ', "b": NaN}', ', "b": "\\ud800"}', ', "c": "\xff"}']),
    st.integers(0, 30),
)
def test_no_record_ends_the_decoder(numbers: list[str], tail: str, cut: int) -> None:
    """Whatever follows a number that only the slow reader reads, an event or a rejection comes."""
    head = '{"session":"s","kind":"a","seq":1,"ts":1767605400000000000,"x":['
    record = (head + ",".join(numbers) + "]").encode() + tail.encode("latin-1")
    for value in (record, record[: len(record) - cut]):
        assert isinstance(decode_event(value, ORIGIN), Event | Rejected)
