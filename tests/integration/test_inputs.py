"""`fixtures/inputs`: files that were once judged wrongly, each with its right answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from monitor.cli.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "fixtures" / "inputs").glob("*/expected.yaml"))


class Found(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One finding, by what identifies it to a reader; `at` is the position of its anchor."""

    session: str
    type: str
    at: int | None = None
    invariant: str = ""
    severity: str | None = None


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `interlock VERB` must say of the folder's files.

    `findings` is the whole list, in any order, or None where it is not compared; `contains` are
    texts that stdout or stderr must hold, `lacks` those that neither may hold.
    """

    note: str
    arguments: list[str]
    exit: int
    findings: list[Found] | None = None
    contains: list[str] = []
    lacks: list[str] = []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_input(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exit code, the findings and the words are those of `expected.yaml`."""
    expected = msgspec.convert(yaml.safe_load((folder / "expected.yaml").read_text()), Expected)
    monkeypatch.chdir(folder)
    code = main(expected.arguments)
    out, err = capsys.readouterr()
    assert code == expected.exit, out + err
    for text in expected.contains:
        assert text in out + err
    for text in expected.lacks:
        assert text not in out + err
    if expected.findings is not None:
        lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        told = [verdict for line in lines if "anchor" in line for verdict in _verdicts(line)]
        wanted = list(map(_key, map(msgspec.to_builtins, expected.findings)))
        assert sorted(_shown(line, expected.findings) for line in told) == sorted(wanted)


def _verdicts(told: dict[str, Any]) -> list[dict[str, Any]]:
    """A finding, or each verdict of a group."""
    return [
        told | {name: member[name] for name in ("invariant", "severity", "anchor")}
        for member in told["undecided"]
    ] or [told]


def _key(found: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(found[name]) for name in ("session", "type", "at", "invariant", "severity"))


def _shown(line: dict[str, Any], wanted: list[Found]) -> tuple[str, ...]:
    """A printed finding in the form of the expected ones, which may leave things open."""
    position = line["anchor"]["position"] if any(w.at is not None for w in wanted) else None
    severity = line["severity"] if any(w.severity is not None for w in wanted) else None
    found = {**line, "at": position, "severity": severity}
    return _key(found)
