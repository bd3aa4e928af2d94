"""The table of formats, and which of them a file is.

A new format is a file beside this one, with its `FORMAT`, and a line here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from monitor.traces import (
    agentdojo_run,
    atif_trajectory,
    claude_hooks,
    claude_transcript,
    cloud_events,
    cloudtrail,
    codex_rollout,
    gemini_session,
    kubernetes_audit,
    langfuse_export,
    langsmith_runs,
    mcp_messages,
    openhands_events,
    otel_console,
    otlp_json,
    swe_agent,
)
from monitor.traces.model import Document, Format, Item, Unread

_PLAIN: Final[Sequence[Format]] = (
    claude_transcript.FORMAT,
    codex_rollout.FORMAT,
    claude_hooks.FORMAT,
    swe_agent.FORMAT,
    openhands_events.FORMAT,
    gemini_session.FORMAT,
    langsmith_runs.FORMAT,
    langfuse_export.FORMAT,
    kubernetes_audit.FORMAT,
    cloudtrail.FORMAT,
    agentdojo_run.FORMAT,
    atif_trajectory.FORMAT,
    otlp_json.FORMAT,
    mcp_messages.FORMAT,
    otel_console.FORMAT,
)
FORMATS: Final[Sequence[Format]] = (cloud_events.around(_PLAIN), *_PLAIN)
"""CloudEvents first: a record of Kafka may look like what is in it."""
"""In the order of asking: messages of MCP may be within the arguments of a call of any other."""
LOOKED_AT_MAX: Final = 200
"""Chosen: documents from a file's beginning by which it is recognised."""


def recognised(found: Iterable[Document | Unread]) -> Format | None:
    """The first format that one of the first documents is; None if there is none."""
    for document in islice(found, LOOKED_AT_MAX):
        if isinstance(document, Document):
            for format_ in FORMATS:
                if format_.is_it(document.value):
                    return format_
    return None


def items(format_: Format, found: Iterable[Document | Unread]) -> Iterator[Item]:
    """All that a file tells, in its order. A document of which a reader makes nothing is unread."""
    for document in found:
        if isinstance(document, Unread):
            yield document
            continue
        told = list(format_.read(document))
        yield from told or [Unread(document.place, "it is empty, where an event is expected")]
