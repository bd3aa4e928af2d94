"""The door of the kernel: to judge changes nothing, and to commit what was judged is to step."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from random import Random
from typing import Any, Final

import msgspec
import pytest

from invariants.model.event import Event
from monitor.findings.model import Finding
from monitor.kernel.kernel import Kernel
from monitor.kernel.prepared import Prepared, StaleError, Taken
from monitor.kernel.settings import KernelSettings
from tests.laws.test_principals import CASES_HERE, draw, program
from tests.support.shelf import Shelf

SECOND_NS: Final = 10**9
SETTINGS: Final = KernelSettings(linger_ns=30 * SECOND_NS, idle_close_ns=15 * SECOND_NS)


class World:
    """A kernel with its store."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.kernel = Kernel(program(has_wider=True), SETTINGS, self.shelf.load)
        self.findings: list[Finding] = []

    def stored(self) -> Any:
        """All that is stored, once the changes are written."""
        self.shelf.keep(*self.kernel.take_changes())
        return deepcopy((self.shelf.headers, self.shelf.states, self.shelf.seen))


def drawn(random: Random) -> list[Event | int]:
    """Events and ticks; some events are sent again later."""
    inputs = draw(random, are_named=random.random() < 0.5)
    for _ in range(random.choice((0, 1, 3))):
        again = random.choice(inputs)
        inputs.insert(random.randrange(inputs.index(again), len(inputs)) + 1, again)
    return inputs


def prepared_and_committed(kernel: Kernel, event: Event, random: Random) -> list[Finding]:
    """One event by the two halves of a step, after it was judged in vain now and then."""
    found = kernel.reach(event)
    for _ in range(random.choice((0, 0, 1, 2))):
        kernel.prepare(event)
    if random.random() < 0.3:
        kernel.prepare(msgspec.structs.replace(event, id=f"another/{event.id}"))
    judged = kernel.prepare(event)
    inspected(kernel, judged)
    return found + kernel.commit(judged).findings


def inspected(kernel: Kernel, judged: Prepared) -> None:
    """To look at a session is not to touch it."""
    for trace in kernel.traces_of(judged.event):
        before = kernel.inspect(trace)
        assert kernel.inspect(trace) == before


def test_prepare_and_commit_are_step() -> None:
    """Findings and stored bytes, with restarts of neither; other judgements in between are void."""
    fates: Counter[str] = Counter()
    for seed in range(CASES_HERE):
        random = Random(seed)
        plain, halves = World(), World()
        for given in drawn(random):
            if isinstance(given, int):
                expected, found = plain.kernel.tick(given), halves.kernel.tick(given)
            else:
                expected = plain.kernel.reach(given)
                stepped = plain.kernel.take(given)
                fates[stepped.fate] += 1
                expected += stepped.findings
                found = prepared_and_committed(halves.kernel, given, random)
            assert found == expected, seed
            if random.random() < 0.2:
                assert halves.stored() == plain.stored(), seed
        assert halves.stored() == plain.stored(), seed
    print(dict(fates))
    assert all(fates[fate] for fate in ("taken", "repeat", "refused"))


def test_to_judge_in_vain_changes_nothing() -> None:
    """Not what is stored, not what is found later, not when time is due."""
    told = 0
    for seed in range(CASES_HERE):
        random = Random(seed)
        inputs = drawn(random)
        plain, other = World(), World()
        for given in inputs:
            for world in (plain, other):
                if world is other:
                    for event in random.sample(inputs, min(3, len(inputs))):
                        if isinstance(event, Event):
                            other.kernel.prepare(event)
                if isinstance(given, int):
                    world.findings += world.kernel.tick(given)
                else:
                    world.findings += world.kernel.reach(given) + world.kernel.step(given)
        assert other.findings == plain.findings, seed
        assert other.stored() == plain.stored(), seed
        told += len(plain.findings)
    assert told > CASES_HERE


def test_what_was_judged_in_another_state_is_stale() -> None:
    """Its session, a wider scope, the users of its ID or the records of losses have moved on."""
    stale = 0
    for seed in range(CASES_HERE):
        random = Random(seed)
        plain, world = World(), World()
        waiting: list[Prepared] = []
        for given in drawn(random):
            if isinstance(given, int):
                assert world.kernel.tick(given) == plain.kernel.tick(given)
                continue
            expected = plain.kernel.reach(given) + plain.kernel.step(given)
            assert world.kernel.reach(given) + world.kernel.step(given) == expected
            for judged in waiting:
                is_moved = _is_moved(world.kernel, judged)
                if not is_moved:
                    continue
                with pytest.raises(StaleError):
                    world.kernel.commit(judged)
                stale += 1
            following = msgspec.structs.replace(given, id=f"next/{given.id}")
            waiting = [*waiting[-2:], world.kernel.prepare(following)]
        assert world.stored() == plain.stored(), seed
    assert stale > CASES_HERE


def _is_moved(kernel: Kernel, judged: Prepared) -> bool:
    """True if an event entered the session, or a wider scope, of an event behind its judgement."""
    if not isinstance(judged, Taken):
        return False
    held = kernel.inspect(judged.owner)
    return (
        held is None
        or held[0].position != judged.before[0].position
        or any(
            one.scope is not None
            and one.before is not None
            and one.scope.header.position != one.before[0].position
            for one in judged.wider
        )
    )
