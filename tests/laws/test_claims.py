"""Gates that claim sessions on one log, in any order, with faults: never two owners."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from invariants.model.errors import ConfigError
from monitor.gate.errors import GateError
from monitor.gate.retire import RETIRED, retire
from monitor.trace_key import TraceKey
from tests.support.claim_topic import LEASE_NS, Clock, Log, Stepped, Topic

GATES: Final = ("a", "b")
KEYS: Final = [TraceKey("bot", "s-1"), TraceKey("bot", "s-2")]
RUNNING_MAX: Final = 4
INDEX: Final = st.integers(0, RUNNING_MAX - 1)
KEY: Final = st.sampled_from(KEYS)
FAULT: Final = st.sampled_from(["", "", "", "lost", "late", "part", "unsure"])


class ClaimsLaw(RuleBasedStateMachine):
    """Processes of two gates, and an operator."""

    def __init__(self) -> None:
        super().__init__()
        self.topic, self.clock = Topic(), Clock()
        self.running: list[Stepped] = []
        self.places = 0
        self.states: dict[str, set[TraceKey]] = {}
        """The sessions that each state directory has."""
        self.names = {gate: f"{gate}-1" for gate in GATES}
        """The name of each gate; one that was retired gets another, with an empty state."""

    def let_pass(self, time_ns: int) -> None:
        """Some have turns meanwhile, and others hang."""
        for part in (time_ns // 2, time_ns - time_ns // 2):
            self.clock.time_ns += part
            for one in self.running[::2]:
                one.turn()
            self.one_owner()

    @initialize()
    def first(self) -> None:
        """Both gates run."""
        for name in self.names.values():
            self._begin(name, f"{name}/0")

    @precondition(lambda self: len(self.running) < RUNNING_MAX)
    @rule(gate=st.sampled_from(GATES), is_copy=st.booleans(), copied=st.sets(KEY))
    def begin(self, gate: str, is_copy: bool, copied: set[TraceKey]) -> None:
        """A gate starts from its own state, or from a copy, which may be old."""
        name = self.names[gate]
        own = f"{name}/0"
        is_locked = any(one.place == own for one in self.running)
        self.places += 1
        if is_copy or is_locked:
            self.states[f"{name}/{self.places}"] = copied
            self._begin(name, f"{name}/{self.places}")
        else:
            self._begin(name, own)

    def _begin(self, name: str, place: str) -> Stepped | None:
        state = self.states.setdefault(place, set())
        claims = Stepped(self.topic, self.clock, name, place, self.let_pass, state)
        try:
            claims.begin()
            claims.adopt(lambda key: key in state)
        except ConfigError:
            return None
        # Those that others have meanwhile are refused, as `keep` would.
        state &= {key for key in KEYS if claims.has(key)}
        self.running.append(claims)
        return claims

    @precondition(lambda self: self.running)
    @rule(index=INDEX)
    def die(self, index: int) -> None:
        """A process is killed."""
        self.running.pop(index % len(self.running))

    @precondition(lambda self: self.running)
    @rule(key=KEY, indices=st.lists(INDEX, min_size=1, max_size=3), fault=FAULT)
    def ask(self, key: TraceKey, indices: list[int], fault: str) -> None:
        """An agent begins a session at several gates at the same time."""
        asking = [self.running[one % len(self.running)] for one in indices]
        for is_again in (False, True):
            for one in asking:
                with suppress(GateError):
                    one.take(key)
                    one.begun.add(key)
            for one in [] if is_again else asking:
                self.topic.fault, fault = fault, ""
                one.turn()
                self.topic.fault = ""

    @precondition(lambda self: self.running)
    @rule(index=INDEX, key=KEY, is_again=st.booleans())
    def forget(self, index: int, key: TraceKey, is_again: bool) -> None:
        """A gate forgets a session that it has, and perhaps begins it again at once."""
        one = self.running[index % len(self.running)]
        if one.has(key):
            one.begun.discard(key)
            one.release(key)
            if is_again:
                with suppress(GateError):
                    one.take(key)
                    one.begun.add(key)
            one.turn()

    @rule()
    def arrive(self) -> None:
        """Records arrive whose writer has given them up."""
        if self.topic.late:
            self.topic.append(self.topic.late.pop(0))

    @rule(back=st.integers(0, 3))
    def compact(self, back: int) -> None:
        """The broker compacts what is old, which changes nobody's view."""
        before = self.topic.view()
        self.topic.compact(self.topic.end - back)
        after = self.topic.view()
        for key in KEYS:
            assert before.holder(key) == after.holder(key)
        for name in self.names.values():
            assert before.last_run(name) == after.last_run(name)

    @rule(time_ns=st.sampled_from([LEASE_NS // 3, LEASE_NS - 1, LEASE_NS]))
    def wait(self, time_ns: int) -> None:
        """Time passes, and some have turns."""
        self.let_pass(time_ns)

    @rule(gate=st.sampled_from(GATES))
    def retire(self, gate: str) -> None:
        """An operator retires a gate, which then has nothing, and cannot begin again."""
        name = self.names[gate]
        if self.topic.view().last_run(name) is None:
            return
        retire(Log(self.topic), name, self.clock, self.let_pass)
        assert not any(one.has(key) for one in self.running for key in KEYS if one.name == name)
        last = self.topic.view().last_run(name)
        assert last is not None
        assert last[0] == RETIRED
        assert self._begin(name, "again") is None
        self.places += 1
        self.names[gate] = f"{gate}-{self.places}"

    @invariant()
    def one_owner(self) -> None:
        """At any time, at most one process answers for a session, which is its own till then."""
        self.running = [one for one in self.running if not one.is_lost]
        for key in KEYS:
            owners = [one for one in self.running if one.has(key)]
            assert len(owners) <= 1, (key, [(one.name, one.place) for one in owners])
        for one in self.running:
            assert one.trouble or all(one.has(key) for key in one.begun)


TestClaims = ClaimsLaw.TestCase
