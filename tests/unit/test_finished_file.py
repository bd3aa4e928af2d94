"""A finished file is fine only if every line of it was judged to its end."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest

from invariants.codec.state import STATE_VERSION
from monitor.cli.__main__ import main
from tests.support.rim import SECOND_NS, START_NS

WATCHED = """\
version: 1
predicates:
  asked: kind == "asked"
  bad: kind == "tool.requested" && args.is_bad
  answered: kind == "answered"
invariants:
  - id: in-time
    severity: warning
    always: asked implies eventually[10s] answered
  - id: good
    severity: warning
    never: bad
"""


def line(seq: int, at_s: int, kind: str) -> bytes:
    content = {"session": "s", "seq": seq, "ts": START_NS + at_s * SECOND_NS, "kind": kind}
    return msgspec.json.encode(content) + b"\n"


ASKED, ANSWERED, LATER = line(0, 0, "asked"), line(1, 5, "answered"), line(1, 11, "x")
DOUBTFUL, ENDED = line(2, 12, "tool.requested"), line(2, 6, "session.ended")
GAP = line(0, 0, "x") + line(2, 1, "x")


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (ASKED + ANSWERED, 0, "0 findings"),
        (ASKED, 4, "1 verdict is open: in-time in s, due 20"),
        (ASKED + LATER, 1, "1 of them violations"),
        (GAP, 4, "not everything could be judged: 1 gap"),
        (ASKED + ANSWERED + DOUBTFUL, 4, "not everything could be judged: 1 inconclusive"),
        (ASKED + LATER + DOUBTFUL, 1, "not everything could be judged: 1 inconclusive"),
        (ASKED + ANSWERED + ENDED + line(3, 7, "x"), 0, "after_end"),
        (b"", 4, "the file contains no event"),
        (b"\n\n", 4, "the file contains no event"),
        (b'{"jsonrpc": "2.0"}\n', 4, "this looks like MCP messages"),
    ],
    ids=["answered", "open", "late", "gap", "doubt", "both", "after", "empty", "blank", "foreign"],
)
@pytest.mark.parametrize("is_sorted", [False, True])
def test_the_exit_code_says_what_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, code: int, told: str,
    *, is_sorted: bool,
) -> None:  # fmt: skip
    """0 fine, 1 violated, 4 not everything could be judged; sorted or not."""
    assert run(tmp_path, content, *(["--sort"] if is_sorted else [])) == code
    out, err = capsys.readouterr()
    assert told in out + err


def test_a_torn_file_is_not_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever was read of it before the damage."""
    packed = gzip.compress(ASKED + ANSWERED, mtime=0)
    assert run(tmp_path, packed, name="a.jsonl.gz") == 0
    assert run(tmp_path, packed[:-4], name="a.jsonl.gz") == 4
    assert "a part of the file could not be read" in capsys.readouterr().err


def test_no_fewer_than_no_records_may_be_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    """With -1 a file without a fault ended with 4."""
    with pytest.raises(SystemExit) as ended:
        main(["run", "--allow-rejected", "-1", "--source", "x.jsonl"])
    assert ended.value.code == 2
    assert "`-1` is not a whole number of at least 0" in capsys.readouterr().err


def test_sort_is_for_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A live source is judged as it comes."""
    (tmp_path / "w.yaml").write_text(WATCHED)
    arguments = ["run", "--sort", "--invariants", str(tmp_path / "w.yaml")]
    source = ["--source", f"log:{tmp_path / 'log'}", "--state-dir", str(tmp_path / "state")]
    assert main([*arguments, *source]) == 2
    assert "`--sort` is for a finished file" in capsys.readouterr().err


def run(folder: Path, content: bytes, *more: str, name: str = "a.jsonl") -> int:
    (folder / "w.yaml").write_text(WATCHED)
    (folder / name).write_bytes(content)
    arguments = ["--invariants", str(folder / "w.yaml"), "--source", str(folder / name)]
    return main(["run", *arguments, *more])


def test_states_of_another_version_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade, say: with what to do about it, and no traceback."""
    state = "--state-dir", str(tmp_path / "state")
    with monkeypatch.context() as older:
        older.setattr("invariants.codec.state.STATE_VERSION", STATE_VERSION - 1)
        assert run(tmp_path, ASKED, *state) == 4
    capsys.readouterr()
    assert run(tmp_path, ASKED + ANSWERED, *state) == 2
    message = capsys.readouterr().err
    assert f"has version {STATE_VERSION - 1}" in message
    assert "name another `state_dir`" in message
