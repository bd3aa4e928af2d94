"""`interlock rules`: an alert for each invariant, by promtool; whatever its texts contain."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from monitor.cli.__main__ import main
from tests.support.prometheus_tools import program

HOSTILE = """
version: 1
predicates:
  sends: kind == "tool.requested" && tool == "send"
invariants:
  - id: no-send
    summary: "Nothing is sent {{ $labels.session }} {{"
    description: 'It is "quoted" {{ query "up" }}'
    owner: "team {{ a }}"
    references: ["https://wiki.example/no-send"]
    severity: critical
    on_unknown: violate
    never: sends
  - id: no.send
    severity: warning
    never: sends
  - id: off
    severity: warning
    enabled: false
    never: sends
"""


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        [program("promtool"), *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["rules", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("source", ["hostile", "pack:default"])
def test_each_alert_fires_for_its_invariant_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    """The tests that the command prints pass, and a rule that is damaged fails them."""
    if source == "hostile":
        (tmp_path / "hostile.yaml").write_text(HOSTILE)
        source = str(tmp_path / "hostile.yaml")
    rules, tests = tmp_path / "rules.yml", tmp_path / "tests.yml"
    rules.write_text(printed(capsys, source))
    tests.write_text(printed(capsys, source, "--tests-of", str(rules)))
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(rules))
    promtool("test", "rules", str(tests))
    rules.write_text(rules.read_text().replace("> 0", "> 1000000", 1))
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", str(tests))


def test_texts_are_not_templates_and_names_are_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hostile.yaml").write_text(HOSTILE)
    (group,) = yaml.safe_load(printed(capsys, str(tmp_path)))["groups"]
    first, second = group["rules"]
    assert first["labels"] == {"severity": "critical", "owner": 'team {{"{{"}} a }}'}
    assert first["annotations"]["runbook"] == "https://wiki.example/no-send"
    assert (
        first["annotations"]["summary"].count("{{")
        == first["annotations"]["summary"].count('{{"{{"}}') * 2
    )
    assert first["alert"] != second["alert"]
    assert second["annotations"]["summary"] == "Invariant no.send was violated."


def test_without_an_enabled_invariant_there_is_nothing_to_alert_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "off.yaml").write_text(
        "version: 1\npredicates:\n  sends: tool == 'send'\ninvariants:\n"
        "  - {id: off, severity: warning, enabled: false, never: sends}\n"
    )
    assert main(["rules", str(tmp_path)]) == 2
    assert "nothing to alert of" in capsys.readouterr().err
