"""Trajectories in ATIF (Agent Trajectory Interchange Format): one document for each run.

| in the step | event |
|---|---|
| `source: user`, `system`, `agent` | `message.user`, `message.runtime`, `message.assistant` |
| `tool_calls[]` | `tool.requested` |
| `observation.results[]` with `source_call_id` | `tool.completed` |
| `observation.results[]` without it | `message.runtime` |

`session_id` is the session; a subagent's trajectory is a session of its own, and its prompt is not
the user's. The format has one time for a step and does not tell failures apart. Steps that are
copied from another trajectory (`is_copied_context`) are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import mapping_of, text_of, texts_of
from monitor.traces.model import ABSENT, Document, Format, Item, Passed, Step, Unread
from monitor.traces.times import from_text

_KINDS: Final = {
    "user": "message.user",
    "system": "message.runtime",
    "agent": "message.assistant",
}
_DEPTH_MAX: Final = 32
"""Chosen: subagents of subagents; deeper ones are unread."""


def is_it(value: Any) -> bool:
    """By the name of the schema."""
    return text_of(mapping_of(value).get("schema_version")).startswith("ATIF-")


def read(document: Document) -> Iterable[Item]:
    """The steps of a run and of its subagents."""
    return _trajectory(document.place, mapping_of(document.value), "", 0)


def _trajectory(place: str, fields: Mapping[str, Any], parent: str, depth: int) -> Iterator[Item]:
    own = text_of(fields.get("session_id"))
    if depth:
        # All trajectories of a run may have its `session_id`; a subagent's own id is the other.
        own = ".".join(filter(None, (parent, text_of(fields.get("trajectory_id")) or place)))
    common = {
        "session": own,
        "parent": parent,
        "agent": text_of(mapping_of(fields.get("agent")).get("name")),
    }
    kinds = {**_KINDS, "user": "message.runtime"} if depth else _KINDS
    steps, within = fields.get("steps"), fields.get("subagent_trajectories")
    if not isinstance(steps, list):
        yield Unread(place, "a trajectory without steps")
    for number, step in enumerate(steps if isinstance(steps, list) else [], 1):
        yield from _step(f"{place}, step {number}", mapping_of(step), common, kinds)
    for number, sub in enumerate(within if isinstance(within, list) else [], 1):
        at = f"{place}, subagent {number}"
        if depth == _DEPTH_MAX:
            yield Unread(at, "subagents nest too deep")
            return
        yield from _trajectory(at, mapping_of(sub), own, depth + 1)


def _step(
    place: str, step: Mapping[str, Any], run: Mapping[str, Any], kinds: Mapping[str, str]
) -> Iterator[Item]:
    common: dict[str, Any] = {"time_ns": from_text(step.get("timestamp")), **run}
    kind, text = kinds.get(text_of(step.get("source"))), texts_of(step.get("message"))
    if step.get("is_copied_context") is True:
        yield Passed(place, "a step copied from another trajectory")
        return
    if kind is None:
        yield Unread(place, "a step of an unknown source")
        return
    told = [*_calls(place, step, common), *_results(place, step, common)]
    if text:
        yield Step(place=place, kind=kind, text=text, **common)
    elif not told:
        yield Passed(place, "a step without text")
    yield from told


def _calls(place: str, step: Mapping[str, Any], common: dict[str, Any]) -> Iterator[Item]:
    calls = step.get("tool_calls")
    for number, one in enumerate(calls if isinstance(calls, list) else [], 1):
        call, at = mapping_of(one), f"{place}, call {number}"
        given = call.get("arguments")
        if not text_of(call.get("function_name")):
            yield Unread(at, "a call without the name of its tool")
            continue
        yield Step(
            place=at,
            kind="tool.requested",
            tool=call["function_name"],
            call=text_of(call.get("tool_call_id")),
            args=given if isinstance(given, dict) else None,
            **common,
        )


def _results(place: str, step: Mapping[str, Any], common: dict[str, Any]) -> Iterator[Item]:
    results = mapping_of(step.get("observation")).get("results")
    for number, one in enumerate(results if isinstance(results, list) else [], 1):
        result, at = mapping_of(one), f"{place}, result {number}"
        call, content = text_of(result.get("source_call_id")), result.get("content", ABSENT)
        if call:
            yield Step(place=at, kind="tool.completed", call=call, result=content, **common)
        elif texts_of(content):
            yield Step(place=at, kind="message.runtime", text=texts_of(content), **common)
        else:
            yield Passed(at, "a result without text")


FORMAT: Final = Format(
    name="atif",
    title="a trajectory in ATIF",
    version="ATIF-v1.0 to v1.8; from its published schema",
    is_it=is_it,
    read=read,
)
