"""The queue keeps its order and its length, whichever end is worked at; old versions stay."""

from __future__ import annotations

from collections import deque
from random import Random

from invariants.operators.fifo import EMPTY_FIFO, GONE_MAX, Fifo, fifo


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


def test_versions_part() -> None:
    """Two appends to one version give two queues, and change no other."""
    common = fifo([(0, "x"), (1, "x")])
    one, other = common.append((2, "one")), common.append((2, "other"))
    again = one.append((3, "one"))
    assert list(other.append((4, "other")).items()) == [*common.items(), (2, "other"), (4, "other")]
    assert list(again.items()) == [*common.items(), (2, "one"), (3, "one")]
    assert list(again.newest_first()) == list(again.items())[::-1]
    assert common.length == 2
    assert EMPTY_FIFO.append((0, "x")).length == EMPTY_FIFO.append((1, "y")).length == 1
    assert not list(EMPTY_FIFO.items())


def test_items_that_are_gone_are_let_go() -> None:
    """A queue that moves on keeps no more than twice its items, and a few."""
    queue: Fifo[tuple[int, str]] = EMPTY_FIFO
    for time_ns in range(5_000):
        queue = queue.append((time_ns, "x"))
        if queue.length > 10:
            queue = queue.popleft()
    assert len(queue.shared) <= 2 * queue.length + GONE_MAX + 2
