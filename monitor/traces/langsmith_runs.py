"""Runs of LangSmith, as its client and its exports write them: one object each, or in a list.

| in the run | event |
|---|---|
| `run_type: tool` | `tool.requested` at `start_time`; `id` is the call, `inputs` the arguments |
| its `outputs`, or `end_time` | `tool.completed` at `end_time` |
| its `error` | `tool.failed` |

The session is the conversation that `extra.metadata` names, else the trace; `session_id` of a run
is the project. Runs of models and chains are passed over, so that there are no messages. Runs
within a run (`child_runs`) are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import is_text, json_object, mapping_of, text_of
from monitor.traces.model import ABSENT, Document, Format, Item, Passed, Step, Unread
from monitor.traces.times import from_text

_CONVERSATION: Final = ("session_id", "thread_id", "conversation_id")
_SILENT: Final = frozenset({"llm", "chain", "prompt", "parser", "retriever", "embedding"})
_DEPTH_MAX: Final = 64
"""Chosen: runs within runs; deeper ones are unread."""


def is_it(value: Any) -> bool:
    """By the type of a run."""
    fields = mapping_of(value)
    return is_text(fields.get("run_type")) and "id" in fields


def read(document: Document) -> Iterable[Item]:
    """The events of a run, and of those within it."""
    return _run(document.place, mapping_of(document.value), 0)


def _run(place: str, run: Mapping[str, Any], depth: int) -> Iterator[Item]:
    kind = text_of(run.get("run_type"))
    if kind == "tool" and text_of(run.get("name")):
        yield from _tool(place, run)
    elif kind in _SILENT:
        yield Passed(place, f"a run of type {kind}")
    else:
        yield Unread(place, "a run of an unknown type")
    within = run.get("child_runs")
    for number, child in enumerate(within if isinstance(within, list) else [], 1):
        at = f"{place}, run {number}"
        if depth == _DEPTH_MAX:
            yield Unread(at, "runs within runs nest too deep")
            return
        yield from _run(at, mapping_of(child), depth + 1)


def _tool(place: str, run: Mapping[str, Any]) -> Iterator[Item]:
    metadata = mapping_of(mapping_of(run.get("extra")).get("metadata"))
    named = (text_of(metadata.get(name)) for name in _CONVERSATION)
    given = mapping_of(run.get("inputs"))
    args = json_object(given.get("input")) if given.keys() == {"input"} else None
    common: dict[str, Any] = {
        "place": place,
        "session": next(filter(None, named), text_of(run.get("trace_id"))),
        "tool": run["name"],
        "call": text_of(run.get("id")),
        "args": args if args is not None else json_object(run.get("inputs")),
    }
    began_ns, ended_ns = from_text(run.get("start_time")), from_text(run.get("end_time"))
    yield Step(kind="tool.requested", time_ns=began_ns, **common)
    if text_of(run.get("error")):
        yield Step(kind="tool.failed", time_ns=ended_ns, error=run["error"], **common)
    elif run.get("outputs") is not None or ended_ns is not None:
        result = run.get("outputs", ABSENT)
        yield Step(kind="tool.completed", time_ns=ended_ns, result=result, **common)


FORMAT: Final = Format(
    name="langsmith",
    title="runs of LangSmith",
    version="the schema of its client 0.15",
    is_it=is_it,
    read=read,
)
