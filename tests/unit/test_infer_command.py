"""`interlock infer`: what it prints, what it writes, and when it says that it did not read all."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from monitor.authoring.files import read_specs
from monitor.authoring.packs import find_pack
from monitor.cli.__main__ import main
from monitor.cli.infer import pack_lists
from monitor.cli.output import EXIT_FINE, EXIT_UNJUDGED, EXIT_USAGE

TOOLS: list[dict[str, Any]] = [
    {"name": "wipe_cluster", "parameters": {}},
    {"name": "fax_document", "parameters": {"to": {}, "body": {}}},
    {"name": "get_notes", "parameters": ["recipient", "body"]},
    {"name": "frob\u001b[2J\u202e\nnicate", "parameters": {}, "description": "Sends mail."},
    {"name": "fax\n    - '**'\nx", "parameters": ["to", "body"]},
]


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A file of tools, some of them hostile."""
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(TOOLS))
    return path


def test_the_text_is_a_difference_with_reasons(
    tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line of it is of the difference or a comment, and names cannot make lines."""
    assert main(["infer", str(tools)]) == EXIT_FINE
    lines = capsys.readouterr().out.splitlines()
    assert '+    - "**__wipe_cluster"' in lines
    assert "+    # its name matches `**_wipe_**_cluster**`" in lines
    assert all(re.match(r"[-+@ #]", line) for line in lines)
    notes = "\n".join(line for line in lines if line.startswith("#"))
    assert "NO EFFECT: `get_notes` belongs to `sending_tools` of `secrets`" in notes
    assert "NOT CLASSIFIED, which does not mean harmless: 1\n" in notes
    assert "frob\\x1b[2J\\u202e\\nnicate (sends? its description" in notes
    assert "NOT WRITTEN: `fax\\n    - '**'\\nx`" in notes
    assert "\x1b" not in notes


def test_a_pack_is_written_whole_and_passes_its_check(
    tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new file has the pack's invariants, the entries, and no fault; examples still pass."""
    to = tmp_path / "production.yaml"
    assert main(["infer", str(tools), "--pack", "production", "--to", str(to)]) == EXIT_FINE
    assert main(["check", str(to)]) == EXIT_FINE
    assert main(["test", str(to)]) == EXIT_FINE
    capsys.readouterr()
    ((made,), (pack,)) = read_specs(to), read_specs(find_pack("production").path)
    changed = {name for name in pack.lists if made.lists[name] != pack.lists[name]}
    assert changed == {"tearing_tools"}
    assert made.lists["tearing_tools"][-1] == "**__wipe_cluster"


def test_every_pack_can_be_written(tmp_path: Path) -> None:
    """A pack without an entry, too: its text is unchanged."""
    empty = tmp_path / "tools.json"
    empty.write_text('{"name": "t", "parameters": {}}')
    for pack in sorted({pack for pack, _ in pack_lists()}):
        to = tmp_path / f"{pack}.yaml"
        assert main(["infer", str(empty), "--pack", pack, "--to", str(to)]) == EXIT_FINE
        assert to.read_text() == find_pack(pack).path.read_text()


def test_json_has_the_same(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get entries, tools with their signs, and what is not in the lists."""
    assert main(["infer", str(tools), "--pack", "secrets", "--output", "json"]) == EXIT_FINE
    told = json.loads(capsys.readouterr().out)
    (entry,) = told["entries"]
    assert (entry["pack"], entry["list"], entry["subject"]) == (
        "secrets",
        "sending_tools",
        "fax_document",
    )
    assert entry["reasons"]
    assert [one["subject"] for one in told["without_effect"]] == ["get_notes"]
    assert len(told["tools"]) == len(TOOLS)
    assert {one["name"] for one in told["tools"] if not one["is_classified"]} == {TOOLS[3]["name"]}


def test_values_of_a_trace_are_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Arguments of calls may be secret: only their names and sorts are told."""
    args = {"whomsoever": "ann@hidden.example", "body": "hunter2", "env": "prod-hidden"}
    event = {"session": "s", "kind": "tool.requested", "tool": "send_note_x", "args": args}
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(event).encode()))
    for output in ("text", "json"):
        assert main(["infer", str(path), "--output", output]) == EXIT_FINE
        out = capsys.readouterr().out
        assert "whomsoever" in out
        assert "hidden" not in out
        assert "hunter2" not in out


def test_a_part_that_was_not_read_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 4, and the places."""
    path = tmp_path / "tools.jsonl"
    path.write_text('{"name": "t", "parameters": {}}\n' + "3\n" * 30)
    assert main(["infer", str(path)]) == EXIT_UNJUDGED
    out = capsys.readouterr().out
    assert "# NOT READ: line 2: neither a declaration" in out
    assert "# NOT READ: 10 more" in out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["TOOLS", "--to", "new.yaml"], "name it with `--pack`"),
        (["TOOLS", "--pack", "secrets", "--to", "TOOLS"], "exists; name a new file"),
        (["TOOLS", "--pack", "nothing"], "there is no pack `nothing`"),
        (["TOOLS", "--pack", "secrets", "--to", "TOOLS/x"], "Not a directory"),
        (["absent.json"], "No such file"),
        (["EMPTY"], "no tool is declared or called in it; element 1: neither"),
    ],
)
def test_a_wrong_command_says_how_to_mend_it(
    arguments: list[str],
    reason: str,
    tools: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, and no file is written or changed."""
    empty = tmp_path / "empty.json"
    empty.write_text("[1]")
    before = tools.read_bytes()
    given = [one.replace("TOOLS", str(tools)).replace("EMPTY", str(empty)) for one in arguments]
    assert main(["infer", *given]) == EXIT_USAGE
    assert reason in capsys.readouterr().err
    assert tools.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.json", "tools.json"]
