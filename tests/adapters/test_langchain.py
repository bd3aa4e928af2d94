"""The adapter of LangChain, with the real library and a scripted model."""

from __future__ import annotations

import pytest

from tests.adapters.environment import Environment
from tests.support.gate_served import ServedGate


@pytest.fixture(scope="module")
def langchain() -> Environment:
    return Environment("langchain")


@pytest.mark.parametrize("how", ["sync", "async", "thread"])
def test_a_hijacked_agent_is_refused_and_goes_on(
    gate: ServedGate, langchain: Environment, how: str
) -> None:
    """Before the call runs; its model reads our sentence, and has another plan."""
    told = langchain.run("langchain_agents.py", gate, f"hijacked-{how}")
    assert ["http.post", "https://paste.example/x"] not in told["ran"]
    assert told["read"][-1][:2] == ["http.post", "error"]
    assert "refused before it ran: no post after a secret was read" in told["read"][-1][2]
    sessions = {record["session"] for record in gate.records()}
    assert len(sessions) == 1
    kinds = [record["kind"] for record in gate.records()]
    assert kinds[:2] == ["session.started", "message.user"]
    assert "tool.denied" in kinds and kinds[-1] == (
        "message.assistant" if how == "thread" else "session.ended"
    )
    said = [r["text"] for r in gate.records() if r["kind"].startswith("message.")]
    assert said[0] == "[user] asks: do it" and "I read the file first." in said


@pytest.mark.parametrize("how", ["sync", "async", "thread"])
def test_an_honest_twin_is_untouched(gate: ServedGate, langchain: Environment, how: str) -> None:
    told = langchain.run("langchain_agents.py", gate, f"honest-{how}")
    assert told["ran"] == [["read_file", "/notes"], ["http.post", "https://paste.example/x"]]
    assert [one[1] for one in told["read"]] == ["success", "success"]
    done = [r for r in gate.records() if r["kind"] == "tool.completed"]
    assert [(r["tool"], r["call"]) for r in done] == [("read_file", "c1"), ("http.post", "c2")]


@pytest.mark.parametrize("how", ["sync", "async"])
def test_parallel_calls_are_judged_one_by_one(
    gate: ServedGate, langchain: Environment, how: str
) -> None:
    told = langchain.run("langchain_agents.py", gate, f"parallel-{how}")
    assert told["ran"] == [["read_file", "/secrets/key"], ["read_file", "/a"]]
    assert [one[1] for one in told["read"][1:]] == ["error"] * 3 + ["success"]


def test_each_attempt_is_a_call_of_its_own(gate: ServedGate, langchain: Environment) -> None:
    """An id that comes again is no reason to refuse."""
    told = langchain.run("langchain_agents.py", gate, "repeated")
    assert told["ran"] == [["read_file", "/notes"]] * 2
    calls = [r["call"] for r in gate.records() if r["kind"] == "tool.requested"]
    assert calls == ["c1", "c1~2"]


def test_a_tool_that_fails_is_reported(gate: ServedGate, langchain: Environment) -> None:
    """And its error reaches whom it would reach without us."""
    told = langchain.run("langchain_agents.py", gate, "broken")
    assert told["error"] == "no route"
    (failed,) = [r for r in gate.records() if r["kind"] == "tool.failed"]
    assert failed["error"] == "ValueError: no route"


def test_types(langchain: Environment) -> None:
    """The adapter is typed, as its library is."""
    langchain.check_types("langchain")
