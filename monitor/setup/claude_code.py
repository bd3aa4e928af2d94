"""The settings of Claude Code with hooks that ask a gate, merged with what is there.

    merged(settings, hooks(entry)) -> the settings that are to be written
    settings_of(text) -> the settings of a file

Everything else in the file stays, in its order. Our own hooks are those that name the relay or the
page of the gate: they are replaced, so that a second run changes nothing. Pure.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from invariants.model.errors import ConfigError

CALL: Final = "PreToolUse"
OUTCOMES: Final = ("PostToolUse", "PostToolUseFailure", "PostToolBatch")
MESSAGES: Final = ("UserPromptSubmit", "Stop", "SubagentStop")
OTHERS: Final = (
    "PermissionRequest",
    "PermissionDenied",
    "SubagentStart",
    "SessionStart",
    "SessionEnd",
)
_OF_TOOLS: Final = (CALL, "PostToolUse", "PostToolUseFailure", "PermissionRequest")
"""Events whose hooks can be for some tools; ours are for all."""
_BLOCKING: Final = (CALL, "UserPromptSubmit", *OUTCOMES)
"""Events whose hooks must not fail unnoticed; a failed hook of another sort lets the call run."""
TIMEOUT_S: Final = 30
SPARE_S: Final = 20
"""Chosen: besides the wait for an operator; longer than the relay itself waits for the gate."""
RELAY_NAME: Final = "claude_relay.py"
PAGE: Final = "/v1/hooks/claude-code"
TOKEN_VARIABLE: Final = "INTERLOCK_GATE_TOKEN"  # noqa: S105  (the name of a variable)

Settings = dict[str, Any]
Entry = Callable[[str, str], dict[str, Any]]
"""The event, and the query of its page -> how its hook is run."""


def command(python: str, relay: str, socket: str) -> Entry:
    """A process that hands the event to the gate's Unix socket."""

    def entry(event: str, query: str) -> dict[str, Any]:
        run = [python, "-I", "-S", relay, socket, event, query]
        # One text for a shell: versions that do not know `args` would start Python without any.
        return {"type": "command", "command": shlex.join(run)}

    return entry


def request(url: str) -> Entry:
    """A request to the gate's port, with the token of the environment."""

    def entry(event: str, query: str) -> dict[str, Any]:
        return {
            "type": "http",
            "url": f"{url}{PAGE}?{query}",
            "headers": {"Authorization": f"Bearer ${TOKEN_VARIABLE}"},
            "allowedEnvVars": [TOKEN_VARIABLE],
        }

    return entry


def hooks(
    entry: Entry, *, wait_s: int, has_messages: bool, names: Mapping[str, str] = {}
) -> dict[str, dict[str, Any]]:
    """The group of each event. `names`: those of the sessions (`agent`, `user`, `tenant`)."""
    events = [CALL, *OUTCOMES, *MESSAGES, *OTHERS]
    if not has_messages:
        events = [event for event in events if event not in MESSAGES]
    return {event: _group(event, entry, wait_s, names) for event in events}


def _group(event: str, entry: Entry, wait_s: int, names: Mapping[str, str]) -> dict[str, Any]:
    made = entry(event, urlencode({"event": event, "wait_s": wait_s * (event == CALL), **names}))
    made["timeout"] = wait_s + SPARE_S if event == CALL else TIMEOUT_S
    if event in _BLOCKING:
        made["onFailure"] = "block"
    return {**({"matcher": "*"} if event in _OF_TOOLS else {}), "hooks": [made]}


def settings_of(text: str, place: str) -> Settings:
    """The settings that a file contains. Raises ConfigError."""
    try:
        settings = json.loads(text or "{}", object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"`{place}` cannot be read: {error}; mend it first") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"`{place}` does not contain a JSON object; mend it first")
    return settings


def merged(settings: Settings, ours: Mapping[str, dict[str, Any]], place: str) -> Settings:
    """The settings with our hooks in place of earlier ones of ours. Raises ConfigError."""
    if settings.get("disableAllHooks") and ours:
        raise ConfigError(f"`{place}` has `disableAllHooks`, so no hook would run; remove it first")
    found = settings.get("hooks", {})
    if not isinstance(found, dict) or not all(
        isinstance(groups, list) for groups in found.values()
    ):
        raise ConfigError(f"`{place}`: `hooks` is not an object of lists; mend it first")
    after = {event: _without_ours(groups) for event, groups in found.items()}
    for event, group in ours.items():
        after[event] = [*after.get(event, []), group]
    kept = {event: groups for event, groups in after.items() if groups or not found.get(event)}
    if not kept:
        return {key: value for key, value in settings.items() if key != "hooks"}
    return {**settings, "hooks": kept}


def text_of(settings: Settings) -> str:
    """The settings as a file."""
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def _without_ours(groups: Sequence[Any]) -> list[Any]:
    """The groups, without our hooks, and without a group that has no other."""
    kept = []
    for group in groups:
        inner = group.get("hooks") if isinstance(group, dict) else None
        if not isinstance(inner, list) or not any(map(_is_ours, inner)):
            kept.append(group)
        elif others := [hook for hook in inner if not _is_ours(hook)]:
            kept.append({**group, "hooks": others})
    return kept


def _is_ours(hook: object) -> bool:
    if not isinstance(hook, dict):
        return False
    texts = [str(hook.get("command", "")), str(hook.get("url", ""))]
    return f"/{RELAY_NAME} " in texts[0].replace("'", " ") or PAGE in texts[1]


def _unrepeated(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """An object; ValueError if a key is in it twice, of which one would be lost."""
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"an object contains the key `{key}` twice")
        made[key] = value
    return made
