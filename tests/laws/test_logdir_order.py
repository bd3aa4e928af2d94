"""A law: what is written into a log directory is judged in the order in which it was written.

Whatever the pauses between two looks, however little of a file is read at a look, and however far
behind the monitor is: an answer never stands behind what it answers. Stamps are true here, as those
of writers that stamp what they write when they write it.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from invariants.model.event import Event
from monitor.ingest.merge import Merger
from monitor.ingest.read_record import read_record
from monitor.topics import APPROVALS, EVENTS
from monitor.transport.logdir.reader import LogDirSource

START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000
FILES = ((EVENTS, "a-1.jsonl"), (EVENTS, "b-1.jsonl"), (APPROVALS, "o-1.jsonl"))


class World:
    """Writers, a clock that only they and pauses move, and the monitor's side of the directory."""

    def __init__(self, directory: Path, random: Random) -> None:
        self.directory, self.random = directory, random
        self.now_ns = START_NS
        self.written: list[str] = []
        self.judged: list[str] = []
        for topic in (EVENTS, APPROVALS):
            (directory / topic).mkdir(parents=True)
        self.source = LogDirSource(
            directory, now_ns=lambda: self.now_ns, sleep=lambda seconds: None
        )
        self.merger = Merger(lambda stream: "all")

    def write(self) -> None:
        """Some lines, each stamped at its time, in one file after the other."""
        for _ in range(self.random.choice((0, 1, 3, 30))):
            self.now_ns += self.random.choice((1, 1_000, SECOND_NS // 100))
            topic, name = self.random.choice(FILES)
            id_ = f"e{len(self.written)}"
            event = {"session": "s", "id": id_, "ts": self.now_ns, "kind": "x"}
            with (self.directory / topic / name).open("a") as file:
                file.write(json.dumps(event) + "\n")
            self.written.append(id_)
            self.now_ns += 1

    def look(self) -> None:
        """One turn of the loop: a look, then whatever can be given on."""
        poll = self.source.poll(0, self.random.choice((1, 4, 50)))
        if poll.gained:
            self.source.resume({})
        for record in poll.records:
            content = read_record(record)
            assert isinstance(content, Event)
            self.merger.put(record.stream, record.origin.offset, content)
        self.merger.know(poll.frontiers)
        while (item := self.merger.next()) is not None:
            assert isinstance(item.content, Event)
            self.judged.append(item.content.id)


@pytest.mark.parametrize("seed", range(60))
def test_the_order_of_writing_is_the_order_of_judging(seed: int, tmp_path: Path) -> None:
    """The monitor looks when it likes, also long after, and reads as little as it likes."""
    world = World(tmp_path, Random(seed))
    world.look()
    for _ in range(40):
        world.write()
        world.now_ns += world.random.choice((1, SECOND_NS // 50, 7 * SECOND_NS, 600 * SECOND_NS))
        for _ in range(world.random.choice((0, 1, 2))):
            world.look()
            world.now_ns += world.random.choice((1, 20 * SECOND_NS))
    while len(world.judged) < len(world.written):
        world.look()
        world.now_ns += 1
    assert world.judged == world.written
