"""Builders for tests of replay: small recordings, on disk as they would lie there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from invariants.check.specs import read_specs
from invariants.compile.digest import PROGRAM_VERSION
from invariants.image.compile import compile_program
from invariants.runtime.program import Program
from monitor.findings.model import Finding
from replay.recording.format import (
    EndLine,
    FindingLine,
    Line,
    RecordedSettings,
    RecordedSource,
    RecordingHeader,
    RecordLine,
    StreamSpan,
    TickLine,
)
from replay.recording.format import RecordedFile as EmbeddedFile
from replay.recording.reader import RecordedFile
from replay.recording.writer import RecordingWriter
from replay.timeline.program import REPLAY_KEY, describe
from replay.timeline.timeline import Timeline
from tests.support.rim import SECOND_NS, START_NS

WATCHED = """\
version: 1
predicates:
  secret: kind == "file.read" && args.path == "/secret"
  egress: kind == "tool.requested" && tool == "post"
  asked:
    when: kind == "approval.requested"
    with:
      call: call
  answered:
    when: kind == "approval.granted"
    with:
      call: call
  failed:
    when: kind == "tool.failed"
    with:
      tool: tool
invariants:
  - id: no-egress
    severity: critical
    on_unknown: violate
    never: egress and once secret
  - id: answered-in-time
    severity: warning
    always: asked(call=c) implies eventually[10s] answered(call=c)
  - id: few-failures
    severity: info
    always: count(failed(tool=t))[60s] <= 2
"""


def event(session: str, seq: int, kind: str, at_s: float = 0, **more: Any) -> dict[str, Any]:
    """One event as JSON; `at_s` seconds after the start of all tests."""
    ts = START_NS + int(at_s * SECOND_NS)
    return {"session": session, "seq": seq, "ts": ts, "kind": kind, **more}


def record(content: Mapping[str, Any] | bytes, offset: int = 0, **more: Any) -> RecordLine:
    """A line of a recording with this event."""
    value = content if isinstance(content, bytes) else msgspec.json.encode(content)
    fields = {"topic": "agent.events", "partition": "0", **more}
    return RecordLine(offset=offset, text=value.decode(), **fields)


def tick(at_s: float) -> TickLine:
    return TickLine(time_ns=START_NS + int(at_s * SECOND_NS))


def told(finding: Finding) -> FindingLine:
    return FindingLine(text=msgspec.json.encode(finding).decode())


def program_of(text: str = WATCHED) -> Program:
    specs, _ = read_specs([("watched.yaml", text)])
    return compile_program(specs, digest_key=REPLAY_KEY)


def header_of(text: str = WATCHED, **more: Any) -> RecordingHeader:
    """The header of a recording from Kafka, taken with these invariants."""
    program = program_of(text)
    fields: dict[str, Any] = {
        "source": RecordedSource("kafka", "kafka://b:9092", ["agent.events"], True),
        "settings": RecordedSettings(trust_ts=True, is_trusted=True),
        "program_version": PROGRAM_VERSION,
        "program_digest": program.digest,
        "invariants": describe(program),
        "files": [EmbeddedFile("watched.yaml", text)],
    }
    return RecordingHeader(**{**fields, **more})


WHOLE = EndLine(
    counts={},
    streams=[StreamSpan("agent.events", "0", 0, 10, True)],
    findings="whole",
    control="whole",
)


def write(
    path: Path,
    lines: Sequence[Line],
    header: RecordingHeader | None = None,
    end: EndLine | None = WHOLE,
) -> Path:
    """A recording on disk; without a trailer where `end` is None."""
    writer = RecordingWriter(path, header or header_of(), is_replacing=True)
    for line in lines:
        writer.put(line)
    if end is None:
        writer.close()
    else:
        writer.end(end)
    return path


_OPENED: list[Timeline] = []


def timeline_of(path: Path, program: Program | None = None, session: str = "") -> Timeline:
    """A timeline that `close_all` closes, from a fixture of the test's own."""
    file = RecordedFile(str(path))
    timeline = Timeline(file, program or program_of(), session)
    file.close()
    _OPENED.append(timeline)
    return timeline


def close_all() -> None:
    """Close what the test has opened."""
    while _OPENED:
        _OPENED.pop().close()
