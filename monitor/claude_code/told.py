"""The events that a gate takes for a hook, within the limits of an event. Pure.

As a client does it (`interlock/event_json.py`): arguments are whole or omitted, a result or a text
is cut, and attributes say so. Predicates on what is missing are then unknown (docs/events.md).
"""

from __future__ import annotations

from typing import Final

import msgspec

from interlock.limits import COSTLY_NUMBERS_MAX, costly_numbers
from invariants.model.event import RAW_ABSENT
from monitor.claude_code.hook import Hook, args_text
from monitor.gate.book import PERMISSION_ASKED, Unended
from monitor.gate.inputs import ASK_BYTES_MAX, OMITTED, UNASKED
from monitor.gate.wire import Ask, Told

SHARE_BYTES_MAX: Final = ASK_BYTES_MAX // 2 - 1024
"""Of the arguments, and of the result or text; the rest is for names, attributes and escapes."""
ERROR_CHARS_MAX: Final = 4_096
CWD_CHARS_MAX: Final = 4_096
NOT_THE_USER: Final = "message.runtime"
"""The kind of a prompt that the runtime made: of a subagent that is done, of a timer."""
_USERS: Final = ("", "user", "sdk")
"""Sources of prompts that a person or a program of theirs wrote; older runtimes state none."""
_NOTICE: Final = "<task-notification>"
UNREPORTED: Final = "no outcome was reported: the call was refused after the gate had allowed it"
CHANGED: Final = "the call ran with other arguments than the gate had judged"


def asked(hook: Hook, session: str, request: str, args: bytes) -> Ask:
    """The request for a call."""
    notes = _place(hook)
    raw = _arguments(args, notes)
    return Ask(session, hook.tool_name, raw, request, hook.tool_use_id, _attributes(notes))


def unasked(hook: Hook, call: str) -> Told:
    """A call that ran, and that the gate did not judge."""
    notes: dict[str, object] = {**_place(hook), UNASKED: True}
    args = _arguments(args_text(hook.tool_input), notes)
    return Told("tool.requested", hook.tool_name, call, args, attributes=_attributes(notes))


def outcome(hook: Hook, call: str) -> Told:
    """`tool.completed` or `tool.failed`."""
    notes: dict[str, object] = {}
    args = _arguments(args_text(hook.tool_input), notes)
    if hook.hook_event_name == "PostToolUse":
        result = _result(bytes(hook.tool_response), hook.tool_response_length, notes)
        return Told(
            "tool.completed", hook.tool_name, call, args, result, attributes=_attributes(notes)
        )
    return _failed(hook.tool_name, call, hook.error or hook.reason, args, notes)


def not_made(tool: str, call: str, why: str = UNREPORTED) -> Told:
    """A call that did not run although the gate had allowed it."""
    return _failed(tool, call, why, RAW_ABSENT, {OMITTED: True})


def unknown_outcome(call: str, one: Unended) -> Told:
    """A call of which nothing was reported any more. If the user was asked, it was refused; else it
    may have run, and all that is known of it is its name.
    """
    if one.is_user_asked:
        return not_made(one.tool, call)
    notes: dict[str, object] = {OMITTED: True, "interlock_result_length": 0}
    return Told("tool.completed", one.tool, call, attributes=_attributes(notes))


def permission_asked(hook: Hook, call: str) -> Told:
    """The runtime asks the user about a call that the gate has allowed."""
    return Told(PERMISSION_ASKED, hook.tool_name, call)


def message(kind: str, text: str) -> Told:
    """A message, cut to size."""
    notes: dict[str, object] = {}
    cut = _cut(text, notes)
    return Told(kind, text=cut, attributes=_attributes(notes))


def prompt_kind(hook: Hook) -> str:
    """The kind of a prompt. A notice contains what a subagent wrote, so it is not the user's word:
    addresses that the user named may be trusted by an invariant.
    """
    is_users = hook.source in _USERS and _NOTICE not in hook.prompt
    return "message.user" if is_users else NOT_THE_USER


def _place(hook: Hook) -> dict[str, object]:
    return {"cwd": hook.cwd[:CWD_CHARS_MAX]} if hook.cwd else {}


def _failed(tool: str, call: str, error: str, args: msgspec.Raw, notes: dict[str, object]) -> Told:
    if len(error) > ERROR_CHARS_MAX:
        notes["interlock_error_length"] = len(error)
    cut = error[:ERROR_CHARS_MAX]
    return Told("tool.failed", tool, call, args, error=cut, attributes=_attributes(notes))


def _arguments(args: bytes, notes: dict[str, object]) -> msgspec.Raw:
    if len(args) > SHARE_BYTES_MAX or costly_numbers(args) > COSTLY_NUMBERS_MAX // 2:
        notes[OMITTED] = True
        return RAW_ABSENT
    return msgspec.Raw(args)


def _result(response: bytes, whole: int, notes: dict[str, object]) -> msgspec.Raw:
    """The result, or its beginning; `whole` is the length that the sender has cut it from."""
    fits = len(response) <= SHARE_BYTES_MAX
    fits = fits and costly_numbers(response) <= COSTLY_NUMBERS_MAX // 4
    if whole > 0 or not fits:
        notes["interlock_result_length"] = max(whole, len(response))
    if fits:
        return msgspec.Raw(response) if response else RAW_ABSENT
    beginning = response[: SHARE_BYTES_MAX // 6].decode(errors="ignore")
    return msgspec.Raw(msgspec.json.encode(beginning))


def _cut(text: str, notes: dict[str, object]) -> str:
    """A beginning of a text whose JSON fits: a character takes at most six bytes."""
    if len(msgspec.json.encode(text)) <= SHARE_BYTES_MAX:
        return text
    notes["interlock_text_length"] = len(text)
    return text[: SHARE_BYTES_MAX // 6]


def _attributes(notes: dict[str, object]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(notes)) if notes else RAW_ABSENT
