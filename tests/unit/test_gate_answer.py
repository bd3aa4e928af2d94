"""The reading of a gate's answers: any bytes are one of three decisions, or not a gate's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock import Refused
from interlock.gate.answer import read_answer, read_failure
from interlock.gate.exchange import NotAGate
from interlock.gate.judge import decided


@pytest.mark.parametrize("decision", ["deny", "hold"])
def test_a_refusal_is_one_printable_line_of_bounded_size(decision: str) -> None:
    """Whatever the gate's texts contain."""
    hostile = "\x1b[2J\r\n\u202e" + "x" * 100_000
    body = GOOD | {"decision": decision, "message": hostile, "incident": hostile}
    body |= {"approval": {"id": hostile}, "invariants": [{"id": hostile}] * 1_000}
    with pytest.raises(Refused) as refused:
        decided("t", read_answer(json.dumps(body).encode(), "s", "r"))
    texts = [str(refused.value), refused.value.incident, refused.value.approval]
    texts += refused.value.invariants
    assert all(text.isprintable() for text in texts)
    assert sum(map(len, texts)) < 30_000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
FIELDS = ("decision", "request", "session", "message", "incident", "invariants", "approval", "args")
GOOD: dict[str, Any] = {"decision": "allow", "request": "r", "session": "s"}


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES), st.binary(max_size=40))
def test_any_bytes_are_an_answer_or_not_a_gates(changed: dict[str, Any], garbage: bytes) -> None:
    """Reading never raises anything else, and a decision is one of three."""
    for body in (json.dumps(GOOD | changed).encode(), garbage, json.dumps(changed).encode()):
        read_failure(body)
        try:
            read = read_answer(body, "s", "r")
        except NotAGate:
            continue
        assert read.decision in ("allow", "deny", "hold")
        assert read.args is None or isinstance(read.args, dict)
