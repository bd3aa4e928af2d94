"""The input and the output of a hook of Claude Code, field by field as JSON has them.

    readable(body) -> the body, which every reader of JSON can read
    session_of(hook), call_request(hook) -> the ids that a gate knows its session and its call by

Source: the schemas of the command line 2.1.332, and its behaviour (`tests/adapters`). Fields that a
gate does not need are not read, and not kept: paths of transcripts, costs, lists of tasks.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any, Final

import msgspec

from interlock.errors import SettingError
from interlock.names import checked_session_id
from invariants.model.event import RAW_ABSENT
from monitor.gate.book import HOOKED
from monitor.gate.errors import MalformedError

AGENT: Final = "claude-code"
"""The agent of a session of its own; a subagent's is the name of its type."""
CALL_CHARS_MAX: Final = 80
"""Chosen: the ids of the model's calls have some 30; the id of a request has room for the rest."""
DIGEST_BYTES: Final = 16
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape of JSON; the group is half of a pair alone."""


class BatchCall(msgspec.Struct, frozen=True):
    """A call of a batch. Its arguments are not those that ran, and are not read."""

    tool_name: str
    tool_use_id: str


class Hook(msgspec.Struct, frozen=True):
    """The input of a hook, of whatever event; fields that an event does not have are empty."""

    hook_event_name: str
    session_id: str
    agent_id: str = ""
    agent_type: str = ""
    cwd: str = ""
    source: str = ""
    tool_name: str = ""
    tool_use_id: str = ""
    tool_input: dict[str, Any] = {}
    tool_response: msgspec.Raw = RAW_ABSENT
    tool_response_length: int = 0
    """Of the whole result, if `tool_response` is only its beginning; the relay states it."""
    error: str = ""
    reason: str = ""
    prompt: str = ""
    last_assistant_message: str = ""
    tool_calls: list[BatchCall] = []


class HookSpecific(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The part of an output that belongs to one event."""

    hook_event_name: str
    permission_decision: str = ""
    permission_decision_reason: str = ""
    updated_input: dict[str, Any] | None = None


class HookOutput(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The answer to a hook. An empty one changes nothing: the user's permissions decide, as without
    a hook. `continue: false` ends the agent's run, and `stopReason` says why to the user.
    """

    continue_: bool = msgspec.field(default=True, name="continue")
    stop_reason: str = ""
    system_message: str = ""
    hook_specific_output: HookSpecific | None = None


def readable(body: bytes) -> bytes:
    """The body, with U+FFFD for each half of a pair of surrogates that stands alone.

    JavaScript writes such a half where it cut a text in the middle of a character, and readers of
    JSON refuse it. A program that is started gets U+FFFD, too.

    Examples
    --------
    >>> readable(rb'"a\\ud83d" "\\ud83d\\ude00" "\\\\ud83d"')
    b'"a\\\\ufffd" "\\\\ud83d\\\\ude00" "\\\\\\\\ud83d"'
    """
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], body)


def session_of(hook: Hook) -> str:
    """The session of a hook: a subagent has its own, `SESSION.AGENT`. MalformedError."""
    try:
        parent = checked_session_id(hook.session_id)
        return checked_session_id(f"{parent}.{hook.agent_id}") if hook.agent_id else parent
    except SettingError as error:
        raise MalformedError(f"`session_id`, `agent_id`: {error}") from None


def args_text(args: dict[str, Any]) -> bytes:
    """Arguments as JSON, the same for the same values in any order."""
    return msgspec.json.encode(args, order="sorted")


def call_request(call: str, tool: str, args: bytes) -> str:
    """The id of the request for a call with these arguments (`args_text`). MalformedError."""
    if not (0 < len(call) <= CALL_CHARS_MAX and call.isprintable()):
        raise MalformedError(f"`tool_use_id` has not 1 to {CALL_CHARS_MAX} printable characters")
    content = msgspec.json.encode([tool, args.decode()])
    return f"{HOOKED}{call}:{blake2b(content, digest_size=DIGEST_BYTES).hexdigest()}"
