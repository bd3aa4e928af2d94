"""The incident report: groups, timelines, what was enforced, and a size that has a bound."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from interlock.control_record import ControlRecord
from monitor.cli.__main__ import main
from monitor.findings.count_text import count_of
from monitor.findings.incident import incident_of
from monitor.trace_key import TraceKey
from replay.recording.format import ControlLine, Line, NoticeLine, RecordedSettings
from replay.report import build, sessions
from replay.report.build import command_for
from replay.report.mask import masked
from replay.report.words import offset_text
from replay.timeline.session_track import SessionTrack
from tests.support.recordings import (
    WATCHED,
    WHOLE,
    close_all,
    event,
    header_of,
    record,
    tick,
    timeline_of,
    write,
)
from tests.support.rim import START_NS
from tests.unit.test_grouping import FAR, HEAD, LARGE, LATER
from tests.unit.test_report_page import Page

STOPPING = WATCHED.replace(
    "    on_unknown: violate\n",
    "    on_unknown: violate\n    mode: enforce\n    respond: [quarantine, alert]\n",
)
CALL = {"tool": "post", "call": "c-1", "args": {"url": "https://outside.example"}}


def _incident(session: str, offset: int = 0) -> list[Line]:
    """A session that reads a secret, posts, and gets an answer."""
    events = [
        event(session, 0, "session.started", agent="bot"),
        event(session, 1, "file.read", 1, args={"path": "/secret"}, agent="bot"),
        event(session, 2, "tool.requested", 2, agent="bot", **CALL),
        event(session, 3, "tool.completed", 2.5, agent="bot", result="sent it", **CALL),
        event(session, 4, "session.ended", 3, agent="bot"),
    ]
    return [record(one, offset + n) for n, one in enumerate(events)]


def _page(folder: Path, lines: Sequence[Line], text: str = WATCHED, **more: object) -> str:
    recording = folder / "incident.jsonl.gz"
    header = header_of(text, **{k: v for k, v in more.items() if k != "end"})
    write(recording, lines, header, more.get("end", WHOLE))  # type: ignore[arg-type]
    out = folder / "page.html"
    main(["report", str(recording), "-o", str(out)])
    return out.read_text()


def _ids(page: str) -> list[str]:
    return re.findall(r' id="([^"]+)"', page)


def _finding_id(page: str) -> str:
    found = re.search(r"f-[0-9a-f]{24}", page)
    assert found is not None
    return found.group()


def test_findings_are_grouped_by_invariant_and_session(tmp_path: Path) -> None:
    """The gravest invariant first; its sessions lead to its card there, and the card leads back."""
    failing = [
        record(event("busy", n, "tool.failed", n, tool="x", call=f"c{n}"), 50 + n) for n in range(5)
    ]
    page = _page(tmp_path, [*_incident("a"), *_incident("b", 10), *failing])
    names = re.findall(r'<b class="title"><bdi>([^<]+)', page)
    assert names == ["no-egress", "few-failures"]
    links = set(Page(page).links)
    assert {"#session-1-group-1", "#session-2-group-1", "#session-3-group-2"} <= links
    assert {"#group-1", "#group-2", "#session-1-finding-1"} <= links
    ids = _ids(page)
    assert len(ids) == len(set(ids)), "an anchor is one place"
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert "1 violated; in 2 sessions" not in page and "2 violated; in 2 sessions" in page


def test_a_run_of_violations_is_one_finding_with_its_size(tmp_path: Path) -> None:
    """Its first violation is shown, with their number, and the end of the session."""
    edge = WATCHED.replace("id: few-failures\n", "id: few-failures\n    report: edge\n")
    failing = [record(event("a", n, "tool.failed", n, tool="x", call=f"c{n}"), n) for n in range(9)]
    end = record(event("a", 9, "session.ended", 9), 9)
    text = Page(_page(tmp_path, [*failing, end], edge)).text
    assert re.search(r"run \d violations in a row until \S+, over at \S+", text)
    assert text.count("violations in a row") == 1


def test_the_outcome_of_a_call_stands_beside_its_request(tmp_path: Path) -> None:
    """With how long it took, and each leads to the other; a request without one says so."""
    lost = record(event("a", 5, "tool.requested", 4, tool="y", call="c-2"), 6)
    page = _page(tmp_path, [*_incident("a"), lost])
    text = Page(page).text
    assert "completed after 0.500 s, event 3 : sent it" in text
    assert "for the call at event 2" in text
    assert text.count("no outcome in the recording") == 1
    assert {"#session-1-event-3", "#session-1-event-2"} <= set(Page(page).links)


def test_times_are_absolute_with_the_offset_beside(tmp_path: Path) -> None:
    """UTC to the millisecond, and the time since the session's first event."""
    text = Page(_page(tmp_path, _incident("a"))).text
    assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \+2\.000 s tool\.requested", text)


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        ("whole", "the recording has no control record for it, so it was not applied"),
        ("partial", "lacks the oldest control records, so it may have been applied"),
        ("absent", "has no control records, so it is unknown if it was applied"),
    ],
)
def test_a_stop_that_is_not_recorded_is_not_claimed(
    tmp_path: Path, coverage: str, expected: str
) -> None:
    """An invariant in the mode `enforce` asks; only a control record says that it was done."""
    end = msgspec.structs.replace(WHOLE, control=coverage)
    text = Page(_page(tmp_path, _incident("a"), STOPPING, end=end)).text
    assert expected in text
    assert "Enforced" not in text and "enforces" not in text
    stopped = "0 of them were stopped" if coverage == "whole" else "stops were not recorded"
    assert stopped in text


def test_a_stop_of_the_finding_is_said_with_its_record(tmp_path: Path) -> None:
    """Matched by the incident; a stop of another finding is said to be that."""
    id_ = _finding_id(_page(tmp_path, _incident("a"), STOPPING))
    for incident, expected in (
        (incident_of(id_), "Enforced: Quarantined at "),
        ("i-0", "stopped for another"),
    ):
        stop = ControlRecord("quarantined", 10**18, incident, issuer="interlock")
        line = ControlLine(key="session:a", text=msgspec.json.encode(stop).decode())
        page = _page(tmp_path, [*_incident("a"), line], STOPPING)
        assert expected in Page(page).text
        assert "1 of them was stopped" in Page(page).text
        after = page.partition('id="session-1-event-4"')[2]
        assert "control record" in after, "it was issued after the last event"


def test_a_stop_stands_among_the_events_by_its_time(tmp_path: Path) -> None:
    """So that what came after it is seen."""
    lines = _incident("a")
    at_ns = START_NS + 2_200_000_000
    stop = ControlRecord("killed", at_ns, "i-1", issuer="interlock")
    lines.append(ControlLine(key="session:a", text=msgspec.json.encode(stop).decode()))
    page = _page(tmp_path, lines)
    before, _, after = page.partition('<li class="control">')
    assert 'id="session-1-event-2"' in before and 'id="session-1-event-3"' not in before
    assert "Killed at" in after.partition("</li>")[0]
    assert "calls post 1" in Page(page).text


def test_the_mode_observe_enforces_nothing(tmp_path: Path) -> None:
    """And the page says so, whatever the invariant asks for."""
    settings = RecordedSettings(trust_ts=True, is_trusted=True, mode="observe")
    text = Page(_page(tmp_path, _incident("a"), STOPPING, settings=settings)).text
    assert "its mode is `observe`, so nothing was enforced" in text


DOUBT = HEAD + LARGE + FAR + LATER


def test_one_doubt_names_every_invariant_that_it_leaves_undecided(tmp_path: Path) -> None:
    """In one block; the others are listed, can be filtered, and lead to the events they judge."""
    events = [event("a", 0, "pay"), event("a", 1, "answered", 1)]
    page = _page(tmp_path, [record(one, n) for n, one in enumerate(events)], DOUBT)
    text = Page(page).text
    assert page.count('<details class="group') == 1
    assert page.count('<details class="finding"') == 1
    assert "These invariants are undecided for the same reason" in text
    for name in ("large", "far", "later"):
        assert re.search(rf"(critical|warning) {name} at event [01]", text), name
        assert re.search(rf'<option value="\d">{name}</option>', page)
    assert 'data-groups="1 2 3"' in page
    assert text.count("1 finding ") >= 2, "the two that have none of their own are named"
    assert "undecided in finding 1" in text
    assert "owner payments" in text


def test_what_was_not_read_is_said_at_the_top(tmp_path: Path) -> None:
    """Rejected records, notices of the source and damage, in front of all findings."""
    notice = NoticeLine(
        kind="gap", topic="t", partition="0", from_offset=1, to_offset=5, detail="retention"
    )
    lines = [*_incident("a"), record(b"not JSON", 9), notice]
    head, _, _ = Page(_page(tmp_path, lines, end=None)).text.partition("Findings by invariant")
    assert "1 rejected record was not judged" in head
    assert "t/0: gap: retention" in head
    assert "The recording is damaged" in head
    assert "Every record was read" not in head


def test_a_page_of_a_sound_recording_says_that_nothing_is_missing(tmp_path: Path) -> None:
    """The list of what could not be judged is never just absent."""
    assert "Every record was read" in Page(_page(tmp_path, _incident("a"))).text


def test_one_recording_gives_one_page(tmp_path: Path) -> None:
    """Byte for byte, in processes that hash differently."""
    lines = [*_incident("a"), *_incident("b", 10)]
    lines += [record(event("c", n, "pay", n), 40 + n) for n in range(3)]
    recording = write(tmp_path / "r.jsonl.gz", lines, header_of(DOUBT))
    pages = []
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.html"
        command = [sys.executable, "-m", "monitor.cli", "report", str(recording), "-o", str(out)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(command, env=environment, check=False, capture_output=True, timeout=300)
        pages.append(out.read_bytes())
    assert pages[0] == pages[1]


def test_a_page_has_a_bound_and_names_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions beyond the bound are named, then counted, with the command that shows them."""
    bound = 150_000
    monkeypatch.setattr(build, "PAGE_BYTES_MAX", bound)
    monkeypatch.setattr(build, "LINES_MAX", 60)
    lines: list[Line] = []
    for number in range(80):
        session = f"s{number:02}"
        long = {"text": "<&\"'" * 2_000}
        lines.append(record(event(session, 0, "message.user", **long), 100 * number))
        lines += _incident(session, 100 * number + 10)
    page = _page(tmp_path, lines)
    assert len(page.encode()) <= bound
    whole = page.count('<section class="session"')
    assert 1 <= whole < 60
    text = Page(page).text
    assert f"{whole} of 80 have a timeline below." in text
    assert "20 more sessions with findings are in the recording." in text
    assert "interlock report incident.jsonl.gz --session=ID -o session.html" in text
    assert "60 more sessions have this finding." in text


def test_long_hostile_names_make_the_tables_shorter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound of the tables holds whatever sessions are called; all are counted."""
    monkeypatch.setattr(build, "HEAD_BYTES_MAX", 100_000)
    lines: list[Line] = []
    for number in range(80):
        lines += _incident('"' * 150 + str(number), 10 * number)
    page = _page(tmp_path, lines)
    head, _, _ = page.partition('<section id="whole"')
    assert len(head) < 100_000
    named = head.partition('<section id="sessions"')[2].count("<tr data-session")
    assert 1 <= named < 80
    assert f"{80 - named} more sessions with findings are in the recording." in head


def test_a_session_too_large_for_its_share_is_shown_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contents and events are left out and counted; the findings stay."""
    monkeypatch.setattr(build, "SESSION_BYTES_MAX", 30_000)
    texts = [
        record(event("a", 10 + n, "message.user", 5 + n, text="x " * 3_000), 20 + n)
        for n in range(20)
    ]
    page = _page(tmp_path, [*_incident("a"), *texts])
    text = Page(page).text
    assert "no-egress" in text and "finding 1: critical, violated" in text
    assert "left out: 4," in text or "events of this session are not shown" in text
    assert len(page) < 80_000


def test_a_long_session_shows_the_events_of_its_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far they lie apart, with a track that has fewer steps; the others are counted."""
    monkeypatch.setattr(SessionTrack, "STEPS_MAX", 40)
    monkeypatch.setattr(sessions, "SIZES", (sessions.Size(20, 60, 10_000),))
    lines = [record(event("a", 0, "file.read", args={"path": "/secret"}))]
    for seq in range(1, 600):
        posts = {"tool": "post", "call": str(seq), "args": {"n": seq}} if seq in (150, 400) else {}
        kind = "tool.requested" if posts else "heartbeat"
        lines.append(record(event("a", seq, kind, seq, **posts), seq))
        if seq % 100 == 0:
            lines.append(tick(seq))
    page = _page(tmp_path, lines)
    shown = set(re.findall(r'id="session-1-event-(\d+)"', page))
    assert {"0", "150", "400", "599"} <= shown and len(shown) <= 60
    assert f"{600 - len(shown)} events of this session are not shown" in page
    gaps = [int(n.replace(",", "")) for n in re.findall(r'<li class="gap">([\d,]+)', page)]
    assert sum(gaps) == 600 - len(shown)
    assert "Every part of the formula" in page


def test_a_finding_of_a_former_life_marks_no_event_of_the_next(tmp_path: Path) -> None:
    """A session that was forgotten begins anew at event 0; the proofs of before name ids."""
    settings = RecordedSettings(trust_ts=True, is_trusted=True, linger_ns=10_000_000_000)
    later = [record(event("a", n, "heartbeat", 100 + n, id=f"later-{n}"), 40 + n) for n in range(4)]
    page = _page(tmp_path, [*_incident("a"), tick(50), *later], settings=settings)
    text = Page(page).text
    assert "finding 1: critical, violated" in text
    assert "later-2" in text
    assert "proof of finding 1" not in text
    assert page.count('href="#session-1-finding-1"') == 0
    assert "event 1 , 2026-01-01T00:00:01.000Z a/1 (secret)" in text, "it is named by its id"


def test_the_findings_that_are_shown_are_the_gravest_of_each_invariant(tmp_path: Path) -> None:
    """One of each, however many there are of another; then the gravest, in their order."""
    lines = [record(event("a", 0, "file.read", args={"path": "/secret"}))]
    for seq in range(1, 41):
        kind = "tool.requested" if seq > 10 else "tool.failed"
        lines.append(record(event("a", seq, kind, seq, tool="post", call=str(seq)), seq))
    path = write(tmp_path / "r.jsonl.gz", lines)
    try:
        told = sessions.chosen_findings(timeline_of(path), TraceKey("", "a"), 5)
    finally:
        close_all()
    assert [one.finding.invariant for one in told] == ["few-failures", *["no-egress"] * 4]
    positions = [one.finding.anchor.position for one in told]
    assert positions[1:] == [11, 12, 13, 14]


@pytest.mark.parametrize(
    "name", ["plain", "-rf", "a b", "$(reboot)", "';reboot;'", "x`id`", '"&&reboot']
)
def test_a_command_is_safe_to_paste(name: str) -> None:
    """A shell reads the session's name as one word, and as nothing else."""
    words = shlex.split(command_for("incident.jsonl", TraceKey("", name)))
    assert words[:4] == ["interlock", "report", "incident.jsonl", f"--session={name}"]
    assert words[4:] == ["-o", "session.html"]


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "\u202eabc", "x" * 500, ""])
def test_a_name_that_cannot_be_printed_is_not_in_a_command(name: str) -> None:
    """The pasted text would differ from the shown one."""
    assert "--session=ID" in command_for("incident.jsonl", TraceKey("", name))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("export TOKEN=ghp_" + "a1" * 18, "ghp_"),
        ('{"password": "hunter22"}', "hunter22"),
        ('{\\"api_key\\": \\"abcdef123\\"}', "abcdef123"),
        ("DB_PASSWORD=correct-horse", "correct-horse"),
        ("https://user:s3cret@host/x", "s3cret"),
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ("AKIA" + "Q" * 16, "AKIAQ"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig", "eyJhbGci"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("sk-proj-" + "Zz9" * 10, "Zz9"),
    ],
)
def test_credentials_are_masked(text: str, secret: str) -> None:
    """A text of their form is replaced by its length, and masking again changes nothing."""
    shown = masked(text)
    assert secret not in shown
    assert re.search(r"\[masked: \d+ characters\]", shown)
    assert masked(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "rm -rf /",
        "password",
        "the secret is out",
        '{"path": "/secret"}',
        "task-list: a",
        "secret=$X",
    ],
)
def test_ordinary_texts_are_not_masked(text: str) -> None:
    """A word for a credential is not one."""
    assert masked(text) == text


def test_numbers_are_worded() -> None:
    """One is singular; offsets have a sign."""
    assert (count_of(1, "session"), count_of(1_234, "session")) == ("1 session", "1,234 sessions")
    assert (offset_text(0), offset_text(-1_500_000_000)) == ("+0.000 s", "-1.500 s")
