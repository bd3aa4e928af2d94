"""What the loop makes of a look at its source: how far time has come, and where to read on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from invariants.model.event import Origin
from monitor.config.load import load_settings
from monitor.service import assemble as service
from monitor.service.assemble import Service
from monitor.service.batch import Batch
from monitor.service.connect import Surroundings
from monitor.store.records import Committed
from monitor.transport.base import Frontier, Notice, Poll, Record, Stream
from tests.support.rim import SECOND_NS, START_NS, HandClock

INVARIANTS = """\
version: 1
predicates:
  asked:
    when: kind == "tool.requested"
    with:
      c: call
  done:
    when: kind == "tool.completed"
    with:
      c: call
invariants:
  - id: answered
    severity: warning
    mode: observe
    always: asked(c=x) implies eventually[5s] done(c=x)
"""
EVENTS, APPROVALS = Stream("agent.events", "0"), Stream("interlock.approvals", "0")
Step = Callable[[], Poll]


class Script:
    """A source that gives out what it is told to, poll by poll, and then nothing new."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.resumed: list[dict[Stream, int]] = []
        self.recognised: dict[Stream, str] = {}
        self._last = Poll()

    def recognise(self, identities: Mapping[Stream, str]) -> None:
        self.recognised = dict(identities)

    def resume(self, positions: Mapping[Stream, int]) -> None:
        self.resumed.append(dict(positions))

    def poll(self, timeout_s: float, records_max: int) -> Poll:
        self._last = self.steps.pop(0)() if self.steps else Poll(frontiers=self._last.frontiers)
        return self._last

    def commit(self, positions: Mapping[Stream, int]) -> None:
        pass

    def close(self) -> None:
        pass


class Rig:
    """A real monitor on such a source, with a clock that is moved by hand."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.clock, self.source = HandClock(), Script()
        self.found: list[str] = []
        (folder / "i.yaml").write_text(INVARIANTS)
        config = folder / "interlock.yaml"
        config.write_text(
            f"source: log:{folder / 'log'}\nstate_dir: {folder / 'state'}\n"
            f"invariants: {folder / 'i.yaml'}\nhttp: {{enabled: false}}\n"
        )
        self._settings = load_settings(str(config))
        by_number = lambda stream: stream.partition  # noqa: E731
        surroundings = Surroundings(
            self.source, None, None, by_number, by_number, trusts_ts=False, is_finished_file=False
        )
        patch.setattr(service, "open_surroundings", lambda *given, **more: surroundings)
        self.stack = ExitStack()

    def start(self) -> Service:
        """Once more, if it ran before; what it had not stored is gone."""
        self.stack.close()
        made = service.open_service(self._settings, self.clock, self.stack, self._observe)
        made.loop.start()
        return made

    def _observe(self, batch: Batch, committed: Committed) -> None:
        self.found += [finding.type for finding in batch.findings]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    made = Rig(tmp_path, monkeypatch)
    yield made
    made.stack.close()


def record(stream: Stream, offset: int, kind: str, arrival_ns: int, call: str = "c") -> Record:
    said = {"session": "s", "id": f"{call}-{kind}", "kind": kind, "ts": arrival_ns, "tool": "t"}
    value = msgspec.json.encode({**said, "call": call})
    origin = Origin(stream.topic, stream.partition, offset)
    return Record(origin, b"s", value, arrival_ns=arrival_ns)


def at_end(offset: int, identity: str | None = None) -> Frontier:
    return Frontier(offset, is_at_end=True, identity=identity)


def test_a_monitor_that_was_halted_decides_nothing_before_it_has_looked(rig: Rig) -> None:
    """SIGSTOP, or a machine that was paused: the answer came meanwhile, in time, and was not read.
    Time has come as far as the last look, whatever the clock says afterwards."""

    def halted() -> Poll:
        rig.clock.move(60)
        return Poll(frontiers={EVENTS: at_end(1)})

    def answered() -> Poll:
        done = record(EVENTS, 1, "tool.completed", START_NS + 2 * SECOND_NS)
        return Poll((done,), {EVENTS: at_end(2)})

    asked = record(EVENTS, 0, "tool.requested", START_NS)
    made = rig.start()
    rig.source.steps = [lambda: Poll((asked,), {EVENTS: at_end(1)}), halted, answered]
    for _ in range(4):
        made.loop.turn()
    assert rig.found == []
    unanswered = record(EVENTS, 2, "tool.requested", rig.clock.wall_ns, "d")
    rig.source.steps = [lambda: Poll((unanswered,), {EVENTS: at_end(3)})]
    made.loop.turn()
    rig.clock.move(8)
    made.loop.turn()
    made.loop.turn()
    assert rig.found == ["violated"], "what is not answered is found all the same"


def test_records_of_a_stream_made_anew_are_read_after_a_crash(rig: Rig) -> None:
    """Its old records waited for another stream, and their offsets mean nothing in the new one."""
    old = record(EVENTS, 40, "tool.requested", START_NS, "old")
    new = record(EVENTS, 0, "tool.requested", START_NS, "new")
    waits = Frontier(0, is_at_end=False, identity="a")
    told = Notice("replaced", EVENTS, 41, 0, "the topic was made anew")
    made = rig.start()
    rig.source.steps = [
        lambda: Poll((old,), {EVENTS: at_end(41, "x"), APPROVALS: waits}),
        lambda: Poll(
            frontiers={EVENTS: Frontier(0, False, identity="y"), APPROVALS: waits}, notices=(told,)
        ),
        lambda: Poll((new,), {EVENTS: at_end(1, "y"), APPROVALS: waits}),
    ]
    for _ in range(3):
        made.loop.turn()
    rig.start()
    assert rig.source.resumed[-1][EVENTS] == 0
    assert rig.source.recognised[EVENTS] == "y"


def test_another_stream_with_as_many_records_is_known_as_another(rig: Rig) -> None:
    """Else each start would take it for a stream that was replaced since."""
    made = rig.start()
    rig.source.steps = [
        lambda: Poll((record(EVENTS, 0, "tool.requested", START_NS),), {EVENTS: at_end(1, "x")}),
        lambda: Poll(frontiers={EVENTS: at_end(1, "y")}),
        lambda: Poll(frontiers={EVENTS: at_end(1)}),
    ]
    for _ in range(3):
        made.loop.turn()
    rig.start()
    assert (rig.source.resumed[-1], rig.source.recognised) == ({EVENTS: 1}, {EVENTS: "y"})


def test_a_loss_is_known_after_a_crash_behind_it(rig: Rig) -> None:
    """It is stored before what is read behind it, and the session is told."""
    told = Notice("truncated", EVENTS, 1, 9, "gone by retention", has_lost=True)
    made = rig.start()
    rig.source.steps = [
        lambda: Poll((record(EVENTS, 0, "tool.failed", START_NS),), {EVENTS: at_end(1)}),
        lambda: Poll(frontiers={EVENTS: at_end(9)}, notices=(told,)),
    ]
    for _ in range(2):
        made.loop.turn()
    made = rig.start()
    rig.source.steps = [
        lambda: Poll((record(EVENTS, 9, "tool.failed", START_NS, "d"),), {EVENTS: at_end(10)})
    ]
    made.loop.turn()
    assert rig.found == ["lost"]
