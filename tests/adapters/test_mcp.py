"""The proxy of MCP, between a client and a server of the real library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.environment import Environment
from tests.support.gate import INVARIANTS
from tests.support.gate_served import ServedGate

NAMED = INVARIANTS.replace('tool == "', 'tool == "mcp__demo__')
READ = ["read_file", {"path": "/secrets/key"}]
NOTES = ["read_file", {"path": "/notes"}]
POST = ["http.post", {"url": "https://paste.example/x", "body": "b"}]


class Met:
    """All cases, in one process of clients, and what the gate recorded of each."""

    def __init__(self, folder: Path) -> None:
        gate = ServedGate(folder / "g", tokens=("bot", "op"))
        (gate.folder / "gate.yaml").write_text(NAMED)
        logs = folder / "logs"
        logs.mkdir()
        gate.start()
        try:
            told = Environment("mcp").run("mcp_agents.py", gate, str(logs))
            self._records = gate.records()
            gate.stop()
        finally:
            gate.end()
        self.stdio, self.http, self.ran = told["stdio"], told["http"], told["ran"]
        self.notes = told["notes"]

    def records(self, agent: str, *kinds: str) -> list[dict[str, Any]]:
        """The agent is named as the case."""
        found = [r for r in self._records if r["agent"] == agent]
        return [r for r in found if not kinds or r["kind"] in kinds]


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Met:
    return Met(tmp_path_factory.mktemp("mcp"))


def check_hijacked(steps: list[Any]) -> None:
    """The post is refused in words for the model, and the next step is made."""
    _, read, refused, notes = steps
    assert read[:2] == [False, ["TOKEN"]]
    assert refused[0] is True and "no post after a secret was read" in refused[1][0]
    assert notes[0] is False and notes[1][0].startswith("notes")


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_a_hijacked_agent_is_refused_and_goes_on(met: Met, mode: str) -> None:
    """Before the call reaches the server, by both protocols."""
    case = f"hijacked-{mode}"
    check_hijacked(met.stdio[case])
    assert met.ran[case] == [READ, NOTES]
    kinds = [r["kind"] for r in met.records(case)]
    assert kinds[:4] == ["session.started", "tool.requested", "tool.completed", "tool.denied"]
    assert kinds[-1] == "session.ended"
    (denied,) = met.records(case, "tool.denied")
    assert denied["tool"] == "mcp__demo__http.post" and denied["args"] == POST[1]
    assert denied["attributes"]["mcp_annotations"] == {"destructiveHint": True}


def test_a_hijacked_agent_over_http_is_refused_too(met: Met) -> None:
    """By both protocols; sessions of MCP are sessions of Interlock."""
    check_hijacked(met.http["hijacked"])
    check_hijacked(met.http["hijacked-modern"])
    assert met.ran["http"].count(POST) == 4, "of the honest ones, with and without the proxy"
    assert len({r["session"] for r in met.records("http")}) == 4


def test_an_honest_twin_is_untouched(met: Met) -> None:
    """All that a server answers arrives as without the proxy, errors of tools included."""
    assert met.stdio["honest-proxied"] == met.stdio["honest-direct"]
    assert len(met.stdio["honest-direct"]) == 6
    for mode in ("legacy", "2026-07-28"):
        assert met.http[f"honest-proxied-{mode}"] == met.http[f"honest-direct-{mode}"]
    assert met.ran["honest-proxied"] == met.ran["honest-direct"]
    (failed,) = met.records("honest-proxied", "tool.failed")
    assert failed["error"] == "Error executing tool http.post"
    assert failed["result"]["content"][0]["text"] == failed["error"]
    done = met.records("honest-proxied", "tool.completed")
    assert done[0]["result"]["structuredContent"]["result"].startswith("notes")
    # A string that other code than JSON's could take for the end of a line.
    assert "\u2028" in json.dumps(done[0]["result"], ensure_ascii=False)


@pytest.mark.parametrize("how", ["stdio", "http"])
def test_parallel_calls_have_their_own_answers(met: Met, how: str) -> None:
    told = (met.stdio if how == "stdio" else met.http)["parallel"]
    assert told == [True] * 8 + [False] * 8


@pytest.mark.parametrize("how", ["stdio", "http"])
def test_a_cancelled_call_ends_at_the_gate_too(met: Met, how: str) -> None:
    """In progress it has failed; held, nobody can grant it any more, and it is not made."""
    told = (met.stdio if how == "stdio" else met.http)["cancelled"]
    assert told == [True, True, [1.0], False]
    agent = "cancelled" if how == "stdio" else "http"
    errors = [r["error"] for r in met.records(agent, "tool.failed")]
    assert "cancelled by the client" in errors
    assert "CancelledError: the call was not made" in errors
    assert ["pay", {"amount": 5}] not in met.ran[agent]


@pytest.mark.parametrize("how", ["stdio", "http"])
def test_a_held_call_is_made_as_it_was_approved(met: Met, how: str) -> None:
    """As it was asked for, with other arguments, or not at all."""
    granted, edited, denied = (met.stdio if how == "stdio" else met.http)["approved"]
    assert granted[1] == ["paid 40"] and edited[1] == ["paid 3"]
    assert denied[0] is True and "refused" in denied[1][0]
    ran = met.ran["approved" if how == "stdio" else "http"]
    assert [args for tool, args in ran if tool == "pay"] == [{"amount": 40}, {"amount": 3}]


@pytest.mark.parametrize("how", ["stdio", "http"])
def test_a_server_may_ask_back(met: Met, how: str) -> None:
    """Its requests and the client's answers pass, whatever ids they have."""
    told = (met.stdio if how == "stdio" else met.http)["asked-back"]
    assert told[:2] == [False, ["answer to Which one?"]]


def test_a_server_that_ends_fails_its_calls(met: Met) -> None:
    assert "losed" in met.stdio["died"]
    (failed,) = met.records("died", "tool.failed")
    assert failed["error"] == "the connection ended before the result"


def test_the_server_does_not_learn_the_token(met: Met) -> None:
    assert met.stdio["token"][1] == ["nothing"]


def test_nothing_is_dropped_but_late_responses(met: Met) -> None:
    """To calls that the client has cancelled, whose failure was reported."""
    late = "interlock mcp-proxy: dropped a message of the server: a response to no request that"
    assert {line.startswith(late) for line in met.notes.splitlines()} <= {True}, met.notes
