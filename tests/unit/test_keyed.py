"""The map by binding holds an entry exactly as long as it matters; old versions stay."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from invariants.operators.contract import Key
from invariants.operators.keyed import COPIED_MAX, EMPTY_KEYED, STALE_MAX, Keyed, keyed

WINDOW_NS = 10


def dies_ns(entry: int) -> int:
    return entry + WINDOW_NS


@pytest.mark.parametrize("keys_count", [3, COPIED_MAX, 3 * COPIED_MAX])
def test_it_is_a_map_whose_entries_end(keys_count: int) -> None:
    """Compared with a dictionary, through random changes, removals, losses and expiries."""
    for seed in range(20):
        random = Random(seed)
        ours: Keyed[int] = EMPTY_KEYED
        meant: dict[Key, int] = {}
        lost_count, now_ns = 0, 0
        versions: list[tuple[Keyed[int], dict[Key, int]]] = []
        for _ in range(6 * keys_count):
            now_ns += random.random() < WINDOW_NS / (3 * keys_count)
            key = (random.randrange(keys_count),)
            ours = ours.expired(now_ns, dies_ns)
            meant = {k: entry for k, entry in meant.items() if dies_ns(entry) >= now_ns}
            match random.choice(("put", "put", "put", "remove", "lose")):
                case "put":
                    ours = ours.put(key, now_ns, dies_ns(now_ns), dies_ns)
                    meant[key] = now_ns
                    assert ours.queue.length <= 2 * len(ours.held) + STALE_MAX
                case "remove" if key in meant:
                    ours = ours.without(key)
                    del meant[key]
                case _:
                    ours, lost_count = ours.lost(), lost_count + 1
            versions.append((ours, dict(meant)))
        assert ours.lost_count == lost_count
        for held, expected in versions:
            assert dict(held.held.items()) == expected


def test_what_is_read_back_ends_when_it_did() -> None:
    """A map made of its entries removes each at its time, in whatever order they come."""
    entries: dict[Key, Any] = {("c",): 7, ("a",): 3, ("b",): 5}
    made = keyed(entries, 2, dies_ns)
    assert (made.lost_count, made.due_ns) == (2, 13)
    assert dict(made.expired(13, dies_ns).held) == entries
    assert set(made.expired(15, dies_ns).held) == {("c",), ("b",)}
    assert set(made.expired(16, dies_ns).held) == {("c",)}
    assert not made.expired(18, dies_ns).held
    assert keyed(entries, 0, None).due_ns is None


def test_a_few_entries_are_kept() -> None:
    """`only` forgets the others, and all times if none is left."""
    made = keyed({("a",): 3, ("b",): 5}, 1, dies_ns)
    assert dict(made.only({("b",): 5}).held) == {("b",): 5}
    assert made.only({}).due_ns is None
    assert made.only({}).lost_count == 1
