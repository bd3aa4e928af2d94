"""Turns of principals: nobody waits for a flood, and time that was not used is not owed."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import SystemClock
from monitor.gate_server.judge import Judge
from monitor.gate_server.turns import CHARGE_NS_MAX, CHARGE_NS_MIN, Turns

COSTS = st.integers(CHARGE_NS_MIN, CHARGE_NS_MAX)


@given(st.lists(st.tuples(st.sampled_from("abcd"), COSTS), min_size=1, max_size=60))
def test_a_newcomer_waits_for_one_turn_of_each_other(items: list[tuple[str, int]]) -> None:
    """Whatever was asked before, and however much each used."""
    turns = Turns[int]()
    for name, cost in items:
        turns.put(name, cost)
    for _ in range(len(items) // 2):
        name, cost = turns.take()
        turns.charge(name, cost)
    turns.put("new", 1)
    before = []
    while (taken := turns.take())[0] != "new":
        before.append(taken[0])
        turns.charge(taken[0], taken[1])
    assert len(before) == len(set(before))


@given(st.lists(COSTS, min_size=1, max_size=40), st.lists(COSTS, min_size=1, max_size=40))
def test_two_that_always_wait_use_the_same_time(left: list[int], right: list[int]) -> None:
    """Up to the cost of one turn, while both have work."""
    turns = Turns[int]()
    for name, costs in ("l", left), ("r", right):
        for cost in costs:
            turns.put(name, cost)
    used, waiting = {"l": 0, "r": 0}, {"l": len(left), "r": len(right)}
    while all(waiting.values()):
        name, cost = turns.take()
        turns.charge(name, cost)
        used[name] += cost
        waiting[name] -= 1
        assert abs(used["l"] - used["r"]) <= CHARGE_NS_MAX


def test_a_pause_is_no_claim() -> None:
    """A principal that comes back takes turns with the others from then on."""
    turns = Turns[int]()
    turns.put("late", 0)
    turns.charge(turns.take()[0], 1)
    for number in range(10):
        turns.put("busy", number)
        turns.charge(turns.take()[0], CHARGE_NS_MAX)
    for number in range(4):
        turns.put("busy", number)
        turns.put("late", number)
    order = ""
    while turns:
        name, _ = turns.take()
        turns.charge(name, CHARGE_NS_MAX)
        order += name[0]
    assert order in ("lblblblb", "blblblbl")


def test_a_stall_is_not_the_principals_debt() -> None:
    """A turn of a second, in which something else took the time, costs a few turns."""
    turns = Turns[int]()
    turns.put("unlucky", 0)
    turns.charge(turns.take()[0], 100 * CHARGE_NS_MAX)
    turns.put("unlucky", 1)
    for number in range(100):
        turns.put("busy", number)
    order = []
    while turns:
        order.append(turns.take()[0])
        turns.charge(order[-1], CHARGE_NS_MAX // 10)
    assert order.index("unlucky") <= 11


def test_idle_principals_are_forgotten() -> None:
    """What is kept is bounded by those that wait or owe time."""
    turns = Turns[int]()
    for number in range(1_000):
        turns.put(f"p{number}", 0)
        turns.charge(turns.take()[0], 1)
    turns.put("last", 0)
    turns.charge("last", 10)
    turns.take()
    turns.forget_idle()
    assert len(turns._used_ns) <= 1_000
    turns.put("later", 0)
    turns.charge(turns.take()[0], 1)
    turns.forget_idle()
    assert len(turns._used_ns) <= 2


def test_a_neighbour_waits_for_one_call_of_a_flood() -> None:
    """Also if the flood had all its requests in the queue first."""

    async def measured() -> int:
        judge = Judge(Turns(), SystemClock(), lambda seconds: None)
        order: list[str] = []
        calls = [judge.call("flood", lambda: order.append("flood")) for _ in range(50)]
        waiting = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0)
        running = asyncio.create_task(judge.run())
        while not order:
            await asyncio.sleep(0)
        begun = len(order)
        await judge.call("calm", lambda: order.append("calm"))
        await asyncio.gather(*waiting)
        running.cancel()
        return order.index("calm") - begun

    assert asyncio.run(measured()) <= 1
