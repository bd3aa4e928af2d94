"""The bytes that a principal may have recorded: what is refused beyond them, and what is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.config.gate import GateSettings
from monitor.gate.budget import HOUR_NS, ByteBudget
from monitor.gate.errors import CrowdedError
from monitor.gate.wire import Opening, Ruling, Telling, Told, Withdrawal
from monitor.gate_server.bounds import Bounds
from tests.support.gate import GateHere
from tests.support.gate_in_thread import ServedHere, post, read_reply, status

SMALL = GateSettings(principal_bytes_per_hour=10_000)
LONG = {"text": "x" * 4_000}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[GateHere]:
    gate = GateHere(tmp_path, settings=SMALL)
    yield gate
    gate.close()


def flood(here: GateHere) -> int:
    """Ask until it is refused; the number of answers."""
    for number in range(20):
        try:
            here.ask("search", args=LONG, request=f"r-{number}")
        except CrowdedError:
            return number
    raise AssertionError("nothing bounds what is recorded")


def test_what_was_spent_comes_back_evenly() -> None:
    """The wait that is stated is long enough, and a second less is not."""
    budget = ByteBudget(7_200)
    budget.charge("bot", 10_000, 0)
    with pytest.raises(CrowdedError) as refused:
        budget.check("bot", 0)
    wait_s = refused.value.retry_after_s
    assert wait_s == 1 + 2_800 // 2
    with pytest.raises(CrowdedError):
        budget.check("bot", (wait_s - 1) * 10**9)
    budget.check("bot", wait_s * 10**9)
    budget.charge("bot", 5_000, HOUR_NS)
    with pytest.raises(CrowdedError):
        budget.check("bot", HOUR_NS)
    budget.check("bot", 3 * HOUR_NS)


def test_principals_that_owe_nothing_are_forgotten() -> None:
    """Names would be kept for ever; those that owe something are kept."""
    budget = ByteBudget(1_000)
    for number in range(100):
        budget.charge(f"uid-{number}", 1_000, number)
    assert len(budget._spent) == 100
    budget.charge("owes", 5_000, HOUR_NS)
    budget.charge("bot", 1, HOUR_NS + 100)
    assert list(budget._spent) == ["owes", "bot"]


def test_a_flood_records_no_more_than_its_share(here: GateHere) -> None:
    """Beyond it nothing of the principal is recorded; others are not concerned."""
    assert flood(here) == 3
    before = here.recorded_bytes()
    assert 10_000 <= before < 10_000 + 4_500, "the last request may go beyond it"
    told = Telling("s-1", [Told("message.user", text="x")])
    for refused in (
        lambda: here.ask("search"),
        lambda: here.ask("search", session="s-2"),
        lambda: here.gate.tell("bot", told),
        lambda: here.gate.open("bot", Opening("s-3")),
    ):
        with pytest.raises(CrowdedError, match=r"`gate\.principal_bytes_per_hour`"):
            refused()
    assert here.recorded_bytes() == before
    assert here.ask("search", session="s-9", who="other").decision == "allow"
    here.clock.time_ns += HOUR_NS
    assert here.ask("search").decision == "allow"


def test_denied_calls_are_charged(here: GateHere) -> None:
    """Refusals are recorded with the whole request, and an agent can cause any number of them."""
    here.read_secret()
    with pytest.raises(CrowdedError):
        for _ in range(20):
            assert here.ask("http.post", args=LONG).decision == "deny"
    assert here.recorded_bytes() < 10_000 + 5_000


def test_answers_that_are_recorded_are_given_without_a_share(here: GateHere) -> None:
    """A retry writes nothing, and an agent that lost its answer needs it."""
    told = Telling("s-1", [Told("message.user", text="x")], "t-1")
    numbers = here.gate.tell("bot", told)
    count = flood(here)
    assert here.ask("search", args=LONG, request=f"r-{count - 1}").decision == "allow"
    assert here.gate.tell("bot", told) == numbers
    assert here.gate.open("bot", Opening("s-1")).is_resumed


def test_held_calls_end_without_a_share(here: GateHere) -> None:
    """By their agent, and by operators; this is charged to the principal of the call, all of it."""
    requests = [here.ask("pay", args={"amount": n}, request=f"p-{n}") for n in range(2)]
    flood(here)
    before = here.recorded_bytes()
    assert here.gate.withdraw("bot", Withdrawal("s-1", "p-0")).reason == "withdrawn"
    assert requests[1].approval is not None
    assert here.gate.rule("ana", requests[1].approval.id, Ruling("grant")).decision == "allow"
    assert here.recorded_bytes() > before and here.recorded_bytes("ana") == 0
    here.clock.time_ns += HOUR_NS * (before - 10_000) // 10_000
    with pytest.raises(CrowdedError):
        here.ask("search")


def test_the_server_says_when_to_ask_again(tmp_path: Path) -> None:
    """429, with the seconds that are missing, and a count; nothing is recorded."""
    body = b'{"session":"s","tool":"search","args":{"text":"%s"}}' % (b"x" * 11_000)
    broken = post(body.replace(b"tool", b"tools"))
    with ServedHere(tmp_path, Bounds(refusal_pause_s=0.01), settings=SMALL) as server:
        for _ in range(3):
            refused = read_reply(server.connect(broken))
            assert status(refused) == 400, "a request that records nothing is not charged"
        assert status(read_reply(server.connect(post(body)))) == 200
        assert server.gate is not None
        count, over = len(server.gate.records()), server.gate.recorded_bytes() - 10_000
        assert server.reached("bytes") == 0
        reply = read_reply(server.connect(post(body)))
        assert status(reply) == 429 and b'"crowded"' in reply
        (wait_s,) = re.findall(rb"Retry-After: (\d+)\r\n", reply)
        expected_s = over * 3_600 // 10_000 + 1
        assert expected_s - 3 <= int(wait_s) <= expected_s, "each look at the clock takes 1 ms"
        assert server.reached("bytes") == 1
        assert len(server.gate.records()) == count
