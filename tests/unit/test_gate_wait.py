"""A held call whose task is cancelled: the gate hears of it once, and not too early."""

from __future__ import annotations

from itertools import permutations

import pytest

from interlock.gate.waiting import Wait


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
