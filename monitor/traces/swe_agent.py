"""Trajectories of SWE-agent: one document for each run.

| in the trajectory | event |
|---|---|
| `history` up to the first answer of the model | `message.runtime`; templates made it |
| `trajectory[]`: `response`, else `thought` | `message.assistant` |
| `trajectory[]`: `action` | `tool.requested` of `bash`, with `command` |
| `trajectory[]`: `observation` | `tool.completed` |

An action is a text for the shell of the environment, in which the tools of SWE-agent are commands
as well; so the tool is `bash`. Its place is the call. There are no times, and a command that fails
is not told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any, Final

from monitor.traces.fields import is_text, mapping_of, text_of, texts_of
from monitor.traces.model import Document, Format, Item, Passed, Step, Unread

_AGENT: Final[Mapping[str, Any]] = {"agent": "swe-agent"}


def is_it(value: Any) -> bool:
    """A trajectory whose steps have actions and observations."""
    steps = mapping_of(value).get("trajectory")
    first = mapping_of(steps[0]) if isinstance(steps, list) and steps else {}
    return {"action", "observation"} <= first.keys()


def read(document: Document) -> Iterable[Item]:
    """The prompts, then all steps."""
    fields = mapping_of(document.value)
    steps = fields.get("trajectory")
    if not isinstance(steps, list):
        return
    yield from _prompts(document.place, fields.get("history"))
    for number, step in enumerate(steps, 1):
        yield from _step(f"{document.place}, step {number}", mapping_of(step))


def _prompts(place: str, history: Any) -> Iterator[Item]:
    told = [mapping_of(one) for one in history] if isinstance(history, list) else []
    prompts = list(takewhile(lambda one: one.get("role") != "assistant", told))
    for number, prompt in enumerate(prompts, 1):
        at, text = f"{place}, history {number}", texts_of(prompt.get("content"))
        if text:
            yield Step(place=at, kind="message.runtime", text=text, **_AGENT)
        else:
            yield Unread(at, "a message without a text")
    if len(told) > len(prompts):
        yield Passed(place, "the history, of which the steps are a part")


def _step(place: str, step: Mapping[str, Any]) -> Iterator[Item]:
    said = text_of(step.get("response")) or text_of(step.get("thought"))
    if said:
        yield Step(place=place, kind="message.assistant", text=said, **_AGENT)
    action, seen = step.get("action"), step.get("observation")
    if is_text(action) and action:
        asked: dict[str, Any] = {"tool": "bash", "call": place, "args": {"command": action}}
        yield Step(place=place, kind="tool.requested", **asked, **_AGENT)
        if is_text(seen):
            yield Step(place=place, kind="tool.completed", call=place, result=seen, **_AGENT)
    elif is_text(seen) and seen:
        yield Step(place=place, kind="message.runtime", text=seen, **_AGENT)
    elif not said:
        yield Unread(place, "a step without an action")


FORMAT: Final = Format(
    name="swe-agent",
    title="a trajectory of SWE-agent",
    version="1.1; from its documentation",
    is_it=is_it,
    read=read,
)
