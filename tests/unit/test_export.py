"""Findings in the formats of others: valid by their public schemas, whatever an agent is called."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from sarif_pydantic import Sarif

from monitor.cli.findings import EXPORTS
from monitor.export.formats import FORMATS
from monitor.findings.model import Finding, WitnessEvent
from tests.support.rim import START_NS, make_finding

READ = WitnessEvent(1, START_NS - 10**9, "s-1/1", roles=["secret_read"])
POST = WitnessEvent(3, START_NS, "s-1/3", roles=["post_outside"])
VIOLATED = make_finding(
    "f-1", summary="Nothing leaves after a secret was read", witness=[READ, POST], tags=["owasp"]
)
PREVENTED = make_finding("f-2", prevention="prevented", severity="warning")
UNDECIDED = make_finding("f-3", type="inconclusive", session="s-2")
LOST = make_finding("f-4", type="lost", invariant="", severity="info")
ALL = (VIOLATED, PREVENTED, UNDECIDED, LOST)
HOSTILE = st.text(max_size=30).map(lambda text: f"{text}|=\\\n]]>&<a>`*@x\x00\u202e")


def written(format_: str, *findings: Finding) -> str:
    return FORMATS[format_](findings).decode()


def test_the_command_knows_all_formats() -> None:
    assert tuple(FORMATS) == EXPORTS


def test_sarif_is_valid_and_an_undecided_finding_is_open() -> None:
    report = json.loads(written("sarif", *ALL))
    Sarif.model_validate(report)
    (run,) = report["runs"]
    kinds = [(one["kind"], one["level"]) for one in run["results"]]
    assert kinds == [("fail", "error"), ("fail", "warning"), ("open", "none"), ("open", "none")]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["no-secret-egress", "lost"]
    place = run["results"][0]["relatedLocations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "sessions/s-1"}, "region": {"startLine": 2}}


@pytest.mark.parametrize("kind", ["bypass", "contested", "break_glass", "id_conflict", "anomaly"])
def test_what_the_engine_knows_is_not_open(kind: str) -> None:
    """Its level is its severity: a report that shows no level would hide it."""
    report = json.loads(written("sarif", make_finding(type=kind, invariant="")))
    (result,) = report["runs"][0]["results"]
    assert (result["kind"], result["level"]) == ("fail", "error")


def test_ocsf_is_valid_and_says_if_the_call_was_blocked() -> None:
    lines = [json.loads(line) for line in written("ocsf", *ALL).splitlines()]
    for line in lines:
        DetectionFinding.model_validate(line)
    assert [line["disposition_id"] for line in lines] == [15, 2, 15, 15]
    assert lines[0]["type_uid"] == 200401 and lines[0]["severity_id"] == 5


def test_junit_counts_an_undecided_finding_as_an_error() -> None:
    root = ElementTree.fromstring(written("junit", *ALL))
    counts = [(s.get("name"), s.get("failures"), s.get("errors")) for s in root]
    assert counts == [("s-1", "2", "1"), ("s-2", "0", "1")]


def test_cef_has_eight_parts_and_escapes_them() -> None:
    line = written("cef", make_finding(session="a=b", invariant="x|y"))
    parts = re.split(r"(?<!\\)\|", line.strip())
    assert len(parts) == 8 and parts[0] == "CEF:0" and parts[6] == "10"
    assert r"x\|y" in parts[4] and r"cs1=a\=b" in parts[7]


def test_a_chrome_trace_has_a_row_for_each_session() -> None:
    events = json.loads(written("chrome-trace", *ALL))["traceEvents"]
    rows = [one["args"]["name"] for one in events if one["name"] == "thread_name"]
    assert rows == ["s-1", "s-2"]
    assert [one["name"] for one in events if one["cat" if "cat" in one else "ph"] == "event"] == [
        "secret_read",
        "post_outside",
    ]


def test_loki_lines_are_flat() -> None:
    for line in written("loki", *ALL).splitlines():
        assert all(isinstance(value, str) for value in json.loads(line).values())


@given(HOSTILE, HOSTILE)
def test_what_an_agent_is_called_breaks_no_format(session: str, agent: str) -> None:
    """Nor does it become markup, another line or another field."""
    finding = make_finding(session=session, agent=agent, principal=agent, witness=[POST])
    Sarif.model_validate(json.loads(written("sarif", finding)))
    assert len(written("ocsf", finding).splitlines()) >= 1
    DetectionFinding.model_validate(json.loads(written("ocsf", finding)))
    ElementTree.fromstring(written("junit", finding))
    cef = written("cef", finding)
    assert cef.count("\n") == 1 and len(re.split(r"(?<!\\)\|", cef)) >= 8
    json.loads(written("chrome-trace", finding))
    assert written("loki", finding).count("\n") == 1
    text = written("markdown", finding)
    assert not re.search(r"(?<!\\)[<`@]", text)
