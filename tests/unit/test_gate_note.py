"""The note of a gate, and what is found of the calls that it refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.ingest.provenance import Provenance
from monitor.kernel.evaluate import evaluate
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.topics import ENFORCEMENT, EVENTS, GATE
from monitor.trace_key import TraceKey
from tests.support.rim import START_NS

TEXT = """
version: 1
predicates:
  posts: kind == "tool.requested" && tool == "post"
invariants:
  - {id: no-post, severity: info, mode: enforce, never: posts, respond: [kill]}
"""


def decoded(topic: str, *, is_trusted: bool = False, **more: Any) -> Event:
    content = {"session": "s", "seq": 0, "ts": START_NS, "kind": "tool.denied", "tool": "post"}
    content |= {"principal": "bot", "gate": {"name": "g"}, "args": {}, **more}
    value = msgspec.json.encode(content)
    event = decode_event(value, Origin(topic, "0", 0), is_trusted=is_trusted)
    assert isinstance(event, Event)
    return event


def found(*events: Event) -> list[Finding]:
    """The findings about prevented calls."""
    program = compile_program(read_specs([("a.yaml", TEXT)])[0])
    kernel = Kernel(program, KernelSettings())
    told = [f for e in events for f in evaluate(kernel, Provenance(True), e, "").findings]
    return [finding for finding in told if finding.prevention == "prevented"]


@pytest.mark.parametrize("note", [{"name": "g"}, {"name": "g", "request": "r", "decision": "deny"}])
def test_a_record_of_a_gate_counts_in_a_file_and_not_on_a_topic_of_agents(note: Any) -> None:
    """There, its principal is believed, and the refused call is judged."""
    in_file = decoded("file", is_trusted=True, gate=note)
    assert in_file.is_of_gate
    assert [one.trace for one in found(in_file)] == [TraceKey("bot", "s")]
    for topic in (EVENTS, f"{EVENTS}.bot", ENFORCEMENT):
        assert not decoded(topic, gate=note).is_of_gate
        assert not found(decoded(topic, gate=note))
    assert decoded(GATE, gate=note).is_of_gate


@pytest.mark.parametrize("note", [{}, {"name": ""}, {"name": 5}, "g", 1, ["name"], None])
def test_another_field_of_this_name_is_not_a_note(note: Any) -> None:
    assert not decoded("file", is_trusted=True, gate=note).is_of_gate


def test_a_prevented_call_stops_nobody_and_is_reported_once_for_its_arguments() -> None:
    """Its first attempt is reported, and a call with other arguments is another."""
    times = [({"n": 1}, 0), ({"n": 1}, 1), ({"n": 2}, 2)]
    told = found(*(decoded(GATE, args=args, seq=seq) for args, seq in times))
    assert [one.respond for one in told] == [["alert"]] * 3
    assert told[0].id == told[1].id != told[2].id
