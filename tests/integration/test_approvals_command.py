"""`interlock approvals`: an operator's commands against a gate in a process of its own."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gate_served import ServedGate
from tests.support.kafka_broker import CHECKOUT
from tests.support.monitor_process import ENTRY, PATIENCE_S

TWO = "approvals: {roles: [approver], approvers: 2, expires: 15m}"


def served(folder: Path, rules: str = "") -> ServedGate:
    """Principals `a` and `b` ask, `op1` and `op2` may approve; the token of each is its name."""
    gate = ServedGate(folder, tokens=("a", "b", "op1", "op2"))
    if rules:
        file = folder / "principals.yaml"
        text = file.read_text()
        file.write_text(text[: text.index("approvals:")] + rules + "\n")
    gate.start()
    for name in ("a", "op1", "op2", "nobody"):
        (folder / name).write_text(f"{name}\n")
    return gate


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGate]:
    gate = served(tmp_path_factory.mktemp("g"))
    yield gate
    gate.stop()


@pytest.fixture(scope="module")
def four_eyes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGate]:
    gate = served(tmp_path_factory.mktemp("g"), TWO)
    yield gate
    gate.stop()


def run(
    gate: ServedGate, *arguments: str, who: str = "op1", code: int = 0
) -> subprocess.CompletedProcess[str]:
    command = [*ENTRY, "approvals", *arguments, "--gate", f"unix:{gate.socket}"]
    command += ["--token-file", str(gate.folder / who)]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def as_json(gate: ServedGate, *arguments: str, who: str = "op1", code: int = 0) -> Any:
    return json.loads(run(gate, *arguments, "--output", "json", who=who, code=code).stdout)


def hold(
    gate: ServedGate, session: str, attributes: dict[str, Any] | None = None, **args: Any
) -> str:
    """A call of `a` that waits; the id of its approval."""
    more = {} if attributes is None else {"attributes": attributes}
    args = args or {"amount": 5}
    answer = gate.ask(session, "pay", token="a", args=args, request="r1", **more)
    assert answer.content["decision"] == "hold"
    return str(answer.content["approval"]["id"])


def answered(gate: ServedGate, session: str) -> Any:
    path = f"/v1/answers?session={session}&request=r1"
    return gate.send("GET", path, token="a").content


def test_an_operator_lists_shows_and_grants(gate: ServedGate) -> None:
    """The operator reads the call, its reason and its session; a grant lets it run once."""
    id_ = hold(gate, "granted")
    assert f'{id_}  a/granted  pay {{"amount": 5}}' in run(gate, "list").stdout
    shown = run(gate, "show", id_).stdout
    for part in ('"amount": 5', "pay-approved: a payment needs an approval", "session.started"):
        assert part in shown
    assert run(gate, "grant", id_, "--reason", "as agreed").stdout.startswith("granted: ")
    assert answered(gate, "granted")["decision"] == "allow"
    again = run(gate, "grant", id_, code=2)
    assert "no call waits under this id" in again.stderr


def test_a_denied_call_is_refused_and_the_reason_is_not_told(gate: ServedGate) -> None:
    """The operator's reason is in the record, and the agent does not get it."""
    id_ = hold(gate, "denied")
    assert run(gate, "deny", id_, "--reason", "between us").stdout.startswith("denied: ")
    answer = answered(gate, "denied")
    assert answer["decision"] == "deny" and "between us" not in json.dumps(answer)
    (record,) = [r for r in gate.records() if r["kind"] == "approval.denied"]
    assert record["attributes"]["reason"] == "between us"


def test_edited_arguments_are_judged_and_handed_to_the_agent(gate: ServedGate) -> None:
    """`--args FILE` replaces the arguments: the answer has them."""
    id_ = hold(gate, "edited", amount=900)
    (gate.folder / "args.json").write_text('{"amount": 9}')
    answer = as_json(gate, "grant", id_, "--args", str(gate.folder / "args.json"))
    assert (answer["decision"], answer["args"]) == ("allow", {"amount": 9})
    assert answered(gate, "edited")["args"] == {"amount": 9}


def test_arguments_that_are_not_an_object_are_refused_here(gate: ServedGate) -> None:
    """Nothing is sent, and the call goes on waiting."""
    id_ = hold(gate, "no-object")
    (gate.folder / "list.json").write_text("[1]")
    refused = run(gate, "grant", id_, "--args", str(gate.folder / "list.json"), code=2)
    assert "is not a JSON object" in refused.stderr
    assert answered(gate, "no-object")["decision"] == "hold"


def test_a_grant_does_not_permit_other_arguments_or_a_second_call(gate: ServedGate) -> None:
    """A grant is for one call with its arguments, and is used up by it."""
    run(gate, "grant", hold(gate, "bound"))
    for amount in (5, 6):
        again = gate.ask("bound", "pay", token="a", args={"amount": amount})
        assert again.content["decision"] == "hold"


def test_what_the_agent_wrote_cannot_write_to_the_terminal(gate: ServedGate) -> None:
    """Control characters and text in the other direction are escaped, in every output."""
    id_ = hold(gate, "hostile", note="\x1b[2Jfine\u202e", amount=5)
    for output in ("text", "json"):
        shown = run(gate, "show", id_, "--output", output).stdout
        assert "\x1b" not in shown and "\u202e" not in shown
        assert "fine" in shown


def test_an_operator_reads_the_attributes_of_a_call(gate: ServedGate) -> None:
    """Invariants may read them, so a grant is for them, too; they are as harmless as the rest."""
    hostile = {"env": "prod\x1b[2J\u202e\nfine", "long": "y" * 30_000}
    id_ = hold(gate, "attributes", hostile)
    shown = run(gate, "show", id_).stdout
    before, _, after = shown.partition("  attributes\n")
    assert '"env": "prod' in after and "fine" in after and "(cut: 3" in after
    assert '"amount": 5' in before and "env" not in before
    assert "\x1b" not in shown and "\u202e" not in shown
    assert as_json(gate, "show", id_)["approval"]["attributes"] == hostile
    assert "  attributes\n    none\n" in run(gate, "show", hold(gate, "no-attributes")).stdout


def test_long_arguments_hide_no_call_of_others(gate: ServedGate) -> None:
    """The list leaves long arguments out and says of which calls; the page of a call has them."""
    long = [hold(gate, f"flood-{n}", note="x" * 700_000, amount=5) for n in range(5)]
    short = hold(gate, "behind-the-flood")
    listed = as_json(gate, "list")
    assert {*long, short} <= {one["id"] for one in listed["approvals"]}
    assert set(long) <= set(listed["without_args"]) and short not in listed["without_args"]
    assert "(...)" in run(gate, "list").stdout
    assert len(as_json(gate, "show", long[0])["approval"]["args"]["note"]) == 700_000
    for id_ in long:
        run(gate, "deny", id_)


def test_long_arguments_are_cut_and_said_to_be(gate: ServedGate) -> None:
    """A text that would hide the rest of the page is cut; JSON has all of it."""
    id_ = hold(gate, "long", note="x" * 30_000, amount=5)
    assert "(cut: 3" in run(gate, "show", id_).stdout
    assert len(as_json(gate, "show", id_)["approval"]["args"]["note"]) == 30_000


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("a", "only a principal with a role that may approve"),
        ("nobody", "give the token of an operator with `--token-file`"),
    ],
)
def test_others_than_operators_are_refused(gate: ServedGate, who: str, told: str) -> None:
    """An agent's token, and an unknown one: one line with the reason, and no token in it."""
    done = run(gate, "list", who=who, code=2)
    assert told in done.stderr and done.stderr.count("\n") == 1


def test_a_gate_that_is_not_there_is_an_error_at_run_time(gate: ServedGate, tmp_path: Path) -> None:
    """No answer is neither a grant nor a refusal: exit code 3."""
    command = [*ENTRY, "approvals", "list", "--gate", f"unix:{tmp_path / 'none.sock'}"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "the gate at" in done.stderr
    elsewhere = [*ENTRY, "approvals", "list", "--gate", "http://gate.example:80"]
    done = subprocess.run(elsewhere, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "`--gate`: `gate.example` is another host" in done.stderr


def test_two_operators_must_grant(four_eyes: ServedGate) -> None:
    """With `approvers: 2` the first grant does not let the call run, and cannot be repeated."""
    id_ = hold(four_eyes, "two")
    assert "waits for another operator" in run(four_eyes, "grant", id_).stdout
    assert "granted by op1 (1 of 2)" in run(four_eyes, "show", id_).stdout
    assert answered(four_eyes, "two")["decision"] == "hold"
    assert "you have granted it already" in run(four_eyes, "grant", id_, code=2).stderr
    assert run(four_eyes, "grant", id_, who="op2").stdout.startswith("granted: ")
    assert answered(four_eyes, "two")["decision"] == "allow"


def test_one_operator_cannot_edit_what_two_must_grant(four_eyes: ServedGate) -> None:
    """The second operator would approve arguments that the first never saw."""
    id_ = hold(four_eyes, "edit-of-two")
    (four_eyes.folder / "args.json").write_text('{"amount": 9}')
    arguments = ("grant", id_, "--args", str(four_eyes.folder / "args.json"))
    assert "cannot be edited by one" in run(four_eyes, *arguments, code=2).stderr
    run(four_eyes, "grant", id_)
    assert "refuse it instead" in run(four_eyes, *arguments, who="op2", code=2).stderr
    assert answered(four_eyes, "edit-of-two")["decision"] == "hold"


def test_a_first_grant_outlives_a_kill(four_eyes: ServedGate) -> None:
    """The gate is killed between two grants: the first one counts, and is not forgotten."""
    id_ = hold(four_eyes, "killed")
    run(four_eyes, "grant", id_)
    four_eyes.kill()
    four_eyes.start()
    assert as_json(four_eyes, "show", id_)["approval"]["granted_by"] == ["op1"]
    run(four_eyes, "grant", id_, who="op2")
    assert answered(four_eyes, "killed")["decision"] == "allow"


def test_of_two_operators_who_race_one_decides(gate: ServedGate) -> None:
    """A grant and a refusal at once: the first is carried out, the other is told; never both."""
    for number in range(4):
        id_ = hold(gate, f"race-{number}")
        replies: dict[str, int] = {}

        def decide(who: str, decision: str, id_: str = id_, to: dict[str, int] = replies) -> None:
            path = f"/v1/approvals/{id_}"
            to[who] = gate.send("POST", path, {"decision": decision}, token=who).status

        threads = [
            threading.Thread(target=decide, args=("op1", "grant")),
            threading.Thread(target=decide, args=("op2", "deny")),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert sorted(replies.values()) == [200, 404]
        expected = "allow" if replies["op1"] == 200 else "deny"
        assert answered(gate, f"race-{number}")["decision"] == expected


def test_an_expired_call_cannot_be_granted(tmp_path: Path) -> None:
    """Nobody answered in time: the agent is refused, and a late grant changes nothing."""
    gate = served(tmp_path / "g", "approvals: {roles: [approver], approvers: 1, expires: 1s}")
    try:
        id_ = hold(gate, "late")
        path = "/v1/answers?session=late&request=r1&wait_s=60"
        answer = gate.send("GET", path, token="a").content
        assert (answer["decision"], answer["reason"]) == ("deny", "expired")
        assert "it has expired" in run(gate, "grant", id_, code=2).stderr
        assert answered(gate, "late")["decision"] == "deny"
        gate.stop()
    finally:
        gate.end()
