"""A finished file means one thing: to `run`, to a replay of it, and in whatever order it lies.

Cases are drawn by seed; a failure names it.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from monitor.cli.finished_file import FinishedFile
from monitor.config.table import Settings, make_settings
from monitor.findings.model import Finding
from monitor.kernel.file_end import OpenVerdicts
from monitor.service.assemble import open_service
from monitor.service.batch import Batch
from monitor.store.records import Committed
from replay.capture.header import plain_settings
from replay.compare.summary import notes_of
from replay.recording.reader import RecordedFile
from replay.timeline.program import find_program
from replay.timeline.timeline import Timeline
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.rim import SECOND_NS, START_NS, HandClock

WATCHED = """\
version: 1
predicates:
  a: kind == "a"
  b: kind == "b"
  asked:
    when: kind == "asked"
    with:
      call: call
  granted:
    when: kind == "granted"
    with:
      call: call
invariants:
  - id: first
    severity: info
    always: asked(call=c) implies once granted(call=c)
  - id: soon
    severity: info
    always: asked(call=c) implies eventually[8s] granted(call=c)
  - id: ever
    severity: info
    always: asked(call=c) implies eventually granted(call=c)
  - id: counted
    severity: info
    always: count(a)[6s] <= 1
  - id: run
    severity: info
    report: edge
    always: a implies once[3s] b
  - id: run-of-agent
    severity: info
    per: agent
    report: edge
    always: a implies once[3s] b
  - id: of-agent
    severity: info
    per: agent
    always: asked(call=c) implies eventually[8s] granted(call=c)
  - id: of-agent-past
    severity: info
    per: agent
    never: b and once[5s] a
"""
KINDS = ("a", "b", "asked", "asked", "granted", "granted", "session.ended")
NOW_NS = START_NS + 200 * SECOND_NS
FILE_CASES = max(20, CASES // 40)


def draw_events(random: Random) -> list[dict[str, Any]]:
    """Events of some sessions in the order of their times: no two of one time in a scope."""
    events, numbers = [], dict.fromkeys("stu", 0)
    ended: set[str] = set()
    at_s = 0
    for index in range(random.randint(3, 30)):
        at_s += random.choice((1, 1, 2, 5, 40 if random.random() < 0.1 else 1))
        session = random.choice("stu")
        kind = random.choice(KINDS)
        if session in ended or (kind == "session.ended" and random.random() < 0.7):
            kind = "granted"
        ended |= {session} if kind == "session.ended" else set()
        event = {"session": session, "agent": random.choice("AB"), "kind": kind}
        event |= {"ts": START_NS + at_s * SECOND_NS, "call": random.choice("xy")}
        if random.random() < 0.75:
            event["seq"] = numbers[session]
            numbers[session] += random.choice((1, 1, 1, 2))
        else:
            event["id"] = f"own-{index}"
        events.append(event)
    return events


def spoilt(random: Random, events: list[dict[str, Any]]) -> list[bytes]:
    """As files come: out of order, some lines twice, some unreadable, some stamped 2099."""
    for event in events:
        if random.random() < 0.04:
            event["ts"] = START_NS + 10**9 * SECOND_NS
    lines = [msgspec.json.encode(event) for event in events]
    lines += random.sample(lines, random.randint(0, min(3, len(lines))))
    lines += random.choice(([], [b"{"], [b"", b'{"kind": "a"}']))
    if random.random() < 0.7:
        random.shuffle(lines)
    return lines


def draw_settings(random: Random, path: Path, folder: Path) -> Settings:
    invariants = folder / "watched.yaml"
    invariants.write_text(WATCHED)
    return make_settings(
        {
            "source": str(path),
            "invariants": (str(invariants),),
            "state_dir": str(folder / f"state-{random.getrandbits(64):x}"),
            "http.enabled": False,
            "idle_close": random.choice((60, 10**6)) * SECOND_NS,
            "linger": random.choice((0, 1000)) * SECOND_NS,
            "batch_records_max": random.choice((1, 4, 1000)),
            "scopes_in_memory_max": random.choice((1, 50_000)),
            "store.synchronous": "normal",
        }
    )


Told = tuple[dict[str, list[Finding]], OpenVerdicts, list[str]]


def ran(settings: Settings, *, is_sorted: bool, now_ns: int = NOW_NS) -> Told:
    """What `interlock run` tells: findings by scope, open verdicts, notices."""
    found: list[Finding] = []

    def take(batch: Batch, committed: Committed) -> None:
        found.extend(committed.findings)
        file.look()

    clock = HandClock(now_ns)
    with ExitStack() as stack:
        service = open_service(settings, clock, stack, take, is_sorted=is_sorted)
        file = FinishedFile(service)
        service.loop.start()
        service.loop.run(lambda: False)
        end = file.end()
    return by_scope(found), end.open, [text for text in end.notices if "times go back" in text]


def replayed(settings: Settings, *, is_sorted: bool, now_ns: int = NOW_NS) -> Told:
    """What `interlock replay` tells of the same file."""
    assert settings.source is not None
    file = RecordedFile(
        settings.source,
        is_sorted=is_sorted,
        plain_settings=lambda: plain_settings(settings),
        now_ns=now_ns,
    )
    with closing(file):
        live = find_program(file.header, [Path(settings.invariants[0])], None)
        timeline = Timeline(file, live.program)
    with closing(timeline):
        found = [told.finding for told in timeline.findings()]
        notes = [note for note in notes_of(timeline) if "times go back" in note]
        return by_scope(found), timeline.open, notes


def by_scope(findings: list[Finding]) -> dict[str, list[Finding]]:
    """Each finding once, in the order of its scope: between scopes no order is promised.

    A group that grew stands where it came first, as it was told last.
    """
    told: dict[str, dict[str, Finding]] = {}
    for finding in findings:
        told.setdefault(f"{finding.scope_kind}:{finding.scope}", {})[finding.id] = finding
    return {scope: list(found.values()) for scope, found in told.items()}


def test_replay_is_run(tmp_path: Path) -> None:
    """Findings, open verdicts and the notice of disorder are the same, `--sort` or not."""
    for seed in range(FIRST_SEED, FIRST_SEED + FILE_CASES):
        random = Random(seed)
        path = tmp_path / f"{seed}.jsonl"
        path.write_bytes(b"\n".join(spoilt(random, draw_events(random))))
        settings = draw_settings(random, path, tmp_path)
        is_sorted = random.random() < 0.4
        live, again = ran(settings, is_sorted=is_sorted), replayed(settings, is_sorted=is_sorted)
        assert live == again, f"seed {seed}"


def test_sorting_undoes_any_order(tmp_path: Path) -> None:
    """A shuffled file, sorted, means what the file means that was written in order."""
    for seed in range(FIRST_SEED, FIRST_SEED + FILE_CASES):
        random = Random(seed)
        lines = [msgspec.json.encode(event) for event in draw_events(random)]
        path = tmp_path / f"{seed}.jsonl"
        path.write_bytes(b"\n".join(lines))
        settings = draw_settings(random, path, tmp_path)
        wanted = ran(settings, is_sorted=False)
        random.shuffle(lines)
        path.write_bytes(b"\n".join(lines))
        again = replace(settings, state_dir=str(tmp_path / f"again-{seed}"))
        assert wanted[2] == [], f"seed {seed}"
        assert ran(again, is_sorted=True) == wanted, f"seed {seed}"


def test_a_run_that_was_killed_goes_on(tmp_path: Path) -> None:
    """What is stored at the end is what one run over the whole file stores."""
    runs_count = 0
    for seed in range(FIRST_SEED, FIRST_SEED + FILE_CASES):
        random = Random(seed)
        path = tmp_path / f"{seed}.jsonl"
        path.write_bytes(b"\n".join(map(msgspec.json.encode, draw_events(random))))
        settings = replace(draw_settings(random, path, tmp_path), batch_records_max=1)
        again = replace(settings, state_dir=str(tmp_path / f"again-{seed}"))
        wanted = stored(settings, batches_max=[10**6])
        told = stored(again, batches_max=[random.randint(0, 12), random.randint(0, 12), 10**6])
        assert told == wanted, f"seed {seed}"
        runs_count += sum(one.run is not None and one.run.count > 1 for one in told.values())
    assert runs_count, "no file with a run of two or more"


def stored(settings: Settings, *, batches_max: list[int]) -> dict[str, Finding]:
    """The last record of each finding; each run is left after so many batches."""
    told: dict[str, Finding] = {}

    def take(batch: Batch, committed: Committed) -> None:
        told.update({finding.id: finding for finding in committed.findings})
        batches.append(batch)

    for most in batches_max:
        batches: list[Batch] = []
        with ExitStack() as stack:
            service = open_service(settings, HandClock(NOW_NS), stack, take)
            service.loop.start()
            service.loop.run(lambda: len(batches) >= most)  # noqa: B023 - called here
    return told
