"""`interlock enforce --preview`: the calls that a gate would have refused in recordings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.gate import INVARIANTS

ROOT = Path(__file__).resolve().parents[2]


def write(path: Path, *events: dict[str, Any]) -> Path:
    lines = []
    for number, event in enumerate(events):
        whole = {"session": "s-1", "seq": number, "ts": f"2026-01-05T09:00:{number:02d}Z", **event}
        lines.append(json.dumps(whole) + "\n")
    path.write_text("".join(lines))
    return path


def preview(tmp_path: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    (tmp_path / "invariants.yaml").write_text(INVARIANTS)
    command = [sys.executable, "-m", "monitor.cli", "enforce", "--invariants"]
    command += [str(tmp_path / "invariants.yaml"), "--output", "json", "--preview", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


READ = {"kind": "tool.completed", "tool": "read_file", "args": {"path": "/secrets/k"}}


def posted(call: str) -> list[dict[str, Any]]:
    event = {"tool": "http.post", "call": call, "args": {"url": "https://a.example", "key": "K1"}}
    return [{"kind": "tool.requested", **event}, {"kind": "tool.completed", **event}]


def test_each_call_is_counted_and_no_value_is_shown(tmp_path: Path) -> None:
    """Also calls that `report: first` would leave out; and nothing of the arguments' values."""
    path = write(tmp_path / "a.jsonl", *posted("c0"), READ, *posted("c1"), *posted("c2"))
    result = preview(tmp_path, str(path))
    assert result["totals"]["calls_count"] == 3
    assert (result["totals"]["denied_count"], result["totals"]["refused_sessions_count"]) == (2, 1)
    (row,) = result["invariants"]
    assert (row["id"], row["denied_count"], row["sessions_count"]) == ("no-leak", 2, 1)
    (example,) = row["examples"]
    assert example["args"] == ["url", "key"] and "K1" not in json.dumps(result)


def test_what_was_denied_has_no_outcome(tmp_path: Path) -> None:
    """A denied call that would have read the secret has not shown it: what follows is fine."""
    pays = {"tool": "pay", "call": "c1", "args": {"amount": 5000}}
    path = write(tmp_path / "a.jsonl", {"kind": "tool.requested", **pays})
    result = preview(tmp_path, str(path))
    rows = {row["id"]: row for row in result["invariants"]}
    assert rows["pay-approved"]["denied_count"] == 1, "an approval does not make it a small payment"
    assert rows["pay-little"]["denied_count"] == 1


def test_invariants_as_written_only_deny_if_they_are_enforced(tmp_path: Path) -> None:
    pays = {"kind": "tool.requested", "tool": "pay", "call": "c1", "args": {"amount": 5000}}
    result = preview(tmp_path, str(write(tmp_path / "a.jsonl", pays)), "--as-written")
    (row,) = result["invariants"]
    assert (row["id"], row["denied_count"], row["held_count"]) == ("pay-approved", 0, 1)


def test_a_record_that_cannot_be_read_is_not_a_success(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", READ)
    path.write_text(path.read_text() + "{no json}\n")
    assert preview(tmp_path, str(path), code=4)["totals"]["unread_count"] == 1


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "invariants.yaml").write_text(INVARIANTS)
    command = [sys.executable, "-m", "monitor.cli", "enforce", "--preview", str(tmp_path / "empty")]
    command += ["--invariants", str(tmp_path / "invariants.yaml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "no `.jsonl`" in done.stderr


@pytest.mark.data
def test_recorded_agents_are_previewed(tmp_path: Path) -> None:
    """Of 200 sessions of an airline's agent the default packs refuse nothing."""
    path = ROOT.parent / "shared" / "data" / "agent-sessions" / "taubench.gpt-4o-airline.jsonl.gz"
    command = [sys.executable, "-m", "monitor.cli", "enforce", "--invariants", "pack:default"]
    done = subprocess.run(
        [*command, "--preview", str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    expected = "1164 calls in 200 sessions: 0 would have been denied and 0 held, in 0 sessions\n"
    assert done.stdout == expected
