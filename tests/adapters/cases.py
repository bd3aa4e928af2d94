"""The cases of one framework, run once, in one process; and the rules that every framework keeps.

Importing a framework takes seconds, so all cases of `scenarios/scripted.py` run in one process
against one gate. Each is a session with the name of the case as its id.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.environment import Environment
from tests.adapters.node_environment import NodeEnvironment
from tests.support.gate import INVARIANTS
from tests.support.gate_served import ServedGate
from tests.support.kafka_broker import free_port

LONG = pytest.mark.long("make test-adapters")
POST = ["http_post", "https://paste.example/x"]
LOOK_EVERY_S = 0.05


class Cases:
    """What became of each case, and what a gate recorded of it."""

    def __init__(self, name: str, scenario: str, folder: Path, cases: str) -> None:
        is_node = scenario.endswith(".ts")
        self.environment: Any = NodeEnvironment(name, folder) if is_node else Environment(name)
        port = f"http://127.0.0.1:{free_port()}" if is_node else ""
        gate = ServedGate(folder / "g", tokens=("agent", "op"), listen=port)
        # Names of tools are those of Python functions in most frameworks.
        (gate.folder / "gate.yaml").write_text(INVARIANTS.replace("http.post", "http_post"))
        gate.start()
        try:
            with _Operator(gate):
                self._told = self.environment.run(scenario, gate, *cases.split(), token="agent")
            self._records = gate.records()
            gate.stop()
        finally:
            gate.end()

    def told(self, case: str) -> dict[str, Any]:
        """What ran, what the model read, its last text, and the error that left the framework."""
        outcome: dict[str, Any] = self._told[case]
        return outcome

    def records(self, case: str, *kinds: str) -> list[dict[str, Any]]:
        """The records of its session: all, or those of some kinds. Frameworks that know a user put
        him before the name of the case.
        """
        found = [r for r in self._records if r["session"].rpartition(":")[2] == case]
        assert found, self.told(case)
        return [r for r in found if not kinds or r["kind"] in kinds]

    def unnamed(self) -> list[list[dict[str, Any]]]:
        """The records of each session whose id the framework or the client has made."""
        found: dict[str, list[dict[str, Any]]] = {}
        for record in self._records:
            if record["session"].rpartition(":")[2] not in self._told:
                found.setdefault(record["session"], []).append(record)
        return list(found.values())

    def said(self, case: str) -> list[str]:
        """The published messages."""
        return [r["text"] for r in self.records(case, "message.user", "message.assistant")]

    def check_refused(self, case: str, *, call: str = "c2", said: bool = True) -> None:
        """The post is refused before it runs; the model reads our sentence, and goes on."""
        told = self.told(case)
        assert told["ran"] == [["read_file", "/secrets/key"]], told
        refused, text = told["read"][-1]
        assert refused == call, told
        assert "refused before it ran: no post after a secret was read" in text, told
        assert told["final"] == "I could not post it.", told
        assert [r["call"] for r in self.records(case, "tool.denied")] == [call]
        if said:
            assert self.said(case) == [
                "[user] asks: do it",
                "I read the file first.",
                "I could not post it.",
            ]

    def check_nested(self, case: str) -> None:
        """The post is that of an agent that is a tool; what it says is a part of its call."""
        told = self.told(case)
        assert told["ran"] == [["read_file", "/secrets/key"]], told
        (denied,) = self.records(case, "tool.denied")
        assert (denied["tool"], denied["call"]) == ("http_post", "c2")
        done = [(r["tool"], r["call"]) for r in self.records(case, "tool.completed")]
        assert done == [("read_file", "c1"), ("poster", "n1")]
        assert self.said(case)[0] == "[user] asks: do it" and len(self.said(case)) == 3

    def check_untouched(self, case: str) -> None:
        """An honest agent gets what its tools gave, and they are reported."""
        told = self.told(case)
        assert told["ran"] == [["read_file", "/notes"], POST], told
        assert told["read"] == [["c1", "notes"], ["c2", "200"]], told
        assert told["final"] == "Done.", told
        done = self.records(case, "tool.completed")
        assert [(r["call"], r["result"]) for r in done] == [("c1", "notes"), ("c2", "200")]

    def check_parallel(self, case: str) -> None:
        """Calls of one turn are judged one by one."""
        told = self.told(case)
        assert told["ran"] == [["read_file", "/secrets/key"], ["read_file", "/a"]], told
        refused = {call for call, text in told["read"] if "refused before it ran" in text}
        assert refused == {"p0", "p1", "p2"}, told
        assert ["p3", "notes"] in told["read"], told

    def check_the_rest(self) -> None:
        """The cases of which each framework has one."""
        self.check_repeated("repeated")
        self.check_failed("broken")
        self.check_edited("held")
        self.check_refused("hijacked-silent", said=False)
        assert self.said("hijacked-silent") == []

    def check_repeated(self, case: str) -> None:
        """An id that comes again is a call of its own, and no reason to refuse."""
        assert self.told(case)["ran"] == [["read_file", "/notes"]] * 2, self.told(case)
        assert [r["call"] for r in self.records(case, "tool.requested")] == ["c1", "c1~2"]

    def check_failed(self, case: str) -> None:
        """The error of a tool is reported as the tool raised it."""
        (failed,) = self.records(case, "tool.failed")
        assert (failed["call"], failed["error"]) == ("c1", "ValueError: no route")

    def check_paused(self, case: str, error: str) -> None:
        """A tool that pauses is reported as failed, and is asked for again when it resumes."""
        assert self.told(case)["ran"] == [["pay", 1]], self.told(case)
        kinds = [(r["kind"], r["call"]) for r in self.records(case) if "call" in r]
        first = [("tool.requested", "c1"), ("tool.failed", "c1")]
        assert kinds == [*first, ("tool.requested", "c1~2"), ("tool.completed", "c1~2")]
        (failed,) = self.records(case, "tool.failed")
        assert error in failed["error"]

    def check_converted(self, case: str) -> None:
        """A number that the model wrote as a text is judged as the number that the tool gets."""
        (held,) = self.records(case, "approval.requested")
        assert held["args"] == {"amount": 7}

    def check_edited(self, case: str) -> None:
        """A held call waits for an operator, and runs with the arguments that he approved."""
        told = self.told(case)
        assert told["ran"] == [["pay", 1]], told
        assert told["read"] == [["c1", "paid 1"]], told
        (done,) = self.records(case, "tool.completed")
        assert done["args"] == {"amount": 1}


class _Operator:
    """Grants each held call, of 1 instead of what was asked for."""

    def __init__(self, gate: ServedGate) -> None:
        self._gate = gate
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._decide)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _decide(self) -> None:
        while not self._is_over.wait(LOOK_EVERY_S):
            held = self._gate.send("GET", "/v1/approvals", token="op").content["approvals"]
            for call in held:
                grant = {"decision": "grant", "args": {"amount": 1}}
                path = f"/v1/approvals/{call['id']}"
                assert self._gate.send("POST", path, grant, token="op").status == 200
