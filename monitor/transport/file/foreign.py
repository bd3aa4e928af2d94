"""Identifies a file without a single readable event: its first lines -> a name, or none.

People have files of other programs: transcripts of coding agents, OTLP, MCP messages. The names of
a file's fields identify the program that wrote it; its content is never repeated. Pure; the caller
bounds the input (`LINES_MAX`, `BYTES_MAX`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

LINES_MAX: Final = 2_000
"""Chosen: lines to keep from a file's beginning."""
BYTES_MAX: Final = 256 * 1024
"""Chosen: bytes of them to keep."""
RECORDS_MAX: Final = 20
"""Chosen: lines that are read individually."""
WRAPPED_MAX: Final = 3
"""Layers of wrapping (`value`, `message`, lists) that are looked through."""

_HEADS: Final = (
    (b"\x1f\x8b", "compressed data (gzip); name it `.jsonl.gz`"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PAR1", "a Parquet file"),
    (b"\xff\xfe", "text in UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16; save it as UTF-8"),
)
_KEY: Final = re.compile(rb'"([A-Za-z_.$]{1,64})"\s*:')
_CODEX: Final = frozenset(
    {"session_meta", "response_item", "event_msg", "turn_context", "compacted"}
)
_CLAUDE: Final = frozenset({"uuid", "parentUuid", "leafUuid", "isSidechain", "messageId"})
_SPAN_PREFIXES: Final = ("gen_ai.", "openinference.", "ai.toolCall", "ai.telemetry", "traceloop.")
_SPANS: Final = "OpenTelemetry spans"

INGESTED: Final = frozenset(
    {
        *("payloads of a coding agent's hooks", "a Claude Code transcript", "a Codex transcript"),
        *("a Gemini CLI transcript", "MCP messages (JSON-RPC)", "LangSmith runs"),
        *("an export of Langfuse", "audit events of Kubernetes", "records of AWS CloudTrail"),
        *("an agent's trajectory", "OTLP (OpenTelemetry)", "CloudEvents", _SPANS),
    }
)
"""Names of formats that `interlock ingest` reads."""

Fields = Mapping[str, Any]


def recognise(lines: Sequence[bytes]) -> str | None:
    """The probable format of the file, to follow `this looks like`; None if it is unknown.

    Examples
    --------
    >>> recognise([b'{"jsonrpc": "2.0", "method": "tools/call"}'])
    'MCP messages (JSON-RPC)'
    """
    if not lines:
        return None
    for head, told in _HEADS:
        if lines[0].startswith(head):
            return told
    # A document of many lines has lines that are documents: its parts.
    spread = None if _parsed(lines[0]) else _parsed(b"\n".join(lines))
    if spread:
        events = _as_events(spread, is_spread=True)
        return events or next(filter(None, map(_named, _objects(spread, WRAPPED_MAX))), None)
    documents = [found for line in lines[:RECORDS_MAX] if (found := _parsed(line))]
    for document in documents:
        for fields in _objects(document, WRAPPED_MAX):
            if (name := _named(fields)) is not None:
                return _as_events(document, is_spread=False) or name
    if documents:
        return _as_events(documents[0], is_spread=False)
    # A document of many lines of which only the beginning is here: its keys have to do.
    keys = dict.fromkeys(key.decode() for key in _KEY.findall(b"\n".join(lines)))
    return _named(keys) if keys else None


def explained(lines: Sequence[bytes]) -> str:
    """The sentence for people about a file of which no event could be read."""
    name = recognise(lines)
    looks = "" if name is None else f"this looks like {name}; "
    if name in INGESTED:
        looks += "`interlock ingest` makes events of it (docs/traces.md). "
    return (
        f"{looks}Interlock reads its own events (docs/events.md): one JSON object per line, with "
        "`session`, `ts`, `kind`, and `seq` or `id`"
    )


def _parsed(line: bytes) -> Any:
    """A JSON object or list; None for all else."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict | list) else None


def _objects(document: Any, depth: int) -> Iterator[Fields]:
    """The object itself, then those that it wraps, outermost first; of lists the first elements."""
    if isinstance(document, list):
        for element in document[:3]:
            yield from _objects(element, depth)
    elif isinstance(document, dict):
        yield document
        if depth > 0:
            for value in list(document.values())[:32]:
                if isinstance(value, dict | list):
                    yield from _objects(value, depth - 1)


def _as_events(document: Any, *, is_spread: bool) -> str | None:
    """Our own events in another layout than one a line."""
    first = document[0] if isinstance(document, list) and document else document
    if not (isinstance(first, dict) and {"session", "kind", "ts"} <= first.keys()):
        return None
    if isinstance(document, list):
        return "a JSON list of events; write one event per line (`jq -c '.[]'`)"
    return "an event over several lines; write one per line (`jq -c .`)" if is_spread else None


def _named(fields: Fields) -> str | None:
    return next((name for name, test in _TESTS if test(fields)), None)


def _has(*keys: str) -> Callable[[Fields], bool]:
    wanted = frozenset(keys)
    return lambda fields: wanted <= fields.keys()


def _is(key: str, *values: str) -> Callable[[Fields], bool]:
    return lambda fields: fields.get(key) in values if _is_text(fields.get(key)) else False


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_claude(fields: Fields) -> bool:
    is_line = "sessionId" in fields and ("type" in fields or "message" in fields)
    return (is_line and bool(_CLAUDE & fields.keys())) or (
        "leafUuid" in fields or {"messageId", "snapshot"} <= fields.keys()
    )


def _is_codex(fields: Fields) -> bool:
    kind = fields.get("type")
    return "payload" in fields and (kind is None or (_is_text(kind) and kind in _CODEX))


def _is_span(fields: Fields) -> bool:
    names = fields.keys()
    if {"traceId", "spanId"} <= names or {"trace_id", "span_id"} <= names:
        return True
    return any(key.startswith(_SPAN_PREFIXES) for key in names)


def _is_trajectory(fields: Fields) -> bool:
    schema = fields.get("schema_version")
    return (
        str(schema).startswith("ATIF")
        or not {"trajectory", "traj", "trajectories"}.isdisjoint(fields)
        or {"suite_name", "user_task_id"} <= fields.keys()
        or ("observation" in fields and not {"action", "content", "thought"}.isdisjoint(fields))
        or {"action", "args", "source"} <= fields.keys()
        or {"id", "timestamp", "source", "kind"} <= fields.keys()
    )


def _is_audit(fields: Fields) -> bool:
    return "auditID" in fields or str(fields.get("apiVersion")).startswith("audit.k8s.io/")


def _is_tool_call(fields: Fields) -> bool:
    names = fields.keys()
    return (
        {"tool_name", "tool_call_id"} <= names
        or {"name", "args", "id", "type"} <= names
        or {"function", "id", "type"} <= names
        or ({"name", "input", "id"} <= names and fields.get("type") == "tool_use")
    )


_TESTS: Final[tuple[tuple[str, Callable[[Fields], bool]], ...]] = (
    ("a recording of Interlock; `interlock replay` reads it", _is("format", "interlock-recording")),
    ("findings of Interlock", _has("invariant", "invariant_digest", "anchor")),
    ("records of Interlock's control topic", _has("state", "issued_at", "issuer", "epoch")),
    ("payloads of a coding agent's hooks", _has("hook_event_name")),
    ("answers of a coding agent's hooks", _has("hookSpecificOutput")),
    ("a Claude Code transcript", _is_claude),
    ("a Codex transcript", _is_codex),
    ("a Gemini CLI transcript", _has("sessionId", "projectHash")),
    ("OTLP (OpenTelemetry)", _has("resourceSpans")),
    (_SPANS, _has("resource_spans")),
    ("logs of OpenTelemetry", _has("resourceLogs")),
    ("metrics of OpenTelemetry", _has("resourceMetrics")),
    ("MCP messages (JSON-RPC)", _has("jsonrpc")),
    ("CloudEvents", _has("specversion", "type", "source")),
    ("CloudEvents", _has("ce_specversion")),
    ("LangSmith runs", _has("run_type", "id")),
    (_SPANS, _is_span),
    ("a SARIF report", _has("$schema", "runs")),
    ("OCSF findings", _has("class_uid", "category_uid")),
    ("a Chrome trace", _has("traceEvents")),
    ("logs in Loki's format", lambda fields: isinstance(fields.get("streams"), list)),
    ("notifications of Alertmanager", _has("alerts", "receiver")),
    ("a Grafana dashboard", _has("panels", "editable")),
    ("audit events of Kubernetes", _is_audit),
    ("records of AWS CloudTrail", _has("eventSource", "eventName", "eventID")),
    ("an export of Langfuse", _has("traceId", "startTime", "type")),
    ("a Kubernetes object", _has("apiVersion", "kind")),
    ("an agent's trajectory", _is_trajectory),
    ("tool calls of an agent framework", _is_tool_call),
    ("chat messages", _has("role", "content")),
    ("chat messages", _has("role", "tool_calls")),
)
"""In order: formats that wrap others come before those."""
