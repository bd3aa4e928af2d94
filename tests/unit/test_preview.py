"""`interlock enforce --preview`: what a gate would have refused in recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from monitor.cli.__main__ import main
from monitor.gate.wire import Ruling
from tests.support.gate import INVARIANTS, GateHere
from tests.support.recorded import smallest_file

COUNTED = """
version: 1
predicates:
  mails: kind == "tool.requested" && tool == "mail"
  done: kind == "tool.completed" && tool == "mail"
  fails: kind == "tool.failed"
invariants:
  - id: two-mails
    severity: warning
    summary: a session sends two mails
    never: count(done) > 1 and mails
  - id: failing
    severity: warning
    summary: no mail fails
    respond: [kill]
    never: fails
"""


def requested(seq: int, tool: str = "mail", session: str = "s", **args: Any) -> dict[str, Any]:
    return event(seq, "tool.requested", tool, session, args=args)


def completed(seq: int, tool: str = "mail", session: str = "s", **more: Any) -> dict[str, Any]:
    return event(seq, "tool.completed", tool, session, **more)


def event(seq: int, kind: str, tool: str, session: str = "s", **more: Any) -> dict[str, Any]:
    """An event at `seq` seconds; a call is named after its tool and an even number."""
    call = f"{tool}-{seq // 2}"
    ts = 1_800_000_000_000_000_000 + seq * 1_000_000_000
    return {
        "session": session,
        "seq": seq,
        "ts": ts,
        "kind": kind,
        "tool": tool,
        "call": call,
    } | more


class Folder:
    """Files of events and invariants, and the preview of them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path, self._capsys = folder, capsys

    def write(self, name: str, events: list[dict[str, Any]]) -> str:
        path = self.path / name
        path.write_text("".join(json.dumps(one) + "\n" for one in events))
        return str(path)

    def preview(self, recording: str, invariants: str, *more: str) -> dict[str, Any]:
        """The JSON of a preview; `by_id` has the invariants by their id."""
        file = self.path / "invariants.yaml"
        file.write_text(invariants)
        arguments = ["enforce", "--preview", recording, "--invariants", str(file)]
        assert main([*arguments, *more, "--output", "json"]) == 0
        result: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return result | {"by_id": {one["id"]: one for one in result["invariants"]}}


def share(**counts: int) -> dict[str, int]:
    return {f"{name}_count": count for name, count in counts.items()}


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    return Folder(tmp_path, capsys)


def test_a_denied_call_is_not_taken_in_and_its_outcome_is_left_out(folder: Folder) -> None:
    """Each call is judged after those that would have run: a denied mail does not count as sent."""
    events = [one for i in range(4) for one in (requested(2 * i), completed(2 * i + 1))]
    text = COUNTED.replace("count(done) > 1", "count(done) == 2")
    found = folder.preview(folder.write("r.jsonl", events), text)
    assert found["total"] == share(calls=4, refused=2, sessions=1, refused_sessions=1)
    assert found["by_id"]["two-mails"]["denied_count"] == 2
    # With the third mail taken in, the count would be 3 at the fourth, which would be allowed.


def test_a_call_of_a_session_that_was_stopped_is_refused(folder: Folder) -> None:
    """A violation that only an outcome decides stops the session, and its later calls count."""
    events = [requested(0), event(1, "tool.failed", "mail"), requested(2), requested(4, "read")]
    found = folder.preview(folder.write("r.jsonl", events), COUNTED)["by_id"]["failing"]
    assert (found["denied_count"], found["held_count"], found["stopped_count"]) == (0, 0, 2)
    (example,) = found["examples"]
    assert (example["session"], example["position"], example["refusal"]) == ("s", 2, "stopped")


def test_a_call_without_its_arguments_is_denied_if_an_invariant_reads_them(folder: Folder) -> None:
    """As a gate does: an unknown amount might be any amount; an unknown url matters to nobody."""
    omitted = {"attributes": {"interlock_args_omitted": True}}
    events = [
        event(2 * n, "tool.requested", t, **omitted) for n, t in enumerate(("pay", "http.post"))
    ]
    found = folder.preview(folder.write("r.jsonl", events), INVARIANTS)
    assert found["total"]["refused_count"] == 1
    assert {i: one["denied_count"] for i, one in found["by_id"].items()} == {
        "no-leak": 0,
        "pay-approved": 1,  # It would be held, and is denied: nobody could approve it.
        "pay-little": 1,
    }


def test_a_held_call_counts_as_approved(folder: Folder) -> None:
    """What an approval would permit is held, and the session goes on as if it was given."""
    events = [requested(0, "pay", amount=5), completed(1, "pay"), requested(2, "pay", amount=5)]
    found = folder.preview(folder.write("r.jsonl", events), INVARIANTS)
    assert found["by_id"]["pay-approved"]["held_count"] == 2
    assert found["by_id"]["pay-approved"]["share"] == 1.0
    assert found["by_id"]["pay-approved"]["examples"][0]["args"] == ["amount"]


def test_a_recorded_approval_permits_the_call(folder: Folder) -> None:
    """Approvals of a recording count like those at a gate."""
    granted = event(0, "approval.granted", "pay", args={"amount": 5})
    found = folder.preview(
        folder.write("r.jsonl", [granted, requested(1, "pay", amount=5)]), INVARIANTS
    )
    assert found["by_id"]["pay-approved"]["held_count"] == 0


def test_only_enforced_invariants_refuse_as_written(folder: Folder) -> None:
    """By default an invariant in `mode: observe` counts as enforced; `--as-written` as it is."""
    recording = folder.write("r.jsonl", [requested(0, "pay", amount=5_000)])
    assert folder.preview(recording, INVARIANTS)["by_id"]["pay-little"]["denied_count"] == 1
    written = folder.preview(recording, INVARIANTS, "--as-written")["by_id"]
    assert (written["pay-little"]["denied_count"], written["pay-approved"]["held_count"]) == (0, 1)


def test_a_copy_of_an_event_is_not_a_second_call(folder: Folder) -> None:
    """A recording may contain a record twice: the source delivers at least once."""
    one = requested(0, "pay", amount=5)
    found = folder.preview(folder.write("r.jsonl", [one, one]), INVARIANTS)
    assert found["total"]["calls_count"] == 1


def test_the_calls_that_a_gate_refused_are_judged_again(folder: Folder) -> None:
    """The log of a gate gives what the gate answered: calls denied, granted, refused."""
    (folder.path / "gate").mkdir()
    here = GateHere(folder.path / "gate")
    here.read_secret()
    here.ask("http.post", args={"to": "x"})
    decisions: tuple[Literal["grant", "deny"], ...] = ("grant", "deny")
    for decision in decisions:
        held = here.ask("pay", session="s-2", args={"amount": 5})
        assert held.approval is not None
        here.gate.rule("ana", held.approval.id, Ruling(decision))
    here.close()
    found = folder.preview(str(folder.path / "gate" / "log"), INVARIANTS)
    assert found["total"]["calls_count"] == 3
    assert found["by_id"]["no-leak"]["denied_count"] == 1
    assert found["by_id"]["pay-approved"]["held_count"] == 2
    assert found["by_id"]["no-leak"]["examples"][0]["principal"] == "bot"
    without = folder.preview(
        str(folder.path / "gate" / "log"), INVARIANTS.replace('tool == "pay"', 'tool == "none"')
    )
    assert without["by_id"]["pay-approved"]["held_count"] == 0
    assert without["total"]["calls_count"] == 3


def test_the_files_of_a_log_directory_are_one_recording(folder: Folder) -> None:
    """Approvals and events of a log directory are merged by their times."""
    for topic, events in {
        "agent.events": [requested(2, "pay", amount=5)],
        "interlock.approvals": [event(1, "approval.granted", "pay", args={"amount": 5})],
    }.items():
        (folder.path / "log" / topic).mkdir(parents=True)
        for one in events:
            one["id"] = f"{topic}-{one.pop('seq')}"
        folder.write(f"log/{topic}/w-1.jsonl", events)
    found = folder.preview(str(folder.path / "log"), INVARIANTS)
    assert found["recordings_count"] == 1
    assert found["by_id"]["pay-approved"]["held_count"] == 0


def test_refusals_in_benign_sessions_are_counted_apart(folder: Folder) -> None:
    """Labels say which sessions are benign: what is refused there is a false alarm."""
    pays = [requested(0, "pay", session, amount=5) for session in ("good", "bad", "unknown")]
    labels = folder.path / "labels.json"
    labels.write_text(json.dumps({"good": {"label": "honest"}, "bad": {"label": "attack"}}))
    more = ("--labels", str(labels), "--benign", "label=honest")
    found = folder.preview(folder.write("r.jsonl", pays), INVARIANTS, *more)
    assert found["benign"] == share(calls=1, refused=1, sessions=1, refused_sessions=1)
    assert found["by_id"]["pay-approved"]["benign"]["refused_count"] == 1


def test_labels_need_to_know_what_is_benign(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of the two flags alone is refused."""
    recording = folder.write("r.jsonl", [requested(0)])
    assert main(["enforce", "--preview", recording, "--labels", "x.json"]) == 2
    assert "`--labels` and `--benign` belong together" in capsys.readouterr().err


def test_what_an_agent_wrote_is_escaped_in_the_text(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text names at most three calls of an invariant; control characters are not printed."""
    pays = [requested(0, "pay", f"\x1b[31m{i}", amount=5) for i in range(5)]
    recording = folder.write("r.jsonl", pays)
    (folder.path / "i.yaml").write_text(INVARIANTS)
    arguments = ["enforce", "--preview", recording, "--invariants", str(folder.path / "i.yaml")]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert told.count("held: \\x1b[31m") == 3
    assert "5 of 5 calls would be refused (100.0%), in 5 of 5 sessions" in told
    assert "refuse nothing: no-leak, pay-little" in told


def test_what_was_not_read_is_reported(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is not an event is counted, and the preview says so."""
    recording = Path(folder.write("r.jsonl", [requested(0)]))
    recording.write_text(recording.read_text() + "{}\n")
    assert main(["enforce", "--preview", str(recording)]) == 4
    assert "1 record(s) were not events" in capsys.readouterr().err


@pytest.mark.data
def test_recorded_sessions_are_previewed(capsys: pytest.CaptureFixture[str]) -> None:
    """Real recordings: every call is judged, and no engine failure or unread record is hidden."""
    (recording,) = smallest_file()
    arguments = ["enforce", "--preview", str(recording), "--invariants", "pack:default"]
    assert main([*arguments, "--output", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # 1,164 requests; the default packs would have refused none of them.
    assert found["total"] == share(calls=1_164, refused=0, sessions=200, refused_sessions=0)
    assert (found["unread_count"], found["unjudged_count"]) == (0, 0)
