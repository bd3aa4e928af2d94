"""Steps of a trace become events; documents of a file; `interlock ingest`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.__main__ import main
from monitor.traces.documents import documents
from monitor.traces.model import Document, Named, Passed, Step, Unread
from monitor.traces.native import assemble, whole_session
from tests.traces.samples import FOREIGN

SAMPLE = FOREIGN / "claude_code_transcript.jsonl"


def step(kind: str = "tool.requested", **more: Any) -> Step:
    return Step(place="line 1", kind=kind, **{"session": "s", **more})


def events(*steps: Step) -> list[dict[str, Any]]:
    return [json.loads(line) for line in assemble(steps, "whole").lines]


def test_the_order_is_that_of_the_times() -> None:
    """A step without a time has that of the one before it in the file; equal times keep theirs."""
    told = events(
        step(call="b", time_ns=2 * 10**18),
        step(call="c"),
        step(call="a", time_ns=10**18),
        step(call="d", time_ns=2 * 10**18),
    )
    assert [one["call"] for one in told] == ["a", "b", "c", "d"]
    assert [one["seq"] for one in told] == [0, 1, 2, 3]
    assert told[1]["ts"] == told[2]["ts"]


def test_a_trace_without_times_says_so() -> None:
    made = assemble([step(), step()], "whole")
    assert made.lacks.times == 2 and len(made.lines) == 2


def test_an_outcome_has_the_tool_and_the_arguments_of_its_request() -> None:
    made = assemble(
        [
            step(call="c1", tool="pay", args={"amount": 3}),
            step("tool.completed", call="c1", result="paid"),
            step("tool.completed", call="c2", result="?"),
            step(call="c3", tool="pay"),
        ],
        "whole",
    )
    first, second, third, _ = (json.loads(line) for line in made.lines)
    assert second["tool"] == first["tool"] and second["args"] == {"amount": 3}
    assert "tool" not in third and "args" not in third
    assert (made.lacks.requests, made.lacks.outcomes, made.lacks.args) == (1, 1, 1)


def test_a_call_that_is_told_twice_is_one() -> None:
    """In the same words; another call with its id is another."""
    made = assemble(
        [
            step(call="c1", tool="pay", args={"amount": 3}),
            step(call="c1", tool="pay", args={"amount": 3}),
            step(call="c1", tool="pay", args={"amount": 4}),
            step("message.user", text="hello"),
            step("message.user", text="hello"),
        ],
        "whole",
    )
    assert made.doubles_count == 1
    assert [json.loads(line).get("args") for line in made.lines[:2]] == [
        {"amount": 3},
        {"amount": 4},
    ]
    assert len(made.lines) == 4


def test_sessions_have_ids_that_a_session_can_have() -> None:
    made = assemble([step(session="a thread/7", parent="x y"), step(session="")], "whole")
    first, second = (json.loads(line) for line in made.lines)
    assert first["session"].startswith("of-") and first["parent"].startswith("of-")
    assert second["session"] == "whole" and made.lacks.sessions == 1


def test_a_session_may_be_named_once_for_all_of_a_file() -> None:
    """By its first name; the head of the run that it continues is a copy."""
    head = Named("line 1", "own", parent="boss", continues="old")
    made = assemble([step(session=""), head, Named("line 3", "old"), step(session="")], "whole")
    told = [json.loads(line) for line in made.lines]
    assert [(one["session"], one["parent"]) for one in told] == [("own", "boss")] * 2
    assert made.sessions == ["own"] and made.lacks.sessions == 0 and not made.unread


def test_a_second_session_under_the_name_of_the_first_is_not_silent() -> None:
    made = assemble([Named("line 1", "a"), step(session=""), Named("line 3", "b")], "whole")
    assert [place for place, _ in made.unread] == ["line 3"] and made.unread_count == 1


def test_an_id_that_begins_anew_is_of_another_call() -> None:
    """Once the first call has its outcome; until then it is the same message at both ends."""
    one = {"call": "1", "tool": "pay", "args": {}, "has_lasting_call": False}
    asked, paid = step(**one), step("tool.completed", **one, result="paid")
    told = events(asked, asked, paid, paid, asked, paid)
    assert [event["kind"] for event in told] == ["tool.requested", "tool.completed"] * 2


def test_a_message_that_is_told_again_under_its_id_is_one() -> None:
    first, second = (step("message.user", text=text, message="m1") for text in ("go", "go on"))
    assert [one["text"] for one in events(first, first, second)] == ["go", "go on"]


def test_the_prompt_of_a_subagent_whose_parent_is_not_named_is_not_the_users_word() -> None:
    head = Named("line 1", "own", has_parent=True)
    made = assemble([head, step("message.user", session="", text="go")], "whole")
    (told,) = (json.loads(line) for line in made.lines)
    assert told["kind"] == "message.runtime" and "parent" not in told


def test_a_prompt_that_is_sent_to_the_model_again_is_not_a_message_of_the_runtime() -> None:
    asked = step("message.user", text="go")
    told = events(step("message.runtime", text="go"), asked, step("message.runtime", text="note"))
    assert [(one["kind"], one["text"]) for one in told] == [
        ("message.user", "go"),
        ("message.runtime", "note"),
    ]


def test_the_prompt_of_a_run_that_another_started_is_not_the_users_word() -> None:
    (told,) = events(step("message.user", text="go", parent="boss"))
    assert told["kind"] == "message.runtime"


def test_what_is_not_read_is_counted() -> None:
    unread = [Unread(f"line {n}", "why") for n in range(50)]
    made = assemble([*unread, Passed("line 51", "a summary")], "whole")
    assert made.unread_count == 50 and len(made.unread) == 20
    assert made.passed == {"a summary": 1} and not made.lines


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b'{"a": 1}\n\n{"b": 2}\n', ["line 1", "line 3"]),
        (b'[{"a": 1},\n {"b": 2}]', ["element 1", "element 2"]),
        (b'{"a":\n 1}', ["the document"]),
        (b'{\n "a": {\n }\n}\n{"b": 2}\n{\n}\n', ["line 1", "line 5", "line 6"]),
        (b'{\n "a":\n{\n "b": 2}\n', ["line 3"]),
        (b'\xef\xbb\xbf{"a": 1}', ["the document"]),
    ],
)
def test_documents_of_a_file(content: bytes, found: list[str]) -> None:
    assert [one.place for one in documents(content) if isinstance(one, Document)] == found


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1, "a": 2}', "a key is there twice"),
        (b"[" * 100 + b"]" * 100, "nests too deep"),
        (b"\xff\xfe", "not UTF-8"),
        (b"not JSON", "not JSON"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_with_its_place(line: bytes, reason: str) -> None:
    (good, bad) = documents(b'{"a": 1}\n' + line)
    assert isinstance(good, Document) and isinstance(bad, Unread)
    assert bad.place == "line 2" and reason in bad.reason


def test_the_command_writes_events_and_says_what_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "events.jsonl.gz"
    assert main(["ingest", str(SAMPLE), "--to", str(target)]) == 0
    told = capsys.readouterr().out
    assert "a transcript of Claude Code" in told and "4 events of 1 sessions" in told
    lines = gzip.decompress(target.read_bytes()).splitlines()
    assert [json.loads(line)["kind"] for line in lines] == [
        "message.user",
        "message.assistant",
        "tool.requested",
        "tool.completed",
    ]
    # The same file gives the same events, and no file is overwritten.
    assert main(["ingest", str(SAMPLE), "--to", str(target)]) == 2
    assert "exists" in capsys.readouterr().err


def test_what_was_not_understood_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "damaged.jsonl"
    trace.write_bytes(SAMPLE.read_bytes() + b'{"type": "user", "sessionId": \n')
    assert main(["ingest", str(trace), "--to", str(tmp_path / "x"), "--output", "json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert told["events"] == 4 and told["unread_count"] == 1
    assert told["unread"][0]["place"] == "line 4"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"prose", "its format is not known"),
        (b"", "its format is not known"),
        (b'{"version": "2.1.0", "$schema": "x/sarif", "runs": []}', "this looks like"),
        (b"\x1f\x8bbroken", "ingest"),
    ],
)
def test_a_file_of_another_sort_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    trace = tmp_path / "ingest-me"
    trace.write_bytes(content)
    assert main(["ingest", str(trace)]) == 2
    assert said in capsys.readouterr().err


def test_a_session_of_a_file_is_the_same_for_the_same_file() -> None:
    assert whole_session(b"a") == whole_session(b"a") != whole_session(b"b")
