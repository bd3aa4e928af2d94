"""The adapter of the OpenAI Agents SDK, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.environment import Environment
from tests.support.gate_served import ServedGate

SCENARIO = "openai_agents.py"
POST = ["http.post", "https://paste.example/x"]


@pytest.fixture(scope="module")
def openai() -> Environment:
    return Environment("openai-agents")


@pytest.mark.parametrize("case", ["hijacked", "hijacked-stream", "handing"])
def test_a_hijacked_agent_is_refused_and_goes_on(
    gate: ServedGate, openai: Environment, case: str
) -> None:
    """Before the call runs, also behind a handoff; its model reads our sentence."""
    told = openai.run(SCENARIO, gate, case)
    assert POST not in told["ran"]
    call, text = told["read"][-1]
    assert call == "c2" and "refused before it ran: no post after a secret was read" in text
    assert told["final"] in ("I could not post it.", "Done.")
    records = gate.records()
    assert {r["session"] for r in records if r["user"] == "ada"} == {records[0]["session"]}
    assert [r["call"] for r in records if r["kind"] == "tool.denied"] == ["c2"]
    said = [r["text"] for r in records if r["kind"].startswith("message.")]
    assert said[0] == "[user] asks: do it" and said.count(said[0]) == 1
    assert records[-1]["kind"] == "session.ended"


@pytest.mark.parametrize("how", ["", "-stream"])
def test_an_honest_twin_is_untouched(gate: ServedGate, openai: Environment, how: str) -> None:
    told = openai.run(SCENARIO, gate, f"honest{how}")
    assert told["ran"] == [["read_file", "/notes"], POST]
    assert told["read"] == [["c1", "notes"], ["c2", "200"]]
    done = [r for r in gate.records() if r["kind"] == "tool.completed"]
    assert [(r["call"], r["result"]) for r in done] == [("c1", "notes"), ("c2", "200")]


def test_parallel_calls_are_judged_one_by_one(gate: ServedGate, openai: Environment) -> None:
    told = openai.run(SCENARIO, gate, "parallel")
    assert told["ran"] == [["read_file", "/secrets/key"], ["read_file", "/a"]]
    assert ["refused" in text for _, text in told["read"][1:]] == [True] * 3 + [False]


def test_a_tool_that_fails_is_reported_as_the_model_reads_it(
    gate: ServedGate, openai: Environment
) -> None:
    """The SDK makes a text of the error, which is the result then."""
    told = openai.run(SCENARIO, gate, "broken")
    assert "An error occurred" in told["read"][0][1]
    (done,) = [r for r in gate.records() if r["kind"] == "tool.completed"]
    assert done["result"] == told["read"][0][1]


def test_arguments_that_are_not_json_are_judged(gate: ServedGate, openai: Environment) -> None:
    """Nothing is hidden from the gate, and nothing ends the run."""
    told = openai.run(SCENARIO, gate, "garbled")
    assert told["ran"] == [] and told["final"] == "Done."
    (asked,) = [r for r in gate.records() if r["kind"] == "tool.requested"]
    assert asked["args"] == {"arguments": '{"url": '}


def test_types(openai: Environment) -> None:
    """The adapter is typed, as its library is."""
    openai.check_types("openai_agents")
