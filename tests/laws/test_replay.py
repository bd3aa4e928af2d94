"""Replay is stepping: at any moment, from any direction, over snapshots however far apart.

Cases are drawn by seed; a failure names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from invariants.codec.state import encode_state
from invariants.model.event import Event
from monitor.kernel.kernel import Kernel
from monitor.trace_key import TraceKey
from replay.recording.format import (
    CloseLine,
    Line,
    RecordedSettings,
    RecordedSource,
    RecordingHeader,
    RecordLine,
)
from replay.snapshot.take import look_at
from replay.timeline.player import Player, read_line
from replay.timeline.session_track import SessionTrack
from replay.timeline.timeline import Timeline
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.recordings import (
    close_all,
    event,
    header_of,
    program_of,
    record,
    tick,
    timeline_of,
    write,
)
from tests.support.rim import SECOND_NS, START_NS

WATCHED = """\
version: 1
predicates:
  a: kind == "a"
  b: kind == "b"
  p:
    when: kind == "p"
    with:
      v: call
  q:
    when: kind == "q" && args.yes
    with:
      v: call
invariants:
  - id: past
    severity: info
    never: p(v=x) and once[5s] q(v=x)
  - id: since
    severity: info
    always: p(v=x) implies ((not b) since q(v=x))
  - id: ahead
    severity: info
    always: q(v=x) implies eventually[4s] p(v=x)
  - id: counted
    severity: info
    always: count(p(v=x))[6s] <= 1
  - id: before
    severity: info
    never: a and previous a
"""
PROGRAM = program_of(WATCHED)
SESSIONS = ("s", "t", "u")
PRINCIPALS = ("", "alice", "bob")
TRACES = [TraceKey(principal, session) for principal in PRINCIPALS for session in SESSIONS]
REPLAY_CASES = max(20, CASES // 40)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_all()


def draw_lines(random: Random) -> list[Line]:
    """Events of some sessions, some twice, some no event, with ticks, ends and closes between."""
    lines: list[Line] = []
    numbers = dict.fromkeys(TRACES, 0)
    traces = random.choice((TRACES[:3], TRACES, TRACES[3:]))
    at_s = 0.0
    for offset in range(random.randint(5, 40)):
        at_s += random.choice((0, 0, 0.5, 1, 1, 3, 20 if random.random() < 0.1 else 1))
        draw = random.random()
        if draw < 0.1:
            lines.append(tick(at_s - random.choice((0, 1, 30))))
        elif draw < 0.13:
            trace, at_ns = random.choice(traces), START_NS + int(at_s * SECOND_NS)
            lines.append(CloseLine(scope=trace.session, time_ns=at_ns, principal=trace.principal))
        elif draw < 0.16:
            lines.append(record(b"{", offset))
        elif draw < 0.24 and any(isinstance(line, RecordLine) for line in lines):
            lines.append(random.choice([one for one in lines if isinstance(one, RecordLine)]))
        else:
            lines.append(draw_event(random, traces, numbers, at_s, offset))
    return lines


def draw_event(
    random: Random, traces: list[TraceKey], numbers: dict[TraceKey, int], at_s: float, offset: int
) -> RecordLine:
    """An agent's event, or one that its gate took in, or an operator's that may name its principal;
    now and then misplaced.
    """
    trace = random.choice(traces)
    kinds = ("a", "b", "p", "p", "q", "q", "session.ended", "tool.requested", "approval.granted")
    kind, call = random.choice(kinds), random.choice("xyz")
    args: Any = random.choice(({"yes": True}, {"yes": True}, {}))
    content = event(trace.session, numbers[trace], kind, at_s, call=call, args=args)
    place: dict[str, Any] = {"arrival_ns": START_NS + int(at_s * SECOND_NS)}
    if random.random() < 0.2:
        content = {**content, "id": f"a-{offset}", "principal": random.choice(PRINCIPALS)}
        del content["seq"]
        return record(content, offset, topic="interlock.approvals", **place)
    numbers[trace] += random.choice((1, 1, 1, 2))
    if random.random() < 0.05:
        place["partition"] = "1"
    if trace.principal and random.random() < 0.3:
        content |= {"principal": trace.principal, "ts": content["ts"] - int(1.5 * SECOND_NS)}
        return record(content, offset, **place, topic="interlock.gate")
    if trace.principal:
        place |= {"topic": f"agent.events.{trace.principal}", "principal": trace.principal}
    return record(content, offset, **place)


def draw_header(random: Random) -> RecordingHeader:
    settings = RecordedSettings(
        trust_ts=random.random() < 0.3,
        gate_lateness_ns=random.choice((0, 3)) * SECOND_NS,
        linger_ns=random.choice((0, 5, 1000)) * SECOND_NS,
        idle_close_ns=random.choice((None, 3 * SECOND_NS)),
        ids_max=random.choice((2, 10_000)),
        slices_max=random.choice((1, 10_000)),
        pending_max=random.choice((1, 1_000)),
    )
    source = RecordedSource("kafka", "kafka://b:9092", ["agent.events"], True)
    return header_of(WATCHED, settings=settings, source=source)


def stepped(header: RecordingHeader, lines: list[Line]) -> Iterator[tuple[int, Kernel]]:
    """One engine, given every line in turn."""
    player = Player(header, PROGRAM)
    for number, line in enumerate(lines):
        assert isinstance(line, RecordLine) or hasattr(line, "time_ns")
        player.play(line)  # type: ignore[arg-type]
        yield number, player.kernel


def state_of(found: Any) -> object:
    """A header, and every state as bytes."""
    if found is None:
        return None
    header, progress = found
    states = zip(PROGRAM.invariants, progress.states, strict=True)
    written = [encode_state(c.automaton, s, header.time_ns) for c, s in states]
    return header, progress.position, written


@pytest.mark.parametrize(("every", "steps_max", "links_max"), [(256, 10_000, 32), (3, 6, 2)])
def test_every_moment_is_what_stepping_gives(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    every: int,
    steps_max: int,
    links_max: int,
) -> None:
    """In random order, with snapshots near or far, each record's state is that of stepping."""
    monkeypatch.setattr("replay.timeline.timeline.SNAPSHOT_EVERY", every)
    monkeypatch.setattr("replay.timeline.timeline.SNAPSHOTS_MAX", 4)
    monkeypatch.setattr("replay.timeline.spill.LINKS_MAX", links_max)
    monkeypatch.setattr(SessionTrack, "STEPS_MAX", steps_max)
    for seed in range(FIRST_SEED, FIRST_SEED + REPLAY_CASES):
        random = Random(seed)
        header, lines = draw_header(random), draw_lines(random)
        timeline = timeline_of(write(tmp_path / "r.jsonl", lines, header), PROGRAM)
        wanted = [
            (number, name, state_of(engine.inspect(name)))
            for number, engine in stepped(header, lines)
            for name in TRACES
            if name in timeline.sessions
            and number in timeline.sessions[name].inputs
            and isinstance(lines[number], RecordLine)
        ]
        random.shuffle(wanted)
        for number, name, state in wanted:
            step = timeline.track(name, number).step_at(number)
            assert step is not None and step.input_number == number, f"seed {seed}"
            assert state_of((step.header, step.progress)) == state, f"seed {seed}, input {number}"
        timeline.close()


def test_a_moment_is_the_same_with_and_without_its_future(tmp_path: Path) -> None:
    """Looking at record N of a recording shows what a recording that ends there shows."""
    for seed in range(FIRST_SEED, FIRST_SEED + REPLAY_CASES // 2):
        random = Random(seed)
        header, lines = draw_header(random), draw_lines(random)
        whole = timeline_of(write(tmp_path / "w.jsonl", lines, header), PROGRAM)
        for number in random.sample(range(len(lines)), min(6, len(lines))):
            if not isinstance(lines[number], RecordLine):
                continue
            part = write(tmp_path / "p.jsonl", lines[: number + 1], header)
            alone = timeline_of(part, PROGRAM)
            assert look_at(whole, number) == look_at(alone, number), f"seed {seed}, input {number}"
        close_all()


def test_a_session_alone_is_found_the_same(tmp_path: Path) -> None:
    """Other sessions change nothing: neither the findings of a session nor any of its moments."""
    for seed in range(FIRST_SEED, FIRST_SEED + REPLAY_CASES // 2):
        random = Random(seed)
        header, lines = draw_header(random), draw_lines(random)
        path = write(tmp_path / "r.jsonl", lines, header)
        whole: Timeline = timeline_of(path, PROGRAM)
        for name in whole.sessions:
            alone = timeline_of(path, PROGRAM, session="/".join(name))
            assert list(alone.findings()) == list(whole.findings(name)), f"seed {seed}, {name}"
            last = whole.sessions[name].inputs[-1]
            line = lines[last]
            # A record that acts for nobody is shown with one of the traces that it may concern.
            if isinstance(line, RecordLine) and is_shown_with(whole, last, line, name):
                assert look_at(whole, last) == look_at(alone, last), f"seed {seed}, {name}"
        close_all()


def is_shown_with(timeline: Timeline, number: int, line: RecordLine, trace: TraceKey) -> bool:
    read = read_line(line)
    return isinstance(read, Event) and timeline.trace_of(number, read) == trace
