"""Two gates, agents that ask them, operators, and kills: what ran is what the definition allows.

    simulate_gates(seed, folder) -> Counter       raises `WrongError` where a gate was at fault

Real gates share a directory for their logs. The seed draws invariants and acts
(`tests/support/asked.py`), the home of each session, kills at every write, answers that are lost,
times at which a gate is down, and agents that ask the wrong gate. An agent repeats a request under
its id until an answer arrives, with others' requests in between, and calls its tool once it is
allowed. A monitor reads the logs in the end, late, with copies and ticks.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from monitor.gate.approvals import EXPIRED, REFUSED, SESSION_ENDED, WITHDRAWN
from monitor.gate.errors import ConflictError, UnknownError
from monitor.gate.wire import Answer, Ask, Opening
from monitor.service.program import open_program
from tests.laws.test_gate_and_stream import arrived, stream_of
from tests.laws.test_gate_log import settings_of
from tests.simulation.ledger import WrongError
from tests.support.asked import (
    AGENT,
    PRINCIPALS,
    SESSIONS,
    Act,
    Played,
    draw_case,
    meant_answer,
    raw,
)
from tests.support.gate import KilledError
from tests.support.killed import Moments, killed

RETRIES_MAX: Final = 500
Record = dict[str, Any]


class GatesWorld:
    """One run in the making."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random, self.case = Random(seed), draw_case(seed)
        self.counts: Counter[str] = Counter()
        one = Played(folder / "one", self.case)
        self.gates = (one, Played(folder / "two", self.case, folder / "one" / "log"))
        self.folder, self.is_up = folder, [True, True]
        self.names = [str(gate.here.gate._recorder.name) for gate in self.gates]
        self.homes = {session: self.random.randrange(2) for session in SESSIONS}
        self.moments = Moments(self.random, self.random.choice((0.0, 0.02, 0.1)))
        self.lost_rate = self.random.choice((0.0, 0.1, 0.4))
        self.answers: dict[int, list[Answer]] = defaultdict(list)
        """What arrived, by the number of the act that asked."""
        self.ran: Counter[int] = Counter()

    def run(self) -> Counter[str]:
        """Acts in their order, repeated ones in between; then quiet, and judgement."""
        for session, home in self.homes.items():
            self.gates[home].here.gate.open(PRINCIPALS[session], Opening(session, agent=AGENT))
        waiting = deque(self.case.acts)
        with killed(self.moments):
            for _ in range(RETRIES_MAX):
                if not waiting:
                    break
                act = waiting.popleft()
                if not self._arrives(act):
                    # Others come in between, but nothing overtakes within a session.
                    waiting.insert(self._place(waiting, act), act)
        for number in range(2):
            self._reopen(number)
        self._drain(waiting)
        self._judge()
        return self.counts + self.moments.met

    def _place(self, waiting: deque[Act], act: Act) -> int:
        others = [n for n, one in enumerate(waiting) if one.session == act.session]
        return self.random.randint(0, others[0] if others else len(waiting))

    def _arrives(self, act: Act) -> bool:
        """False if the sender got no answer, and has to send it again."""
        home = self.homes[act.session]
        self._let_gates_start()
        if self.random.random() < 0.05 and act.what == "ask":
            self._ask_the_wrong_gate(act, 1 - home)
        if not self.is_up[home]:
            self.counts["gate is down"] += 1
            return False
        try:
            answer = self._done(act, home)
        except KilledError:
            self.gates[home].here.kill()
            self.is_up[home] = False
            return False
        if act.what == "ask" and self.random.random() < self.lost_rate:
            self.counts["lost answers"] += 1
            return False
        self._take(act, answer)
        return True

    def _done(self, act: Act, home: int) -> Answer | None:
        now_ns = max(gate.here.clock.time_ns for gate in self.gates)
        for gate in self.gates:
            gate.here.clock.time_ns = max(now_ns, act.time_ns)
        try:
            return self.gates[home].act(act)
        except (ConflictError, UnknownError):
            if act.what != "rule":
                raise
            return None  # It was decided, and the operator has not heard of it.

    def _take(self, act: Act, answer: Answer | None) -> None:
        """The agent hears an answer, and calls its tool if it may."""
        if act.what != "ask" or answer is None:
            return
        self.answers[act.number].append(answer)
        self.counts[answer.decision] += 1
        if answer.decision == "allow":
            self.ran[act.number] += 1

    def _ask_the_wrong_gate(self, act: Act, other: int) -> None:
        if not self.is_up[other]:
            return
        ask = Ask(act.session, "tool", raw(act.said), request=f"wrong-{act.number}")
        try:
            self.gates[other].here.gate.ask(PRINCIPALS[act.session], ask)
        except ConflictError:
            self.counts["wrong gate"] += 1
        except KilledError:
            self.gates[other].here.kill()
            self.is_up[other] = False
        else:
            raise WrongError(f"a gate took the session of another\n{self.case.shown()}")

    def _let_gates_start(self) -> None:
        for number, is_up in enumerate(self.is_up):
            if not is_up and self.random.random() < 0.5:
                try:
                    self.gates[number].here.reopen()
                    self.is_up[number] = True
                except KilledError:
                    self.gates[number].here.kill()

    def _reopen(self, number: int) -> None:
        if not self.is_up[number]:
            self.gates[number].here.reopen()
            self.is_up[number] = True

    def _drain(self, waiting: deque[Act]) -> None:
        """Without faults everybody gets an answer; who waited for an operator looks again."""
        for act in waiting:
            self._take(act, self._done(act, self.homes[act.session]))
        for gate in self.gates:
            gate.here.clock.time_ns += 3_600 * 10**9
            gate.here.gate.tick()
        for act in self.case.acts:
            if act.what == "ask" and self.answers[act.number]:
                who, gate = PRINCIPALS[act.session], self.gates[self.homes[act.session]].here.gate
                answer = gate.answer(who, act.session, f"r-{act.number}")
                if self.answers[act.number][-1].decision == "hold":
                    self._take(act, answer)
                elif answer != self.answers[act.number][-1]:
                    self._wrong(f"request {act.number} was answered twice differently")

    def _wrong(self, text: str) -> None:
        raise WrongError(f"{text}\n{self.case.shown()}")

    # The judgement.

    def _judge(self) -> None:
        everything = self.gates[0].here.records()
        for name in self.names:
            own = [record for record in everything if record["gate"]["name"] == name]
            self._judge_log(own)
        allowed = Counter(
            record["gate"]["request"] for record in everything if record["kind"] == "tool.requested"
        )
        if any(count > 1 for count in allowed.values()):
            self._wrong("a request was allowed twice")
        for number, count in self.ran.items():
            if count != 1 or not allowed[f"r-{number}"]:
                self._wrong(f"the call of request {number} ran {count} times, or is not in the log")
        self._judge_monitor(everything)

    def _judge_log(self, own: list[Record]) -> None:
        """Each decision is that of the definition, behind the records before it."""
        for at, record in enumerate(own):
            note, time_ns = record["gate"], record["ts"]
            if not note.get("decision"):
                continue
            before = own[:at]
            told = note["decision"]
            meant = meant_answer(
                self.case, before, record["session"], record.get("args", {}), time_ns
            )
            expected = meant.decision
            is_refused = note.get("reason") in (EXPIRED, REFUSED, SESSION_ENDED, WITHDRAWN)
            if is_refused or (note.get("by") and expected == "hold"):
                expected = "deny"
            if told != expected:
                self._wrong(f"{told} in place of {expected}: {record}")
            self.counts["decisions judged"] += 1

    def _judge_monitor(self, everything: list[Record]) -> None:
        """A monitor that is behind finds what the gates found; of agents' traces it knows more."""
        everything.sort(key=lambda record: int(record["ts"]))
        folder = self.folder / "one"
        settings = settings_of(folder, folder / "log")
        program = open_program(settings, folder / "monitor", keeps_image=False)
        lines = arrived(self.random, [msgspec.json.encode(record) for record in everything])
        found = set(self._of_sessions(stream_of(program, settings, lines)))
        for gate in self.gates:
            gate.here.clock.time_ns += 60 * 86_400 * 10**9
            gate.here.gate.tick()
        gates = set(self._of_sessions([one for gate in self.gates for one in gate.here.told]))
        # A gate that was killed had found more, which its recovery finds again unseen.
        is_same = gates <= found if self.moments.met else gates == found
        if not is_same:
            self._wrong("the monitor and the gates have found different things")
        self.counts["findings"] += len(found)

    @staticmethod
    def _of_sessions(findings: list[Any]) -> Iterator[tuple[str, bytes]]:
        for finding in findings:
            if finding.scope_kind == "session":
                yield finding.id, msgspec.json.encode(finding)

    def close(self) -> None:
        """Close both gates."""
        for gate in self.gates:
            gate.close()


def simulate_gates(seed: int, folder: Path) -> Counter[str]:
    """One run; what it came to."""
    world = GatesWorld(seed, folder)
    counts = world.run()
    world.close()
    return counts
