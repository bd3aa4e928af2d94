"""`interlock exceptions` and `interlock gate break-glass`, against a gate in its own process."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.gate_served import ServedGate
from tests.support.kafka_broker import CHECKOUT
from tests.support.monitor_process import ENTRY, PATIENCE_S

WHY = ["--reason", "a wrong\x1b[2J rule", "--owner", "security", "--for", "10m"]
RULES = """    exceptions: {roles: [approver], longest: 1h}
    break_glass: {roles: [approver], longest: 30m}
"""


def command(
    *arguments: str, code: int = 0, passphrase: str | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "INTERLOCK_KEY_PASSPHRASE"}
    if passphrase is not None:
        environment["INTERLOCK_KEY_PASSPHRASE"] = passphrase
    done = subprocess.run(
        [*ENTRY, *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGate]:
    """`a` asks; `op1` has a key with a passphrase, `op2` has one without, `op3` has none."""
    folder = tmp_path_factory.mktemp("g")
    served = ServedGate(folder, tokens=("a", "b", "op1", "op2", "op3"))
    file = folder / "principals.yaml"
    text = file.read_text()
    for name, phrase in (("op1", "correct horse"), ("op2", "")):
        made = command(
            "exceptions", "keygen", "--key", str(folder / f"{name}.pem"), passphrase=phrase
        )
        assert (folder / f"{name}.pem").stat().st_mode & 0o777 == 0o600
        text = text.replace(f"{name}: {{", f"{name}: {{{made.stdout.strip()}, ")
    file.write_text(text.rstrip() + "\n" + RULES)
    served.start()
    for name in ("a", "op1", "op2", "op3"):
        (folder / name).write_text(f"{name}\n")
    yield served
    served.stop()


def at(gate: ServedGate, who: str) -> list[str]:
    return ["--gate", f"unix:{gate.socket}", "--token-file", str(gate.folder / who)]


def sign(gate: ServedGate, who: str) -> list[str]:
    return ["--key", str(gate.folder / f"{who}.pem"), *at(gate, who)]


def in_force(gate: ServedGate) -> list[dict[str, Any]]:
    told = command("exceptions", "list", "--output", "json", *at(gate, "op1")).stdout
    exceptions: list[dict[str, Any]] = json.loads(told)["exceptions"]
    return exceptions


def leak(gate: ServedGate, session: str) -> str:
    read = {"kind": "tool.completed", "tool": "read_file", "args": {"path": "/secrets/key"}}
    gate.send("POST", "/v1/tell", {"session": session, "events": [read]}, token="a")
    answer = gate.ask(session, "http.post", token="a")
    return str(answer.content["decision"])


def test_an_exception_from_its_key_to_its_end(gate: ServedGate) -> None:
    assert leak(gate, "s-1") == "deny"
    flags = ["--invariant", "no-leak", "--principal", "a", "--session", "s-2", *WHY]
    made = command("exceptions", "add", *flags, *sign(gate, "op1"), passphrase="correct horse")
    assert "exception of no-leak  for a/s-2  until 20" in made.stdout
    assert leak(gate, "s-2") == "allow"
    assert leak(gate, "s-3") == "deny"
    listed = command("exceptions", "list", *at(gate, "op2")).stdout
    assert "1 exception in force" in listed
    assert "a wrong\\x1b[2J rule (security; signed by op1)" in listed, "no control characters"
    (one,) = in_force(gate)
    ended = command("exceptions", "revoke", one["id"], *at(gate, "op2"))
    assert ended.stdout == f"{one['id']} is over\n"
    assert in_force(gate) == []
    command("exceptions", "revoke", one["id"], *at(gate, "op2"), code=2)


def test_broken_glass_opens_the_gate_and_is_loud(gate: ServedGate) -> None:
    assert leak(gate, "g-1") == "deny"
    made = command("gate", "break-glass", "--everybody", *WHY, *sign(gate, "op2"))
    assert "break-glass  for everybody" in made.stdout
    assert leak(gate, "g-2") == "allow"
    metrics = gate.send("GET", "/metrics").content
    assert "interlock_gate_glass_broken 1.0" in str(metrics)
    assert "gate_exception_taken" in gate.told()
    (one,) = in_force(gate)
    command("exceptions", "revoke", one["id"], *at(gate, "op1"))
    assert leak(gate, "g-3") == "deny"


def test_what_stands_in_the_way_is_said(gate: ServedGate) -> None:
    """Nothing of a key or a passphrase is shown."""
    flags = ["--invariant", "no-leak", "--principal", "a", *WHY]
    folder = gate.folder

    def refused(*arguments: str, passphrase: str | None = None, code: int = 2) -> str:
        done = command("exceptions", "add", *arguments, passphrase=passphrase, code=code)
        return done.stderr

    assert "passphrase is missing" in refused(*flags, *sign(gate, "op1"))
    told = refused(*flags, *sign(gate, "op1"), passphrase="hunter2")
    assert "passphrase is wrong" in told and "hunter2" not in told
    others = ["--key", str(folder / "op2.pem"), *at(gate, "op1")]
    assert "signature does not fit" in refused(*flags, *others, code=2)
    without = ["--key", str(folder / "op2.pem"), *at(gate, "op3")]
    assert "has no `public_key`" in refused(*flags, *without, code=2)
    agents = ["--key", str(folder / "op2.pem"), *at(gate, "a")]
    assert "only a principal with a role" in refused(*flags, *agents, code=2)
    (folder / "open.pem").write_bytes((folder / "op2.pem").read_bytes())
    (folder / "open.pem").chmod(0o644)
    told = refused(*flags, "--key", str(folder / "open.pem"), *at(gate, "op2"))
    assert "chmod 600" in told
    (folder / "text.pem").write_text("SECRET-KEY")
    (folder / "text.pem").chmod(0o600)
    told = refused(*flags, "--key", str(folder / "text.pem"), *at(gate, "op2"))
    assert "not a private key" in told and "SECRET-KEY" not in told
    longer = [flag if flag != "10m" else "2h" for flag in flags]
    assert "at most `1h`" in refused(*longer, *sign(gate, "op2"), code=2)
    unknown = [flag if flag != "no-leak" else "no-such" for flag in flags]
    assert "no such invariant" in refused(*unknown, *sign(gate, "op2"), code=2)
    assert in_force(gate) == []


def test_a_key_is_never_written_over(gate: ServedGate) -> None:
    path = gate.folder / "op1.pem"
    before = path.read_bytes()
    command("exceptions", "keygen", "--key", str(path), passphrase="x", code=2)
    assert path.read_bytes() == before
    assert b"ENCRYPTED" in before and b"ENCRYPTED" not in (gate.folder / "op2.pem").read_bytes()


def test_an_agent_cannot_make_one_by_http(gate: ServedGate) -> None:
    """Neither with a statement of its own, nor with a body of another form."""
    for body in ({"statement": "{}", "signature": ""}, {"statement": 1}, {}, []):
        reply = gate.send("POST", "/v1/exceptions", body, token="a")
        assert reply.status in (400, 403), reply
    assert gate.send("GET", "/v1/exceptions", token="a").status == 403
    assert gate.send("POST", "/v1/exceptions/x-1", {}, token="a").status == 403
