"""What the command line shows of foreign text: everything, and nothing that a terminal obeys."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from monitor.cli.output import complain, json_text, safe
from monitor.config.load import load_settings
from monitor.config.secrets_named import secrets_of
from monitor.presentation import time_text
from monitor.topics import CONTROL

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "a\x1b[2J\x9b31m\x7f\u202eb\r\té"


@pytest.mark.parametrize("text", [HOSTILE, "plain", "ä ö 漢字", "\x00\x85\u2028"])
def test_json_stays_the_same_document(text: str) -> None:
    """Also those controls that JSON may carry as they are: DEL, and the second set."""
    shown = json_text(msgspec.json.encode({"session": text}))
    assert json.loads(shown) == {"session": text}
    assert shown.isprintable()


def test_errors_keep_their_lines_and_their_letters(capsys: pytest.CaptureFixture[str]) -> None:
    complain(f"first {HOSTILE}\nsecond é")
    told = capsys.readouterr().err
    assert told.count("\n") == 2 and "é" in told
    assert all(line.isprintable() for line in told.splitlines())
    assert safe("plain\nlines") == "plain\nlines"


@pytest.mark.parametrize("number", [2**63, -(2**70), 10**30, 10**18, 0, -1])
def test_any_number_can_be_shown_as_a_time(number: int) -> None:
    """A control record may carry any; the list of who is stopped must not fail over it."""
    assert time_text(number).isprintable()


@pytest.mark.parametrize("output", ["text", "json"])
def test_control_records_cannot_draw_on_the_operators_screen(tmp_path: Path, output: str) -> None:
    """Whoever may write the topic chooses every text of a record, and its times."""
    folder = tmp_path / CONTROL
    folder.mkdir()
    value = {"state": "killed", "issued_at": 10**30, "incident": HOSTILE, "issuer": HOSTILE}
    line = json.dumps({"key": f"session:{HOSTILE}", "value": value})
    (folder / "a-1.jsonl").write_text(line + "\n")
    command = [
        sys.executable,
        "-m",
        "monitor.cli",
        "control",
        "list",
        "--source",
        f"log:{tmp_path}",
    ]
    done = subprocess.run(
        [*command, "--output", output], cwd=ROOT, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert any("killed" in one for one in lines)
    assert all(one.isprintable() for one in lines)


def test_the_log_of_a_run_knows_every_secret_that_it_must_not_show(tmp_path: Path) -> None:
    """Each setting that names a file with a secret is among those that are replaced."""
    of_kafka = ["kafka.sasl_plain_password_file", "kafka.ssl_password_file"]
    names = ["digest_key_file", "fingerprint_key_file", "webhook.secret_file", *of_kafka]
    environment = {"INTERLOCK_WEBHOOK_URL": "https://alerts.example/in"}
    for name in names:
        path = tmp_path / name
        path.write_text(f"secret of {name}\n")
        environment[f"INTERLOCK_{name.replace('.', '_').upper()}"] = str(path)
    settings = load_settings(environment=environment)
    told = {secret.reveal().decode() for secret in secrets_of(settings)}
    assert told == {f"secret of {name}" for name in names}
