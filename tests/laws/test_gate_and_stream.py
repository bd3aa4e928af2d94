"""The gate, the stream and a replay of it find the same: drawn requests to a real gate.

Drawn asks, outcomes, approvals, refusals, expiry, exceptions, stops of the process and gaps in
time. The log that the gate wrote is then given to the kernel of a monitor: with delays, copies and
ticks at drawn moments. All findings are equal, those about prevented calls included.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import pytest

from invariants.model.event import Event
from invariants.runtime.program import Program
from monitor.config.table import Settings
from monitor.findings.model import Finding
from monitor.gate.errors import GateError
from monitor.gate.wire import Opening, Revocation, Ruling, Withdrawal
from monitor.ingest.provenance import Provenance
from monitor.kernel.births import NO_BIRTHS
from monitor.kernel.evaluate import evaluate
from monitor.kernel.kernel import Kernel
from monitor.principals.parse import parse_principals
from monitor.service.program import kernel_settings, open_program
from monitor.topics import GATE
from replay.recording.format import RecordedSettings, RecordLine, TickLine
from replay.timeline.player import InputLine, Player, read_line
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.excepting import ENTRY, ISSUER, RULES, exception
from tests.support.gate import START_NS, GateHere
from tests.support.principals import draw_text
from tests.support.recordings import header_of

CASES_HERE: Final = max(12, CASES // 40)
SECOND_NS: Final = 10**9
DAY_NS: Final = 86_400 * SECOND_NS
TEXT: Final = """
version: 1
predicates:
  secret: kind == "tool.completed" && tool == "read"
  posts: kind == "tool.requested" && tool == "post"
  asks:
    when: kind == "tool.requested"
    with:
      c: call
  answers:
    when: kind == "tool.completed" || kind == "tool.failed"
    with:
      c: call
  pays:
    when: kind == "tool.requested" && tool == "pay"
    with:
      c: call
  granted:
    when: kind == "approval.granted"
    with:
      c: call
  much: kind == "tool.requested" && args.amount > 5
  far: kind == "tool.requested" && tool == "search" && args.amount > 100
  denied: kind == "tool.denied"
  intern: '"intern" in principal.roles'
  read_by_team_a: kind == "tool.completed" && principal.attributes.team == "a"
invariants:
  - {id: leak, severity: critical, mode: enforce, on_unknown: violate, report: first,
     never: "posts and once secret"}
  - {id: lately, severity: warning, mode: enforce, on_unknown: report,
     never: "posts and once[20s] denied"}
  - {id: consent, severity: critical, mode: enforce, on_unknown: report,
     never: "pays(c=x) and not once[60s] granted(c=x)"}
  - {id: answered, severity: info, always: "asks(c=x) implies eventually[15s] answers(c=x)"}
  - {id: often, severity: warning, mode: enforce, on_unknown: report,
     always: "count(posts)[30s] <= 2"}
  - {id: much, severity: info, on_unknown: report, never: much}
  - {id: far, severity: warning, mode: enforce, on_unknown: report, never: far}
  - {id: interns, severity: warning, mode: enforce, on_unknown: report,
     never: posts and intern}
  - {id: of-teams, severity: info, on_unknown: report, never: "posts and once[60s] read_by_team_a"}
  - id: calls
    severity: warning
    mode: enforce
    on_unknown: report
    pattern:
      allowed_calls:
        role: auditor
        allow: [{tools: [search, pay]}]
"""
WIDER: Final = """\
  - {id: all, severity: warning, mode: enforce, on_unknown: report, per: agent,
     always: "count(asks(c=_))[40s] <= 5"}
  - {id: soon, severity: info, per: agent, always: "secret implies eventually[12s] posts"}
"""
PRINCIPALS: Final = """
versions:
  - version: 1
    since: 2027-01-01T00:00:00Z
    principals:
      bot: {roles: [intern]}
      ana: {roles: [approver]}
      olga: OLGA
    approvals: {roles: [approver], approvers: 1, expires: 15m}
RULES  - version: 2
    since: 2027-01-15T08:00:30Z
    principals:
      bot: {roles: [clerk]}
      ana: {roles: [approver]}
      olga: OLGA
    approvals: {roles: [approver], approvers: 1, expires: 15m}
RULES""".replace("OLGA", ENTRY).replace("RULES", RULES)
"""The gate's clock begins half a minute before the second version."""
IDS: Final = ("leak", "lately", "consent", "often", "interns", "calls")


def act(random: Random, here: GateHere) -> None:
    """One request of an agent or an operator, a gap in time, or a new start of the gate."""
    gate = here.gate
    session, draw = random.choice(("s-1", "s-2")), random.random()
    if draw < 0.45:
        tool = random.choice(("post", "pay", "search", "pay"))
        omitted = {"attributes": {"interlock_args_omitted": True}}
        sent = {"args": {"amount": random.choice((1, 9))}}
        here.ask(tool, session=session, **(omitted if random.random() < 0.2 else sent))
    elif draw < 0.7:
        kind = random.choice(("tool.completed", "tool.completed", "tool.failed", "message.user"))
        tool = random.choice(("read", "post", "search"))
        here.tell(kind, session=session, tool=tool, call=random.choice(("c-1", "c-2")))
    elif draw < 0.85:
        for held in gate.held("ana")[:1]:
            gate.rule("ana", held.id, Ruling(random.choice(("grant", "grant", "deny"))))
    elif draw < 0.87:
        here.tell("session.ended", session=session)
    elif draw < 0.9:
        for held in gate.held("ana")[:1]:
            gate.withdraw("bot", Withdrawal(held.session, held.request))
    elif draw < 0.95:
        except_some(random, here, session)
    elif draw < 0.98:
        gap_ns = random.choice((1, 5, 14, 40, 4_000)) * SECOND_NS
        here.clock.time_ns += gap_ns if random.random() < 0.9 else 8 * DAY_NS
        gate.tick()
    else:
        here.restart(is_killed=random.random() < 0.5)


def except_some(random: Random, here: GateHere, session: str) -> None:
    """An operator makes an exception, or breaks the glass, or ends the oldest one."""
    gate, now_ns = here.gate, here.clock.time_ns
    in_force = gate.exceptions(ISSUER).exceptions
    if in_force and random.random() < 0.5:
        gate.revoke(ISSUER, in_force[0].id, Revocation())
        return
    whom = random.choice(({}, {"principal": "bot"}, {"principal": "bot", "session": session}))
    span_ns = random.choice((5, 600, 3_600)) * SECOND_NS
    invariant = "" if random.random() < 0.15 else random.choice(IDS)
    number = random.getrandbits(100)
    gate.make_exception(ISSUER, exception(gate, number, now_ns, span_ns, invariant, **whom))


def gone_through(folder: Path, random: Random, text: str) -> GateHere:
    """A gate after drawn requests; at its end, all that is due is decided."""
    folder.mkdir()
    drawn = draw_text(random, ("bot",), START_NS, 60)
    principals = random.choice((PRINCIPALS, PRINCIPALS, PRINCIPALS, drawn))
    here = GateHere(folder, text, parse_principals(principals, "principals.yaml"))
    for session in ("s-1", "s-2"):
        here.gate.open("bot", Opening(session, agent="bot"))
    for _ in range(random.randint(5, 40)):
        try:
            act(random, here)
        except GateError:
            continue  # For example, its session has ended.
    here.clock.time_ns += 30 * DAY_NS
    here.gate.tick()
    here.close()
    return here


def arrived(random: Random, records: list[bytes]) -> list[InputLine]:
    """What a monitor reads of a gate's log: late, with copies, and ticks that arrivals allow."""
    lines: list[InputLine] = []
    arrival_ns = 0
    for offset, value in enumerate(records):
        before_ns = arrival_ns
        delay_ns = int(random.choice((0.0, 0.01, 3.0, 29.0)) * SECOND_NS)
        arrival_ns = max(arrival_ns, int(msgspec.json.decode(value)["ts"]) + delay_ns)
        if random.random() < 0.5:
            lines.append(TickLine(time_ns=random.randint(before_ns, arrival_ns)))
        line = RecordLine(
            topic=GATE, partition="0", offset=offset, arrival_ns=arrival_ns, text=value.decode()
        )
        lines += [line] * random.choice((1, 1, 1, 1, 2))
    return [*lines, TickLine(time_ns=arrival_ns + 60 * DAY_NS)]


def stream_of(program: Program, settings: Settings, lines: list[InputLine]) -> list[Finding]:
    """The findings of a monitor that reads these lines."""
    own = kernel_settings(settings, NO_BIRTHS, None, trusts_ts=False, is_finished_file=False)
    kernel = Kernel(program, own)
    found: list[Finding] = []
    for line in lines:
        if isinstance(line, TickLine):
            found += kernel.tick(line.time_ns)
            continue
        assert isinstance(line, RecordLine)
        event = read_line(line)
        assert isinstance(event, Event)
        found += evaluate(kernel, Provenance(), event, "").findings
    return found


def replay_of(program: Program, settings: Settings, lines: list[InputLine]) -> list[Finding]:
    """The findings of a replay of what it read."""
    recorded = RecordedSettings(
        gate_lateness_ns=settings.gate_lateness_ns,
        skew_ns=settings.skew_ns,
        linger_ns=settings.linger_ns,
        idle_close_ns=settings.idle_close_ns,
    )
    player = Player(header_of(settings=recorded), program)
    return [finding for line in lines for finding in player.play(line).findings]


@pytest.mark.parametrize("has_wider", [False, True])
def test_gate_stream_and_replay_find_the_same(tmp_path: Path, *, has_wider: bool) -> None:
    """Also of calls that were prevented, across restarts of the gate, by the roles of each time.
    The monitor has no file of principals: the gate states what was in force.
    """
    told: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        random, folder = Random(seed), tmp_path / str(seed)
        here = gone_through(folder, random, TEXT + (WIDER if has_wider else ""))
        files = sorted(
            (folder / "log" / GATE).glob("*.jsonl"),
            key=lambda path: int(path.stem.rpartition("-")[2]),
        )
        records = [line for path in files for line in path.read_bytes().splitlines()]
        settings = replace(
            Settings(),
            invariants=(str(folder / "invariants.yaml"),),
            state_dir=str(folder / "state"),
        )
        program = open_program(settings, folder / "state", keeps_image=False)
        lines = arrived(random, records)
        streamed = stream_of(program, settings, lines)
        assert replay_of(program, settings, lines) == streamed, seed
        found = {finding.id: finding for finding in streamed}
        assert found == here.found, seed
        told.update(f"{f.invariant or f.type} {f.prevention}" for f in found.values())
        told.update("excepted" for f in found.values() if f.excepted_by)
    print(dict(told))
    assert not {"id_conflict detected", "unevaluable detected"} & told.keys()
    assert {
        "calls prevented",
        "interns prevented",
        "of-teams detected",
        "leak prevented",
        "consent prevented",
        "answered detected",
        "excepted",
    } <= told.keys()
