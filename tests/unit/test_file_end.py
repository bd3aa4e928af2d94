"""What only the end of a finished file can tell: due verdicts, open ones, gaps, disorder."""

from __future__ import annotations

from itertools import chain
from random import Random

import msgspec
import pytest

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.ingest.sequence import HOLES_MAX, MISSING_RANGES_MAX
from monitor.kernel.file_end import OPEN_SHOWN_MAX, FileTime, gathered, open_text
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.trace_key import TraceKey
from tests.support.rim import SECOND_NS, START_NS
from tests.support.shelf import Shelf

TEXT = """\
version: 1
predicates:
  asked:
    when: kind == "asked"
    with:
      call: call
  answered:
    when: kind == "answered"
    with:
      call: call
invariants:
  - id: in-time
    severity: warning
    always: asked(call=c) implies eventually[10s] answered(call=c)
  - id: ever
    severity: info
    always: asked(call=c) implies eventually answered(call=c)
  - id: of-agent
    severity: info
    per: agent
    always: asked(call=c) implies eventually[10s] answered(call=c)
"""
SETTINGS = KernelSettings(trust_ts=True, is_finished_file=True, idle_close_ns=3_600 * SECOND_NS)


def program() -> Program:
    specs, _ = read_specs([("file-end.yaml", TEXT)])
    return compile_program(specs)


def event(
    session: str, seq: int, at_s: int, kind: str = "x", id_: str = "", agent: str = "a"
) -> Event:
    content = {"session": session, "seq": seq, "ts": START_NS + at_s * SECOND_NS, "kind": kind}
    content |= {"call": "c", "agent": agent} | ({"id": id_} if id_ else {})
    read = decode_event(msgspec.json.encode(content), Origin("file", "f", seq))
    assert isinstance(read, Event)
    return read


def told(findings: list[Finding]) -> list[tuple[str, str, str, int]]:
    return [(f.type, f.invariant, f.session, f.anchor.position) for f in findings]


def gaps(findings: list[Finding]) -> list[tuple[int, str]]:
    return [(f.anchor.position, f.detail) for f in findings if f.type == "gap"]


def numbers_of(gap: tuple[int, str]) -> range:
    first, last = gap[1].rsplit("seq ", 1)[1].split(" to ")
    return range(int(first), int(last) + 1)


def stepped(engine: Kernel, events: list[Event]) -> list[Finding]:
    return [finding for one in events for finding in engine.step(one)]


def test_what_is_due_is_decided_at_the_end_and_not_before() -> None:
    """A deadline passes by the end of the file alone, not by the events of other sessions."""
    engine = Kernel(program(), SETTINGS)
    events = [
        event("s", 0, 0, "asked"),
        event("t", 0, 100, agent="b"),
        event("s", 1, 5, "answered"),
    ]
    assert stepped(engine, events) == []
    assert engine.tick(START_NS + 100 * SECOND_NS) == []
    engine = Kernel(program(), SETTINGS)
    assert stepped(engine, events[:2]) == []
    found = told(engine.tick(START_NS + 100 * SECOND_NS))
    assert found == [("violated", "in-time", "s", 0), ("violated", "of-agent", "s", 0)]


def test_a_deadline_at_the_very_end_stays_open() -> None:
    """At its deadline an obligation can still be met: only behind it is it decided."""
    engine = Kernel(program(), SETTINGS)
    stepped(engine, [event("s", 0, 0, "asked"), event("s", 1, 10)])
    assert engine.tick(START_NS + 10 * SECOND_NS) == []
    found = gathered(engine.open_verdicts())
    assert [
        (v.invariant, v.scope_kind, v.scope, v.session, v.position) for v in found.verdicts
    ] == [
        ("in-time", "session", "s", "s", 0),
        ("of-agent", "agent", "a", "s", 0),
        ("ever", "session", "s", "s", 0),
    ]
    assert found.verdicts[0].binding == {"c": "c"}
    assert found.verdicts[0].due_ns == START_NS + 10 * SECOND_NS
    assert open_text(found).startswith("3 verdicts are open: in-time in s, due 20")
    assert open_text(found).endswith("ever in s, due when the session ends")


def test_many_open_verdicts_are_counted_and_some_named() -> None:
    """The text stays short, whatever is open."""
    engine = Kernel(program(), SETTINGS)
    stepped(engine, [event(f"s{n:03}", 0, 0, "asked") for n in range(40)])
    found = gathered(engine.open_verdicts())
    assert found.count == len(found.verdicts) == 120
    text = open_text(found)
    assert text.count(" in s") == OPEN_SHOWN_MAX and text.endswith("; and 110 more")


def test_open_verdicts_are_found_in_the_store_too() -> None:
    """Scopes that left memory are not forgotten, and looking at them changes nothing."""
    shelf = Shelf()
    settings = KernelSettings(
        trust_ts=True,
        is_finished_file=True,
        idle_close_ns=3_600 * SECOND_NS,
        scopes_in_memory_max=1,
    )
    engine = Kernel(program(), settings, shelf.load)
    for number in range(5):
        stepped(engine, [event(f"s{number}", 0, number, "asked")])
        shelf.keep(engine.take_changes()[0])
    assert gathered(engine.open_verdicts()).count == 15
    assert engine.take_changes() == ([], [])


def test_an_idle_session_ends_at_the_end_of_the_file() -> None:
    """`idle_close` counts there: the end decides what had no deadline."""
    engine = Kernel(program(), SETTINGS)
    stepped(engine, [event("s", 0, 0, "asked"), event("t", 0, 3_601, agent="b")])
    found = told(engine.tick(START_NS + 3_601 * SECOND_NS))
    assert ("violated", "ever", "s", 0) in found
    assert gathered(engine.open_verdicts()).count == 0


def test_times_after_now_do_not_move_the_end() -> None:
    """One event that is stamped 2099 would decide every deadline of the file."""
    time = FileTime()
    for ts_ns in (5, 900, 7, 101, 100):
        time.see(ts_ns, now_ns=100)
    assert time.reached_ns == 100


@pytest.mark.parametrize("seed", range(8))
def test_gaps_do_not_depend_on_the_order_of_lines(seed: int) -> None:
    """Which numbers are missing is told once, at the end, however the lines are shuffled."""
    random = Random(seed)
    numbers = random.sample(range(60), 30)
    ordered = Kernel(program(), SETTINGS)
    stepped(ordered, [event("s", seq, 0) for seq in sorted(numbers)])
    shuffled = Kernel(program(), SETTINGS)
    assert stepped(shuffled, [event("s", seq, 0) for seq in numbers]) == []
    missing = set(range(max(numbers))) - set(numbers)
    for engine in (ordered, shuffled):
        found = gaps(engine.tick(0))
        assert set(chain(*map(numbers_of, found))) == missing
        assert len(list(chain(*map(numbers_of, found)))) == len(missing)
        assert gaps(engine.tick(0)) == []


def test_a_gap_is_told_where_the_numbers_jump() -> None:
    """As live: at the event that left them out, under the same id; and only once."""
    events = [event("s", 0, 0), event("s", 3, 1), event("s", 4, 2)]
    live, engine = Kernel(program(), KernelSettings(trust_ts=True)), Kernel(program(), SETTINGS)
    wanted = stepped(live, events)
    assert stepped(engine, events) == []
    assert engine.tick(0) == wanted and gaps(wanted)[0][0] == 1
    assert engine.tick(0) == []
    assert stepped(engine, [event("s", 2, 3)]) == []


def test_a_part_of_a_gap_that_comes_is_not_missing() -> None:
    """What is left is told, each run of numbers by itself; a repeat is told at once."""
    engine = Kernel(program(), SETTINGS)
    stepped(engine, [event("s", 0, 0), event("s", 5, 1), event("s", 3, 1)])
    assert gaps(engine.tick(0)) == [
        (1, "2 event(s) are missing: seq 1 to 2"),
        (1, "1 event(s) are missing: seq 4 to 4"),
    ]
    again = engine.step(event("s", 3, 2, id_="other"))
    assert [finding.type for finding in again] == ["gap"]


def test_holes_are_bounded() -> None:
    """Past the bound the oldest is told at once: nothing is forgotten in silence."""
    engine = Kernel(program(), SETTINGS)
    count = HOLES_MAX + 3
    early = stepped(engine, [event("s", 2 * n + 1, 0) for n in range(count)])
    assert len(gaps(early)) == 3
    assert len(gaps(engine.tick(0))) == HOLES_MAX
    assert len(engine.inspect(TraceKey("", "s"))[0].missing) == MISSING_RANGES_MAX  # type: ignore[index]


def test_lines_that_run_back_are_noted_once() -> None:
    """The first place and the count: by time, by number, and in the trace of an agent."""
    for events in (
        [event("s", 0, 5), event("s", 1, 4)],
        [event("s", 0, 5), event("s", 2, 6), event("s", 1, 6)],
        [event("s", 0, 5, "asked"), event("t", 0, 4)],
    ):
        engine = Kernel(program(), SETTINGS)
        stepped(engine, events)
        assert engine.disorder.count == 1
        assert engine.disorder.first == events[-1].origin
    engine = Kernel(program(), SETTINGS)
    stepped(engine, [event("s", 0, 5), event("s", 1, 5), event("t", 0, 6)])
    assert engine.disorder.count == 0
