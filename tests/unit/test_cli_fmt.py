"""`interlock fmt`: files written whole or not at all, and what its exit code says."""

from __future__ import annotations

import io
import stat
import sys
from pathlib import Path

import pytest

from invariants.spec import format as rewrite_module
from invariants.spec.format import Rewritten
from monitor.cli import fmt
from monitor.cli.__main__ import main

LOOSE = """version: 1
# why
predicates:
  q: kind == "b"
invariants:
  - id: a
    severity: info
    never: "(q)  and (q)"
"""
TIDY = LOOSE.replace('"(q)  and (q)"', "q and q")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text(LOOSE)
    return path


def test_a_file_is_rewritten_once(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first run changes it and says so, the second has nothing to do or to say."""
    assert main(["fmt", str(file)]) == 0
    assert file.read_text() == TIDY
    assert capsys.readouterr().out == f"{file}: changed\n"
    before = file.stat()
    assert main(["fmt", str(file)]) == 0
    assert capsys.readouterr().out == ""
    assert file.stat() == before
    assert [path.name for path in file.parent.iterdir()] == ["a.yaml"]


def test_check_and_diff_write_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both end with 1 where a file would change, and with 0 where none would."""
    assert main(["fmt", "--check", str(file)]) == 1
    assert capsys.readouterr().out == f"{file}: would change\n"
    assert main(["fmt", "--diff", str(file.parent)]) == 1
    shown = capsys.readouterr().out
    assert '-    never: "(q)  and (q)"\n+    never: q and q\n' in shown
    assert file.read_text() == LOOSE
    file.write_text(TIDY)
    assert main(["fmt", "--check", "--diff", str(file)]) == 0
    assert capsys.readouterr().out == ""


def test_the_mode_and_a_link_stay(file: Path, tmp_path: Path) -> None:
    """What a link points to is rewritten; the link is still one."""
    file.chmod(0o640)
    folder = tmp_path / "links"
    folder.mkdir()
    link = folder / "b.yaml"
    link.symlink_to(file)
    assert main(["fmt", str(link)]) == 0
    assert link.is_symlink()
    assert file.read_text() == TIDY
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in folder.iterdir()] == ["b.yaml"]


def test_standard_input_goes_to_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-` reads one file and prints it; with `--check` it prints a line only."""

    def feed() -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LOOSE.encode())))

    feed()
    assert main(["fmt", "-"]) == 0
    assert capsys.readouterr().out == TIDY
    feed()
    assert main(["fmt", "--check", "-"]) == 1
    assert capsys.readouterr().out == "stdin: would change\n"


def test_a_faulty_file_keeps_no_other_from_it(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its faults are told with their places, and the code is 2."""
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text(LOOSE.replace("(q)  and", "(q) and and"))
    assert main(["fmt", str(faulty), str(tmp_path / "none.yaml"), str(file)]) == 2
    told = capsys.readouterr().err
    assert f"{faulty}:8:21: E301" in told and "none.yaml` is neither" in told
    assert file.read_text() == TIDY


def test_a_text_that_would_say_something_else_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of ours leaves the file as it is."""
    monkeypatch.setattr(fmt, "rewrite", lambda text, name: Rewritten("version: 1\n", False))
    assert main(["fmt", str(file)]) == 3
    assert "not changed" in capsys.readouterr().err
    assert file.read_text() == LOOSE


def test_the_loader_is_asked_whether_it_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A formatter that dropped a `not`, or wrote what does not load, would be found out."""
    for wrong in ("not (q and q)", "q and"):
        monkeypatch.setattr(rewrite_module, "format_clearly", lambda formula, w=wrong: w)
        assert not rewrite_module.rewrite(LOOSE, "a.yaml").is_same


def test_a_write_that_fails_leaves_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The old text stays, and nothing lies beside it."""

    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(13, "no", str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    assert main(["fmt", str(file)]) == 3
    assert file.read_text() == LOOSE
    assert [path.name for path in file.parent.iterdir()] == ["a.yaml"]


def test_packs_are_not_rewritten(capsys: pytest.CaptureFixture[str]) -> None:
    """They lie where the program is installed; to hold them against the form is fine."""
    assert main(["fmt", "pack:shell"]) == 2
    assert "packs show" in capsys.readouterr().err
    assert main(["fmt", "--check", "pack:shell"]) == 0
