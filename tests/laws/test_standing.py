"""Roles are those of the time: drawn events under files of principals that change meanwhile.

Judged by a kernel with the file, by one that begins anew from what was stored, and by a replay of a
recording that holds the file's versions; and by a naive reading of the file for each event.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from invariants.model.event import Event
from monitor.findings.model import Finding
from monitor.kernel.kernel import Kernel
from monitor.principals.model import Principals
from monitor.principals.parse import parse_principals
from replay.capture.header import recorded_versions
from replay.recording.format import Line, RecordedSettings, RecordLine, TickLine
from replay.recording.reader import RecordedFile
from replay.timeline.player import Player, engine_settings, principals_in, read_line
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.principals import draw_principals, draw_text, version_text
from tests.support.recordings import (
    event,
    header_of,
    program_of,
    record,
    tick,
    write,
)
from tests.support.rim import SECOND_NS, START_NS
from tests.support.shelf import Shelf

CASES_HERE: Final = max(40, CASES // 10)
SENDERS: Final = ("alice", "bob", "")
TEXT: Final = """\
version: 1
predicates:
  acts: kind == "act"
  acts_without_role: kind == "act" && !("writer" in principal.roles)
  acts_as_writer: kind == "act" && "writer" in principal.roles
  of_team_a: kind == "act" && principal.attributes.team == "a"
  ends: kind == "session.ended" && "writer" in principal.roles
  calls: kind == "act"
invariants:
  - {id: writers, severity: warning, on_unknown: report, never: acts_without_role}
  - {id: others, severity: info, on_unknown: report, never: acts_as_writer}
  - {id: team, severity: info, never: "acts and once[30s] of_team_a"}
  - {id: later, severity: info, always: "acts_as_writer implies eventually[9s] of_team_a"}
  - {id: ended, severity: info, never: ends}
  - {id: together, severity: info, per: agent, never: "acts_without_role and once of_team_a"}
"""
SETTINGS: Final = RecordedSettings(idle_close_ns=20 * SECOND_NS, linger_ns=60 * SECOND_NS)
JUDGED_BY_ROLE: Final = ("writers", "others")


def draw_lines(random: Random) -> list[Line]:
    """Events of some principals, and of nobody, with ticks; now and then one claims a role."""
    lines: list[Line] = []
    at_s, seqs = 0, dict.fromkeys(SENDERS, 0)
    for offset in range(random.randint(5, 40)):
        at_s += random.choice((0, 1, 2, 5, 25 if random.random() < 0.2 else 1))
        if random.random() < 0.15:
            lines.append(tick(at_s - 2))
            continue
        sender = random.choice(SENDERS)
        more: dict[str, Any] = {"agent": "bot"}
        if random.random() < 0.2:
            more["standing"] = {"version": 1, "roles": ["writer"], "attributes": {"team": "b"}}
            more["principal"] = random.choice(SENDERS)
        kind = "act" if random.random() < 0.95 else "session.ended"
        content = event("s", seqs[sender], kind, at_s, **more)
        seqs[sender] += 1
        topic = f"agent.events.{sender}" if sender else "agent.events"
        arrival_ns = START_NS + at_s * SECOND_NS
        place = {"topic": topic, "principal": sender, "arrival_ns": arrival_ns}
        lines.append(record(content, offset, **place))
    return lines


def judged(
    lines: list[Line], principals: Principals | None, random: Random | None = None
) -> list[Finding]:
    """The findings of a kernel; with `random` it begins anew from what was stored, now and then."""
    shelf, wakes = Shelf(), dict[str, int | None]()
    program = program_of(TEXT)

    def opened() -> Kernel:
        own = replace(engine_settings(SETTINGS), principals=principals)
        kernel = Kernel(program, own, shelf.load)
        kernel.expect([(ns, scope) for scope, ns in wakes.items() if ns is not None])
        return kernel

    kernel, found = opened(), list[Finding]()
    for line in lines:
        if isinstance(line, TickLine):
            found += kernel.tick(line.time_ns)
        else:
            assert isinstance(line, RecordLine)
            read = read_line(line)
            assert isinstance(read, Event)
            found += kernel.reach(read)
            found += kernel.step(read)
        if random is not None and random.random() < 0.3:
            changes, dropped = kernel.take_changes()
            shelf.keep(changes, dropped)
            for scope in dropped:
                wakes.pop(scope, None)
            wakes |= {change.scope: change.wake_ns for change in changes}
            kernel = opened()
    return found


def test_the_stream_and_its_replay_know_the_same_roles(tmp_path: Path) -> None:
    """The recording's header holds the versions, and a session goes on across a restart."""
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        random = Random(seed)
        lines = draw_lines(random)
        principals = draw_principals(random, SENDERS[:2], START_NS, 40)
        live = judged(lines, principals)
        assert judged(lines, principals, random) == live, f"seed {seed}: restarts"
        header = header_of(
            TEXT,
            settings=SETTINGS,
            principals=recorded_versions(principals),
            principals_digest=principals.digest,
        )
        path = write(tmp_path / "r.jsonl", lines, header)
        with closing(RecordedFile(str(path))) as file:
            player = Player(file.header, program_of(TEXT), principals=principals_in(file.header))
            inputs = [line for line in file.lines() if isinstance(line, RecordLine | TickLine)]
        replayed = [finding for line in inputs for finding in player.play(line).findings]
        assert replayed == live, f"seed {seed}: replay"


def test_each_verdict_is_by_the_version_of_its_event() -> None:
    """A naive reading of the versions gives the verdict at every event; nobody is silently fine."""
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        random = Random(seed)
        lines = [line for line in draw_lines(random) if isinstance(line, RecordLine)]
        principals = draw_principals(random, SENDERS[:2], START_NS, 40)
        found = {
            (finding.principal, finding.anchor.id, finding.invariant): finding
            for finding in judged(list(lines), principals)
            if finding.invariant in JUDGED_BY_ROLE
        }
        for line in lines:
            content = msgspec.json.decode((line.text or "").encode())
            if content["kind"] != "act":
                continue
            known = None
            for version in principals.versions:
                if version.since_ns <= content["ts"]:
                    known = version.standings.get(line.principal)
            for invariant, is_violated in (
                ("writers", known is not None and "writer" not in known.roles),
                ("others", known is not None and "writer" in known.roles),
            ):
                expected = "inconclusive" if known is None else "violated" if is_violated else None
                id_ = f"s/{content['seq']}"
                finding = found.pop((line.principal, id_, invariant), None)
                assert (finding.type if finding else None) == expected, f"seed {seed}, {id_}"
                if finding is not None:
                    roles = None if known is None else (known.version, known.roles)
                    told = finding.standing
                    assert (told and (told.version, told.roles)) == roles, f"seed {seed}, {id_}"
        assert not found


def test_a_version_that_is_appended_changes_nothing_before_it() -> None:
    """Findings and their ids are the same, until the time of the new version."""
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        random = Random(seed)
        lines = draw_lines(random)
        text = draw_text(random, SENDERS[:2], START_NS, 10)
        since_ns = START_NS + random.randint(60, 90) * SECOND_NS
        entries = {"alice": "{roles: [writer]}", "ana": "{roles: [approver]}"}
        before = parse_principals(text, "p.yaml")
        after = parse_principals(text + version_text(100, since_ns, entries), "p.yaml")
        assert before.digest != after.digest

        def early(principals: Principals, lines: list[Line], until_ns: int) -> list[Finding]:
            return [f for f in judged(lines, principals) if f.decided_ns < until_ns]

        assert early(before, lines, since_ns) == early(after, lines, since_ns), f"seed {seed}"


def test_a_change_of_roles_forgets_no_session() -> None:
    """Invariants keep their digests and their states; only the digest that is shown is another."""
    program = program_of(TEXT)
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        random = Random(seed)
        files = [draw_principals(random, SENDERS[:2], START_NS, 40) for _ in range(2)]
        shelf = Shelf()

        def opened(principals: Principals | None, shelf: Shelf = shelf) -> Kernel:
            own = replace(engine_settings(SETTINGS), principals=principals)
            return Kernel(program, own, shelf.load)

        acts = event("s", 0, "act", 0, principal="bob")
        acts |= {"standing": {"version": 9, "roles": [], "attributes": {"team": "a"}}}
        gate = {"topic": "interlock.gate", "arrival_ns": START_NS}
        first = read_line(record(acts, 0, **gate))
        kernel = opened(files[0])
        assert isinstance(first, Event)
        kernel.step(first)
        shelf.keep(*kernel.take_changes())
        second = read_line(record(acts | {"seq": 1, "ts": START_NS + 1}, 1, **gate))
        assert isinstance(second, Event)
        found = opened(files[1]).step(second)
        assert ("team", 1) in [(f.invariant, f.anchor.position) for f in found], f"seed {seed}"
