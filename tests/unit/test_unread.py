"""Records that are not events: whose they are, what is told of them, and what is not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.limits import RECORD_BYTES_MAX, TEXT_TOKEN
from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.ingest.rejected import Rejected
from monitor.ingest.rejected_log import EVERY_NS, LINES_MAX, STREAMS_MAX, RejectedLines, RejectedLog
from monitor.ingest.salvage import SCAN_BYTES_MAX, salvage
from monitor.ingest.sequence import Header, passed
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.kernel.unread import PERIOD_NS, SESSIONS_MAX

TEXT = """\
version: 1
predicates:
  approved: kind == "approval.granted"
  pays: kind == "tool.requested" && tool == "pay"
  reads: kind == "tool.completed" && tool == "read"
invariants:
  - {id: a, severity: critical, on_unknown: violate, never: pays and not once approved}
  - {id: b, severity: warning, never: pays and once reads}
"""
DEEP = "[" * 70 + "]" * 70


def program() -> Program:
    return compile_program(read_specs([("unread.yaml", TEXT)])[0])


def engine() -> Kernel:
    return Kernel(program(), KernelSettings(trust_ts=True))


def record(**fields: Any) -> bytes:
    return json.dumps({"session": "s", "seq": 0, "ts": 5, "kind": "x", **fields}).encode()


def rejected(value: bytes, at: int = 0, **more: Any) -> Rejected:
    found = decode_event(value, Origin("t", "0", at), **more)
    assert isinstance(found, Rejected)
    return found


def bad(session: str = "s", kind: str = "x", tool: str = "", **more: Any) -> Rejected:
    text = f'"session":{json.dumps(session)},"kind":"{kind}","tool":"{tool}","args":{DEEP}'
    return rejected(b"{" + text.encode() + b"}", **more)


def event(seq: int, kind: str, tool: str = "") -> Event:
    found = decode_event(
        record(seq=seq, ts=seq, kind=kind, tool=tool, args={}), Origin("t", "0", 0)
    )
    assert isinstance(found, Event)
    return found


def told(findings: list[Finding]) -> list[tuple[str, list[str]]]:
    return [(f.session, f.could_concern) for f in findings if f.type == "unread"]


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (record(ts=1_767_605_400), "ts: 1767605400 is seconds, expected nanoseconds or RFC 3339"),
        (record(ts=10**12), "ts: 1000000000000 is milliseconds"),
        (record(ts=4_102_444_799_999_999), "is microseconds"),
        (record(ts=1.5), "ts: 1.5 is not a whole number"),
        (record(ts="hunter2"), "ts: a text is not a valid time"),
        (record(ts="2026-01-05 09:00:00"), 'ts: "2026-01-05 09:00:00" has no time zone'),
        (record(seq=-1), "seq: -1 is out of range"),
        (record(seq="hunter2"), "seq: of type str, expected a whole number"),
        (record(v=2), "v: 2 is not a supported version"),
        (record(tool=["hunter2"]), "tool: of type array, expected a text"),
        (record(args=["hunter2"]), "args: not an object"),
        (
            record(kind="Tool.Requested"),
            "kind: a misspelling of a known kind, expected `tool.req",
        ),
        (record(kind=" approval_granted"), "expected `approval.granted`"),
        (record(agent="hunter2" * 100), "agent: 700 characters, expected at most 512"),
        (b'{"session":"s","kind":"x","seq":0}', "ts: missing"),
        (b'{"session":"s","kind":"x","ts":5}', "seq: missing, like `id`"),
        (b'{"session":"s","ts":5,"seq":1e999,"kind":"x"}', "seq: 1e999 is out of range"),
        (b'{"session":"s","ts":5,"seq":0,"kind":"x","text":"\\ud800"}', "half of a surrogate pair"),
        (b'{"session":"s","ts":5,"seq":0,"kind":"x","result":NaN}', "not JSON: invalid character"),
        (b'{"session":"s","ts":5,"seq":0,"kind":"x","result":-Infinity}', "not JSON: invalid"),
        (b'{"session":"s","ts":5,"seq":0 "kind":"x"}', "not JSON: "),
        (b'{"session":"s","ts":5,"kind":"x","v":{"seq":1},"hunter2":"}', "not JSON: "),
    ],
)
def test_field_place_and_reason_are_told_and_no_text(value: bytes, detail: str) -> None:
    """What was met is told of numbers and times alone; the session is known all the same."""
    found = rejected(value)
    assert detail in found.detail
    assert "hunter2" not in found.detail
    assert found.known.session == "s"


@pytest.mark.parametrize("kind", ["tool.requested", "Tool_Requested", "tool.requested\u200b"])
def test_a_kind_in_any_spelling_could_concern_what_is_about_it(kind: str) -> None:
    """Of these two it can change the verdicts of both."""
    assert told(engine().unread(bad(kind=kind, tool="pay"))) == [("s", ["a", "b"])]
    assert told(engine().unread(bad(kind="x", tool="pay"))) == [("s", [])]


@pytest.mark.parametrize(
    "ts",
    [0, 5, 10**9 - 1, 5 * 10**9, 10**10, 10**12 - 1, 5 * 10**12, 10**13, 10**15 - 1, 10**16],
)
def test_numbers_beside_other_units_are_nanoseconds(ts: int) -> None:
    """Small ones, as tests use them, and all of today's."""
    found = decode_event(record(ts=ts), Origin("t", "0", 0))
    assert isinstance(found, Event)
    assert found.ts_ns == ts


@pytest.mark.parametrize(
    ("value", "session", "seq"),
    [
        (b'{"args":' + DEEP.encode() + b',"session":"s","seq":3}', "s", 3),
        (b'{"session":"s","session":"s","seq":3,', "s", 3),
        (b'{"session":"s","session":"t","seq":3,', "", 3),
        (b'{"text":"\\"session\\":\\"t\\"","session":"s', "", None),
        (b'{"a":{"session":"t"},"session":"s","seq":18446744073709551616', "s", None),
        (b'{"session":"\\ud800","seq":true', "", None),
        (b'{"session":5', "", None),
        (b'{"session":"' + b"s" * 513 + b'"', "", None),
        (b'[{"session":"s"}]', "", None),
        (b'{"session":"s"}{"session":"t"}', "s", None),
        (b'{"a":"' + b"x" * SCAN_BYTES_MAX + b'","session":"s",', "", None),
    ],
)
def test_of_a_damaged_record_what_is_certain_is_read(
    value: bytes, session: str, seq: int | None
) -> None:
    """Only of the outermost object, and only what is said once."""
    known = salvage(value, is_scanned=True)
    assert (known.session, known.seq) == (session, seq)


@pytest.mark.parametrize("begin", [b'{"a":"', b'{"session":"s","a":[' + b"{}," * 64 + b'"'])
def test_a_text_that_is_not_closed_is_read_once(begin: bytes) -> None:
    """Each of its escaped quotes once began the search anew: hours for one record."""
    token = b'"' + b'\\"' * 100
    assert re.findall(TEXT_TOKEN, token, re.DOTALL) == [token]
    value = begin + b'\\"' * (RECORD_BYTES_MAX // 2 - len(begin))
    found = decode_event(value, Origin("t", "0", 0))
    assert isinstance(found, Rejected)
    assert found.reason == "not_json"


@given(st.binary(max_size=200))
def test_no_bytes_end_the_reader(value: bytes) -> None:
    """Every record is an event or is rejected."""
    for text in (value, b'{"session":' + value, record(text="@").replace(b"@", value)):
        assert isinstance(decode_event(text, Origin("t", "0", 0)), Event | Rejected)


def test_a_session_is_told_once_for_each_reason() -> None:
    """However many records there are; again only if more invariants could be concerned."""
    one = engine()
    assert told(one.unread(bad(kind="tool.completed", tool="read"))) == [("s", ["b"])]
    assert told(one.unread(bad(kind="tool.completed", tool="read"))) == []
    assert told(one.unread(bad(kind="tool.requested", tool="pay"))) == [("s", ["a"])]
    assert told(one.unread(bad(kind="tool.requested", tool="pay"))) == []
    assert told(one.unread(bad(session="t"))) == [("t", [])]
    assert told(one.unread(rejected(record(v=2)))) == [("s", ["a", "b"])]


def test_what_cannot_be_told_concerns_every_invariant() -> None:
    """No kind, a tool of another type, or names that are there twice."""
    for value in (
        b'{"session":"s","args":%s}' % DEEP.encode(),
        record(tool=5),
        b'{"session":"s","seq":0,"ts":5,"kind":"x","kind":"y"}',
    ):
        assert told(engine().unread(rejected(value))) == [("s", ["a", "b"])]


def test_a_restart_tells_the_same_findings() -> None:
    """Wherever the record stands in the session by then: one cause, one id."""
    first, second = engine(), engine()
    second.step(event(0, "x"))
    assert first.unread(bad())[0].id == second.unread(bad())[0].id
    assert first.unread(bad(principal="p"))[0].id != second.unread(bad(principal="q"))[0].id


def test_invented_names_make_few_findings() -> None:
    """Past the bound they are told together, and leave nothing in memory; of each sender apart."""
    one = engine()
    found = [f for n in range(3 * SESSIONS_MAX) for f in one.unread(bad(session=f"s{n}"))]
    assert len(found) == SESSIONS_MAX + 1
    assert [f.session for f in found].count("") == 1
    assert one.scopes_count <= SESSIONS_MAX
    assert told(one.unread(bad(session="mine", principal="p"))) == [("mine", [])]
    later = one.unread(bad(session="later", arrival_ns=2 * PERIOD_NS))
    assert told(later) == [("later", [])]


def test_a_session_with_events_is_always_told() -> None:
    """An attacker who invents names hides no session that is there."""
    one = engine()
    one.step(event(0, "x"))
    for number in range(2 * SESSIONS_MAX):
        one.unread(bad(session=f"s{number}"))
    assert told(one.unread(bad())) == [("s", [])]


def test_garbage_without_a_session_is_told_once_an_hour() -> None:
    """Of no session."""
    one = engine()
    times = [0, 1, PERIOD_NS - 1, PERIOD_NS, 2 * PERIOD_NS - 1]
    found = [f for ns in times for f in one.unread(rejected(b"garbage", arrival_ns=ns))]
    assert told(found) == [("", ["a", "b"])] * 2
    assert len({f.id for f in found}) == 2


moves = st.lists(
    st.one_of(
        st.sampled_from(
            [("approval.granted", ""), ("tool.requested", "pay"), ("tool.completed", "read")]
        ),
        st.sampled_from([b"", b"garbage", b"{", record(ts=None), record(session="s", args=[])]),
    ),
    max_size=8,
)


@given(moves)
def test_garbage_changes_no_verdict(moves: list[Any]) -> None:
    """Verdicts at events are those of the events alone: nothing is blurred, nobody framed."""
    with_garbage, without = engine(), engine()
    found: list[str] = []
    expected: list[str] = []
    for number, move in enumerate(moves):
        if isinstance(move, bytes):
            assert {f.type for f in with_garbage.unread(rejected(move))} <= {"unread"}
        else:
            now = event(number, *move)
            found += [f.id for f in with_garbage.step(now) if f.invariant]
            expected += [f.id for f in without.step(now) if f.invariant]
    assert found == expected


def test_a_number_that_was_unreadable_is_no_gap() -> None:
    """It has come. A number that nobody expected, and one that came before, say nothing."""
    one = engine()
    one.step(event(0, "x"))
    one.unread(rejected(record(seq=1, args=[])))
    assert one.step(event(2, "x")) == []
    one.unread(rejected(record(seq=10**15, args=[])))
    one.unread(rejected(record(seq=2, args=[])))
    assert one.step(event(3, "x")) == []
    assert [finding.type for finding in one.step(event(5, "x"))] == ["gap"]
    assert passed(Header(seq_max=9, missing=((2, 6),)), 4).missing == ((2, 3), (5, 6))


def test_before_the_first_event_a_number_is_told_as_missing_too() -> None:
    """Nothing is stored of a trace without an event: a restart would forget the number."""
    one = engine()
    assert one.unread(rejected(record(seq=0, args=[])))
    assert [finding.type for finding in one.step(event(1, "x"))] == ["gap"]


def test_a_number_that_was_cut_off_is_not_believed() -> None:
    """`12` that lost its end would stand for event 1, which nobody then would miss."""
    assert salvage(b'{"session": "s", "seq": 1', is_scanned=False).seq is None
    assert salvage(b'{"session": "s", "seq": 12, "ki', is_scanned=False).seq == 12


def test_a_flood_is_one_log_line_a_minute() -> None:
    """For each reason and stream, with how many there were."""
    said: list[Any] = []
    now_ns = [0]
    log = RejectedLog(lambda *texts, **fields: said.append(fields), lambda: now_ns[0])
    for _ in range(1_000):
        log.take(bad())
    assert [line["count"] for line in said] == [1]
    log.take(rejected(b"garbage"))
    assert [line["reason"] for line in said] == ["too_deep", "not_json"]
    now_ns[0] = EVERY_NS
    log.take(bad())
    assert [line["count"] for line in said] == [1, 1, 1_000]


def test_invented_streams_do_not_grow_the_log() -> None:
    """Past a bound all others are counted together."""
    said: list[Any] = []
    log = RejectedLog(lambda *texts, **fields: said.append(fields), lambda: 0)
    for number in range(2 * STREAMS_MAX):
        found = decode_event(b"garbage", Origin("t", f"file-{number}", 0))
        assert isinstance(found, Rejected)
        log.take(found)
    assert len(said) == STREAMS_MAX + 1


def test_lines_of_a_file_are_named_up_to_a_bound() -> None:
    """Then they are counted."""
    lines = RejectedLines()
    for number in range(LINES_MAX + 5):
        lines.take(rejected(b"garbage", at=10 * number), lambda offset: offset // 10 + 1)
    assert lines.count == LINES_MAX + 5
    assert lines.texts()[1].startswith("line 2 (byte 10) is not an event: not JSON")
    assert lines.texts()[-1] == "and 5 more lines that are not events"
