"""Claude Agent SDK: hooks that ask a gate before each call of a tool.

    options = ClaudeAgentOptions(hooks=interlock_hooks(client))

Each event is handed to the gate, as the hooks of Claude Code are (`interlock init claude-code`):
one page of the gate answers both. A refused call is not made: the model gets one sentence as its
result. A session is that of the SDK, a subagent's has it as its parent. If the gate cannot be
asked, the call or the prompt is blocked, whatever `fail` of the client says.

Seen: all calls, of subagents and MCP servers too; prompts, and the last text of each turn.
Not seen: texts between calls; whatever `setting_sources` adds, unless it is a call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from claude_agent_sdk import HookMatcher

from ..claude_relay import WHOLE_BYTES_MAX, without_results
from ..client import Client
from ..errors import NoGate, SettingError
from .running import Redact

CALL: Final = "PreToolUse"
OUTCOMES: Final = ("PostToolUse", "PostToolUseFailure", "PostToolBatch")
PROMPT: Final = "UserPromptSubmit"
OTHERS: Final = ("Stop", "SubagentStart", "SubagentStop", "PermissionRequest", "PermissionDenied")
TOLD_S: Final = 10.0
"""Chosen: the gate's own time, besides the wait for an operator."""
SPARE_S: Final = 10.0
"""Until the runtime gives the hook up; then it blocks."""


def interlock_hooks(
    client: Client, *, messages: bool = True, redact: Redact | None = None, wait_s: int = 120
) -> dict[Any, list[HookMatcher]]:
    """Hooks for `ClaudeAgentOptions`; add your own to their lists.

    `messages`: report what the user and the model say; `redact` changes these texts before. A held
    call waits for an operator for `wait_s`, at most 600.

    Raises
    ------
    SettingError
        The client has no gate.
    """
    if not client.has_gate:
        raise SettingError("`interlock_hooks` needs a client with a `gate`")
    relay = _Relay(client, messages=messages, redact=redact, wait_s=wait_s)
    events = [CALL, *OUTCOMES, *([PROMPT] if messages else []), *OTHERS]
    return {event: [_matcher(relay, event, wait_s)] for event in events}


def _matcher(relay: _Relay, event: str, wait_s: int) -> HookMatcher:
    timeout_s = TOLD_S + SPARE_S + (wait_s if event == CALL else 0)
    if event in (CALL, PROMPT, *OUTCOMES):
        # As an argument: a version of the SDK that does not know it must not pass it over.
        return HookMatcher(hooks=[relay.hook], timeout=timeout_s, on_failure="block")
    return HookMatcher(hooks=[relay.hook], timeout=timeout_s)


class _Relay:
    """Hands events to the gate, each in a thread of its own."""

    def __init__(
        self, client: Client, *, messages: bool, redact: Redact | None, wait_s: int
    ) -> None:
        self._client, self._messages, self._redact = client, messages, redact
        self._wait_s = wait_s

    async def hook(self, given: Any, tool_use_id: str | None, context: Any) -> Any:
        """One event; its output."""
        event = given["hook_event_name"]
        told = self._told(given)
        content = json.dumps(told).encode()
        if len(content) > WHOLE_BYTES_MAX:
            content = json.dumps(without_results(told)).encode()
        try:
            # A limit of its own: held calls must not take up the threads of the user's program.
            output = await anyio.to_thread.run_sync(
                self._send,
                event,
                content,
                abandon_on_cancel=True,
                limiter=anyio.CapacityLimiter(1),
            )
            return json.loads(output)
        except NoGate as error:
            return _without_gate(event, str(error))

    def _send(self, event: str, content: bytes) -> bytes:
        wait_s = self._wait_s if event == CALL else 0
        query = urlencode({"event": event, "wait_s": wait_s})
        return self._client.relay_hook(query, content, wait_s + TOLD_S)

    def _told(self, given: Mapping[str, Any]) -> dict[str, Any]:
        told = dict(given)
        for name in ("prompt", "last_assistant_message"):
            if name in told and not self._messages:
                del told[name]
            elif name in told and self._redact is not None:
                told[name] = self._redact(told[name])
        return told


def _without_gate(event: str, reason: str) -> dict[str, Any]:
    """A call or a prompt is blocked; a report about a call ends the run, since the gate does not
    know any more what the agent has seen.
    """
    if event == CALL:
        specific = {
            "hookEventName": CALL,
            "permissionDecision": "deny",
            "permissionDecisionReason": f"This call was refused before it ran: {reason}.",
        }
        return {"hookSpecificOutput": specific}
    if event == PROMPT:
        return {"decision": "block", "reason": f"Interlock: {reason}"}
    if event in OUTCOMES:
        return {"continue_": False, "stopReason": f"Interlock: {reason}"}
    return {}
