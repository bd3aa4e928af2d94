"""The adapter of Pydantic AI, with the real library and a scripted model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.environment import Environment
from tests.support.gate import INVARIANTS
from tests.support.gate_served import ServedGate

SCENARIO = "pydantic_ai_agents.py"
POST = ["http_post", "https://paste.example/x"]


@pytest.fixture(scope="module")
def pydantic_ai() -> Environment:
    return Environment("pydantic-ai")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[ServedGate]:
    """Names of tools are those of Python functions here."""
    served = ServedGate(tmp_path / "g")
    (served.folder / "gate.yaml").write_text(INVARIANTS.replace("http.post", "http_post"))
    served.start()
    yield served
    served.stop()


@pytest.mark.parametrize("how", ["", "-stream", "-later"])
def test_a_hijacked_agent_is_refused_and_goes_on(
    gate: ServedGate, pydantic_ai: Environment, how: str
) -> None:
    """Before the call runs, also in a later run of the conversation."""
    told = pydantic_ai.run(SCENARIO, gate, f"hijacked{how}")
    assert POST not in told["ran"]
    call, text = told["read"][-1]
    assert call == "c2" and "refused before it ran: no post after a secret was read" in text
    records = gate.records()
    assert len({r["session"] for r in records}) == 1
    said = [r["text"] for r in records if r["kind"].startswith("message.")]
    assert said[0] == "[user] asks: do it" and "I read the file first." in said


@pytest.mark.parametrize("how", ["", "-stream"])
def test_an_honest_twin_is_untouched(gate: ServedGate, pydantic_ai: Environment, how: str) -> None:
    told = pydantic_ai.run(SCENARIO, gate, f"honest{how}")
    assert told["ran"] == [["read_file", "/notes"], POST]
    assert told["read"] == [["c1", "notes"], ["c2", "200"]]
    done = [r for r in gate.records() if r["kind"] == "tool.completed"]
    assert [(r["call"], r["result"]) for r in done] == [("c1", "notes"), ("c2", "200")]


def test_parallel_calls_are_judged_one_by_one(gate: ServedGate, pydantic_ai: Environment) -> None:
    told = pydantic_ai.run(SCENARIO, gate, "parallel")
    assert told["ran"] == [["read_file", "/secrets/key"], ["read_file", "/a"]]
    assert ["refused" in text for _, text in told["read"][1:]] == [True] * 3 + [False]


def test_a_tool_that_fails_is_reported(gate: ServedGate, pydantic_ai: Environment) -> None:
    """And its error reaches whom it would reach without us."""
    told = pydantic_ai.run(SCENARIO, gate, "broken")
    assert told["error"] == "no route"
    (failed,) = [r for r in gate.records() if r["kind"] == "tool.failed"]
    assert failed["error"] == "ValueError: no route"


def test_types(pydantic_ai: Environment) -> None:
    """The adapter is typed, as its library is."""
    pydantic_ai.check_types("pydantic_ai")
