"""Records that retention took before anybody read them: every session that may have sent some is
told of it, and nobody else is."""

from __future__ import annotations

import msgspec
import pytest

from invariants.check.checked import CheckedSpec
from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, EventRecord, Origin
from monitor.findings.model import Finding
from monitor.kernel.births import Loss, next_births
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from tests.support.shelf import Shelf

TEXT = """
version: 1
predicates:
  paid: kind == "tool.requested" && tool == "pay"
  done: kind == "tool.completed" && tool == "pay"
invariants:
  - id: paid-is-done
    severity: warning
    {scope}
    always: paid implies eventually[10s] done
"""
SECOND_NS = 1_000_000_000
START_NS = 1_767_600_000 * SECOND_NS
HOUR_NS = 3_600 * SECOND_NS
SAID = "agent.events/0: truncated: offset 5 was deleted by retention; reading continues at 900"


def spec_of(old: str = "", new: str = "", per: str = "session") -> CheckedSpec:
    text = TEXT.format(scope=f"per: {per}").replace(old, new)
    return read_specs([("f.yaml", text)])[0][0]


class Monitor:
    """One store under engines that come and go."""

    def __init__(self, per: str = "session") -> None:
        self.program, self.shelf = compile_program([spec_of(per=per)]), Shelf()
        digests = [compiled.digest for compiled in self.program.invariants]
        self.stored = next_births(None, digests, START_NS).stored()
        self.sent = 0
        self.start()

    def start(self) -> None:
        digests = [compiled.digest for compiled in self.program.invariants]
        births = next_births(self.stored, digests, START_NS)
        settings = KernelSettings(births=births, idle_close_ns=2 * HOUR_NS)
        self.engine = Kernel(self.program, settings, self.shelf.load)

    def loses(
        self,
        partition: str = "0",
        at_s: int = 10,
        *,
        topic: str = "agent.events",
        to_offset: int = 0,
    ) -> None:
        since_ns, is_by_operators = START_NS + at_s * SECOND_NS, topic != "agent.events"
        loss = Loss(0, since_ns, SAID, topic, partition, to_offset, is_by_operators)
        self.stored = self.engine.lose(loss)

    def takes(
        self,
        session: str = "s",
        at_s: int = 0,
        *,
        seq: int | None = None,
        kind: str = "tool.failed",
        tool: str = "pay",
        partition: str = "0",
    ) -> list[Finding]:
        time_ns = START_NS + at_s * SECOND_NS
        numbered = msgspec.UNSET if seq is None else seq
        record = EventRecord(
            session=session, seq=numbered, ts=time_ns, kind=kind, tool=tool, agent="a"
        )
        origin = Origin("agent.events", partition, self.sent)
        name = f"{self.sent}"
        event = Event(record, name, time_ns, name.encode(), origin, arrival_ns=time_ns)
        self.sent += 1
        return self._kept(self.engine.step(event, partition))

    def ticks(self, at_s: int) -> list[Finding]:
        return self._kept(self.engine.tick(START_NS + at_s * SECOND_NS))

    def _kept(self, found: list[Finding]) -> list[Finding]:
        self.shelf.keep(*self.engine.take_changes())
        return found


def types(found: list[Finding]) -> list[str]:
    return [finding.type for finding in found]


def test_a_running_session_is_told_once_and_keeps_what_is_known() -> None:
    """What it did among the lost records is not known; what had been asked of it still stands."""
    monitor = Monitor()
    monitor.takes(at_s=1, kind="tool.requested")
    monitor.loses()
    (lost,) = monitor.takes(at_s=5)
    assert (lost.type, lost.severity, lost.respond) == ("lost", "warning", ["alert"])
    assert lost.could_concern == ["paid-is-done"] and SAID in lost.detail
    assert types(monitor.takes(at_s=6)) == []
    assert types(monitor.ticks(60)) == ["violated"]


def test_a_start_between_loss_and_next_event_forgets_nothing() -> None:
    """The loss is stored before any position behind it, and what was told is not told again."""
    monitor = Monitor()
    monitor.takes(at_s=1)
    monitor.loses()
    monitor.start()
    assert types(monitor.takes(at_s=20)) == ["lost"]
    monitor.start()
    assert types(monitor.takes(at_s=21)) == []
    monitor.loses(at_s=30)
    assert types(monitor.takes(at_s=31)) == ["lost"], "a second loss is another one"


def test_who_numbers_his_events_is_not_doubted_beyond_what_is_missing() -> None:
    """The next number follows: nothing of this session was lost. Or one is missing: a `gap`."""
    monitor = Monitor()
    monitor.takes("whole", 1, seq=0)
    monitor.takes("holed", 1, seq=0)
    monitor.loses()
    assert types(monitor.takes("whole", 20, seq=1)) == []
    assert types(monitor.takes("holed", 20, seq=3)) == ["gap"]
    assert types(monitor.takes("whole", 21)) == [], "it was spared"


def test_an_operators_record_settles_nothing_about_the_agents() -> None:
    """It has no number; the session's own next one tells."""
    monitor = Monitor()
    monitor.takes(at_s=1, seq=0)
    monitor.loses()
    assert types(monitor.takes(at_s=20, kind="approval.granted")) == []
    assert types(monitor.ticks(3 * 3_600)) == ["lost"], "none came until it was closed"


@pytest.mark.parametrize("seq", [None, 0])
def test_what_time_decides_is_told_beside_the_doubt(seq: int | None) -> None:
    """The answer that was waited for may be among what was lost."""
    monitor = Monitor()
    monitor.takes(at_s=1, seq=seq, kind="tool.requested")
    monitor.loses()
    assert sorted(types(monitor.ticks(60))) == ["lost", "violated"]


def test_other_partitions_have_lost_nothing() -> None:
    monitor = Monitor()
    monitor.takes("here", 1)
    monitor.takes("there", 1, partition="1")
    monitor.loses("0")
    assert types(monitor.takes("there", 20, partition="1")) == []
    assert types(monitor.takes("here", 20)) == ["lost"]


def test_a_session_that_is_new_may_have_begun_among_them() -> None:
    """Unless it says that it begins here, numbers its events, or would have been closed."""
    monitor = Monitor()
    monitor.loses()
    assert types(monitor.takes("midway", 20)) == ["lost"]
    assert types(monitor.takes("midway", 21)) == []
    assert types(monitor.takes("begins", 20, kind="session.started")) == []
    assert types(monitor.takes("begins", 21)) == []
    assert types(monitor.takes("numbered", 20, seq=0)) == []
    assert types(monitor.takes("tail", 20, seq=7)) == ["gap"]
    assert types(monitor.takes("late", 3 * 3_600)) == []


def test_a_wider_trace_is_told_of_every_partition() -> None:
    monitor = Monitor("agent")
    monitor.takes("one", 1, seq=0, kind="tool.requested")
    monitor.loses("1")
    found = monitor.takes("two", 5, seq=0)
    assert types(found) == ["lost"] and found[0].could_concern == ["paid-is-done"]
    assert types(monitor.takes("two", 6, seq=1)) == []


def test_a_monitor_that_lost_nothing_tells_nothing() -> None:
    monitor = Monitor()
    monitor.takes(at_s=1)
    monitor.start()
    assert types(monitor.takes(at_s=20)) == []


def test_an_edit_and_a_loss_are_both_told() -> None:
    """Each begins an epoch of its own."""
    monitor = Monitor()
    monitor.takes(at_s=1)
    monitor.loses()
    monitor.program = compile_program([spec_of("eventually[10s] done", "once[1h] done")])
    monitor.start()
    assert sorted(types(monitor.takes(at_s=20))) == ["birth", "lost"]


def test_an_agents_numbers_tell_nothing_of_what_operators_sent() -> None:
    """A denial may have been among them; of a session that begins afterwards it was not."""
    monitor = Monitor()
    monitor.takes(at_s=1, seq=0)
    monitor.loses(topic="interlock.approvals")
    monitor.loses(at_s=11)
    assert types(monitor.takes(at_s=20, seq=1)) == ["lost"]
    assert types(monitor.takes("behind", 5, seq=0)) == ["lost"], "it was read late"
    assert types(monitor.takes("new", 30, seq=0)) == []


def test_a_record_from_before_the_loss_settles_nothing() -> None:
    """It had been read when the loss was found out, and was judged after it."""
    monitor = Monitor()
    monitor.takes(at_s=1, seq=0)
    monitor.loses(to_offset=9)
    assert types(monitor.takes(at_s=2, seq=1, kind="tool.requested")) == []
    assert sorted(types(monitor.ticks(60))) == ["lost", "violated"]


def test_a_wider_trace_that_a_tick_touched_first_is_told_after_a_start() -> None:
    monitor = Monitor("agent")
    asked = "eventually[10s] done"
    back = '{id: looks-back, severity: warning, per: agent, never: "paid and once[1h] done"}'
    monitor.program = compile_program([spec_of(asked, f"{asked}\n  - {back}", "agent")])
    monitor.start()
    monitor.takes("one", 1, seq=0, kind="tool.requested")
    monitor.loses()
    assert types(monitor.ticks(60)) == ["violated"]
    monitor.start()
    assert types(monitor.takes("one", 70, seq=1)) == ["lost"]
    monitor.start()
    assert types(monitor.takes("one", 71, seq=2)) == []
