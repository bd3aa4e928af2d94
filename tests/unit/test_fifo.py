"""The queue keeps its order and its length, whichever end is worked at; old versions stay."""

from __future__ import annotations

from collections import deque
from random import Random

from invariants.operators.fifo import EMPTY_FIFO, Fifo, fifo


def test_it_is_a_queue() -> None:
    """Held against the library's own, through random appends, pops and expiries."""
    for seed in range(200):
        random = Random(seed)
        ours: Fifo[tuple[int, str]] = EMPTY_FIFO
        theirs: deque[tuple[int, str]] = deque()
        versions: list[tuple[Fifo[tuple[int, str]], list[tuple[int, str]]]] = []
        for time_ns in range(20):
            match random.choice(("append", "append", "pop", "expire")):
                case "append":
                    ours = ours.append((time_ns, "x"))
                    theirs.append((time_ns, "x"))
                case "pop" if theirs:
                    assert ours.oldest() == theirs.popleft()
                    ours = ours.popleft()
                case _:
                    before_ns = random.randrange(time_ns + 1)
                    gone, ours = ours.older_than(before_ns)
                    assert gone == [item for item in theirs if item[0] < before_ns]
                    theirs = deque(item for item in theirs if item[0] >= before_ns)
            versions.append((ours, list(theirs)))
        for held, meant in versions:
            assert list(held.items()) == meant
            assert held.length == len(meant)
            assert held.newest == (meant[-1] if meant else None)
            assert list(fifo(meant).items()) == meant
