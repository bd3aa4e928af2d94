"""A held call whose task is cancelled: the gate hears of it once, and not too early."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import Any

import pytest

from interlock.gate import waiting
from interlock.gate.waiting import Wait, WaitingThreads


@pytest.mark.parametrize("order", list(permutations(["begin", "cancel", "undo"])), ids="-".join)
def test_it_is_given_up_once_in_any_order(order: tuple[str, ...]) -> None:
    """The thread reads that the call waits before its task ends, or after."""
    given_up: list[int] = []
    wait = Wait(lambda: given_up.append(len(seen)))
    seen: list[str] = []
    for name in order:
        seen.append(name)
        getattr(wait, name)()
    early = {"begin", "cancel"} <= set(seen[:2])
    assert given_up == [2 if early else 1 + order.index("undo")]


@pytest.mark.parametrize("name", ["begin", "cancel"])
def test_one_of_the_two_gives_nothing_up(name: str) -> None:
    """A call that waits is wanted; one that is not yet asked for would fail before its request."""
    wait = Wait(pytest.fail)
    getattr(wait, name)()
    getattr(wait, name)()


def test_an_answer_in_the_turn_of_the_cancellation_is_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The gate has allowed the call, and the task ends before it learns of that."""
    undone: list[str] = []
    settle = waiting._Job._settle

    async def ask() -> None:
        task = asyncio.create_task(WaitingThreads().run(lambda: "allowed", undone.append))

        def settled(job: Any, result: str) -> None:
            settle(job, result)
            assert not task.done() and task.cancel()

        monkeypatch.setattr(waiting._Job, "_settle", settled)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())
    assert undone == ["allowed"]
