"""Hooks of Claude Code at a gate of this process."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.claude_code.answers import said
from monitor.claude_code.hook import Hook
from monitor.claude_code.take import take
from monitor.gate.wire import Answer
from tests.support.gate import GateHere

SESSION = "9f0c6f5e-0000-4000-8000-000000000001"


class Hooked:
    """A session of Claude Code; each method is one event, and its result the output as JSON."""

    def __init__(self, here: GateHere, *, session: str = SESSION, agent: str = "") -> None:
        self.here = here
        self._base = {"session_id": session, "cwd": "/home/u/p"}
        if agent:
            self._base |= {"agent_id": agent, "agent_type": "general-purpose"}
        self._calls: dict[str, dict[str, Any]] = {}

    def send(self, event: str, **fields: Any) -> Any:
        """Any event."""
        return _plain(sent(self.here, {**self._base, "hook_event_name": event, **fields}))

    def asks(self, call: str, tool: str, **args: Any) -> Any:
        """The runtime is about to make a call."""
        self._calls[call] = {"tool_name": tool, "tool_use_id": call, "tool_input": args}
        return self.send("PreToolUse", **self._calls[call])

    def ran(self, call: str, response: object = "done", **args: Any) -> Any:
        """It has made the call; `args` if it was with others."""
        fields = {**self._calls[call], "tool_response": response}
        return self.send("PostToolUse", **(fields | ({"tool_input": args} if args else {})))

    def batch(self, *calls: str) -> Any:
        """All these calls are over."""
        told = [{**self._calls[call], "tool_response": "as the model read it"} for call in calls]
        return self.send("PostToolBatch", tool_calls=told)

    def kinds(self, *, session: str = "") -> list[tuple[str, str]]:
        """Kind and call of each record of the session, behind its begin."""
        wanted = session or self._base["session_id"]
        records = [one for one in self.here.records() if one["session"] == wanted]
        assert records[0]["kind"] == "session.started"
        return [(one["kind"], one.get("call", "")) for one in records[1:]]


def sent(here: GateHere, fields: dict[str, Any], who: str = "bot") -> object:
    """One event with these fields, as the gate answers it."""
    return take(here.gate, who, msgspec.json.decode(msgspec.json.encode(fields), type=Hook))


def _plain(taken: object) -> Any:
    if isinstance(taken, Answer):
        if taken.decision == "hold":
            return taken
        taken = said(taken)
    return msgspec.json.decode(msgspec.json.encode(taken))
