"""One run, decided by its seed: monitors, their outside, faults, then quiet and judgement.

    report = simulate(seed, folder)

raises `WrongError` where the monitor was at fault, and never sleeps.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final
from unittest.mock import patch

import msgspec

from interlock.control_record import ControlRecord, ControlState
from monitor.actions.open import response_policy
from monitor.config.table import Settings
from monitor.findings.grouping import Groups
from monitor.kernel.settings import KernelSettings
from monitor.log import LOGGER
from monitor.scope_key import stored_trace, stored_users
from monitor.topics import CONTROL, FINDINGS
from monitor.trace_key import TraceKey
from tests.simulation import laws, oracle, watched, whose
from tests.simulation.faults import Faults
from tests.simulation.hostile import Neighbours
from tests.simulation.ledger import Stepped, Ticked, WrongError
from tests.simulation.node import Node
from tests.simulation.outside import MS_NS, PRINCIPALS, RIVAL, SECOND_NS, Outside
from tests.simulation.sinks import WEBHOOK_URL
from tests.simulation.workload import Workload

SLACK_NS: Final = 2 * SECOND_NS  # As LoopSettings.tick_slack_ns: how far a clock may be ahead.
DRAIN_TURNS_MAX: Final = 120
QUIET_TURN_NS: Final = 10 * SECOND_NS
REST_NS: Final = 2 * 3_600 * SECOND_NS  # Longer than each deadline of the invariants.

LOOSE_ALONE: Final = frozenset({"session on a foreign partition"})
SHARED_ALONE: Final = frozenset({"partition lost", "partition lost and gained at once"})
"""A monitor that reads all partitions has none to lose."""
NO_OTHER_READING: Final = frozenset({"power cut"})
"""Where what is read again may be read in another order, nothing may be read again."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a seed decides before anything happens."""

    is_strict: bool
    nodes_count: int
    partitions_count: int
    sessions_count: int
    turns_count: int
    records_a_turn_max: int
    has_operator: bool
    settings: Settings
    program_number: int
    is_wider: bool
    without: frozenset[str]


@dataclass(slots=True)
class Report:
    """What a run came to."""

    seed: int
    scenario: Scenario
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    """Of everything that was told outside: the same seed gives the same."""


def draw_scenario(random: Random) -> Scenario:
    """Strict worlds have up to two monitors; loose ones, and those with wider scopes, one."""
    is_strict = random.random() < 0.7
    program_number = random.randrange(watched.SETS_COUNT)
    is_wider = program_number >= watched.WIDER_FROM
    nodes_count = random.choice((1, 1, 2)) if is_strict and not is_wider else 1
    has_power_cuts = is_strict and random.random() < 0.4
    without = set() if has_power_cuts else set(NO_OTHER_READING)
    if is_strict:
        without |= LOOSE_ALONE
    if is_wider:
        without |= SHARED_ALONE
    if nodes_count > 1 or has_power_cuts:
        # What one has read and another cannot read any more is no fault of the monitor's.
        without.add("retention took unread records")
    settings = replace(
        Settings(),
        source="kafka://simulated:1",
        http_enabled=False,
        webhook_url=WEBHOOK_URL,
        webhook_attempts_max=random.choice((1_000, 1_000, 1_000, 2)),
        batch_records_max=random.choice((1, 2, 5, 20, 5_000)),
        scopes_in_memory_max=random.choice((1, 2, 50_000)),
        respond_enforcing_per_hour_max=random.choice((1_000_000, 1_000_000, 2)),
        respond_kills_per_hour_max=random.choice((1_000_000, 1_000_000, 2)),
        respond_quarantine_ttl_ns=random.choice((None, None, 60 * SECOND_NS)),
        poll_interval_ns=random.choice((SECOND_NS // 1000, SECOND_NS // 2)),
        dlq_raw=random.random() < 0.3,
    )
    if not is_strict:
        settings = replace(
            settings,
            idle_close_ns=random.choice((60 * SECOND_NS, settings.idle_close_ns)),
            linger_ns=random.choice((0, 30 * SECOND_NS, settings.linger_ns)),
        )
    return Scenario(
        is_strict,
        nodes_count,
        random.choice((1, 2, 3)),
        random.choice((1, 2, 4, 8)),
        random.choice((10, 30, 30, 80)),
        random.choice((2, 5, 15)),
        random.random() < 0.3,
        settings,
        program_number,
        is_wider,
        frozenset(without),
    )


class World:
    """One run in the making."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random = Random(seed)
        self.scenario = scenario = draw_scenario(random)
        self.report = Report(seed, scenario)
        self.faults = Faults(random, without=scenario.without)
        self.outside = Outside(random, scenario.partitions_count, is_strict=scenario.is_strict)
        self.workload = Workload(self.outside, self.faults, random, scenario.sessions_count)
        self.neighbours = Neighbours(self.outside, self.faults, random, self.workload)
        self.outside.produce = self._produce_meanwhile
        self.program = watched.program(scenario.program_number)
        self.nodes = []
        for name in "ab"[: scenario.nodes_count]:
            home = folder / name
            home.mkdir()
            settings = replace(scenario.settings, state_dir=str(home / "state"))
            self.nodes.append(Node(name, self.outside, self.faults, self.program, settings, home))
        for partition in self.outside.partitions:
            self.outside.owners[partition] = random.choice(self.nodes).name

    def run(self) -> Report:
        """The noisy part, the quiet part, the judgement."""
        for _ in range(self.scenario.turns_count):
            self._let_things_happen()
            for node in self.nodes:
                self._go_on(node)
        self.faults.are_over = True
        self.report.faults = self.faults.counts
        self._drain()
        # A clock that is behind brings deadlines late, and has to be waited for.
        behind_ns = max(-node.clock.offset_ns for node in self.nodes)
        self.outside.pass_time(REST_NS + max(behind_ns, 0))
        for _ in range(3):
            for node in self.nodes:
                node.turn()
        self._drain()
        self._judge()
        for node in self.nodes:
            node.stop()
        return self.report

    def _go_on(self, node: Node) -> None:
        if not node.is_up():
            if self.random.random() < 0.5:
                node.start()
            return
        node.turn()
        if not node.is_up():
            return
        if self.faults.strikes("polite stop"):
            node.stop()
        elif self.random.random() < 0.1 and "power cut" not in self.scenario.without:
            node.take_snapshot()

    def _produce_meanwhile(self) -> None:
        if not self.faults.are_over and self.random.random() < 0.2:
            self.workload.write()

    def _let_things_happen(self) -> None:
        random, faults, outside = self.random, self.faults, self.outside
        outside.pass_time(random.choice((1, 20, 200, 1_000, 3_000)) * MS_NS)
        for _ in range(random.randint(0, self.scenario.records_a_turn_max)):
            self.workload.write()
        self.neighbours.act()
        self._move_partitions()
        self._turn_clocks()
        if faults.strikes("broker away"):
            outside.is_away_until_ns = outside.true_ns + random.randint(1, 20) * SECOND_NS
        if faults.strikes("retention took unread records"):
            log = outside.logs[random.choice(sorted(outside.logs))]
            log.start = random.randint(log.start, log.end)
        if self.scenario.has_operator and random.random() < 0.05:
            self._let_operator_speak()

    def _move_partitions(self) -> None:
        outside, random = self.outside, self.random
        for partition in outside.partitions:
            if partition not in outside.owners and random.random() < 0.4:
                outside.owners[partition] = random.choice(self.nodes).name
        if outside.owners and self.faults.strikes("partition lost"):
            del outside.owners[random.choice(sorted(outside.owners))]

    def _turn_clocks(self) -> None:
        """In a strict world a clock may be behind by any time, but not ahead of the slack."""
        random = self.random
        furthest_ns = SLACK_NS - 100 * MS_NS if self.scenario.is_strict else 7_200 * SECOND_NS
        for node in self.nodes:
            before_ns = node.clock.offset_ns
            if self.faults.strikes("clock jumps forward"):
                node.clock.offset_ns = random.randint(
                    min(node.clock.offset_ns, furthest_ns), furthest_ns
                )
            if self.faults.strikes("clock jumps backward"):
                node.clock.offset_ns -= random.choice((1, 60, 3_600)) * SECOND_NS
            node.vouches &= self.scenario.is_strict and node.clock.offset_ns == before_ns

    def _let_operator_speak(self) -> None:
        session = self.random.choice(self.workload.sessions)
        states: tuple[ControlState, ...] = ("active", "active", "quarantined", "killed")
        state = self.random.choice(states)
        record = ControlRecord(
            state=state, issued_at=self.outside.true_ns, issuer="operator", incident="by hand"
        )
        self.outside.operator_says(f"session:{session.name}", msgspec.json.encode(record))

    def _drain(self) -> None:
        """(6) Without faults everything is done within a bounded number of turns."""
        for partition, number in zip(self.outside.partitions, range(99), strict=False):
            self.outside.owners[partition] = self.nodes[number % len(self.nodes)].name
        waiting = sum(log.end for log in self.outside.logs.values())
        for _ in range(DRAIN_TURNS_MAX + 2 * waiting):
            self.outside.pass_time(QUIET_TURN_NS)
            for node in self.nodes:
                node.turn() if node.is_up() else node.start()
                if not node.is_up():
                    raise WrongError(f"monitor {node.name} does not start, or ends, without fault")
            if not any(self._what_waits()):
                return
        raise WrongError(f"after the last fault, still waiting: {list(self._what_waits())}")

    def _what_waits(self) -> Iterator[str]:
        for node in self.nodes:
            assert node.store is not None
            backlog = node.store.backlog()
            if backlog.findings_pending_count or backlog.actions_pending_count:
                yield f"{node.name}: {backlog}"
            if letters := node.store.pending_letters(9):
                yield f"{node.name}: dead letters {[letter.origin for _, letter in letters]}"
            stored = node.store.load_positions()
            for stream, log in self.outside.logs.items():
                if self.outside.owners[stream.partition] == node.name:
                    position = stored[stream].next_offset if stream in stored else 0
                    if position != log.end:
                        yield f"{node.name}: {stream} is read to {position} of {log.end}"

    def _judge(self) -> None:
        first = self.nodes[0]
        assert first.service is not None
        settings: KernelSettings = first.service.loop._kernel.settings
        expected = oracle.expect_from_ledger(first.ledger, self.program, settings)
        if self.scenario.is_strict:
            ticks = [
                given.time_ns
                for node in self.nodes
                for given in [g for b in node.ledger.batches for g in b.given]
                if isinstance(given, Ticked)
            ]
            end_ns = self.outside.true_ns
            expected = oracle.expect_from_logs(self.outside, self.program, settings, end_ns)
            assert all(tick <= end_ns for tick in ticks), "the simulation's own clock is wrong"
        oracle.judge_findings(self.outside, expected)
        oracle.judge_verdicts([node.ledger for node in self.nodes], expected)
        self._judge_neighbours(settings)
        oracle.judge_gaps(self.outside, expected)
        oracle.judge_dead_letters(self.outside, expected)
        self._judge_responses(expected)
        self._judge_states(expected)
        self._judge_ledgers(expected)
        self._count(expected)

    def _judge_neighbours(self, settings: KernelSettings) -> None:
        """What the hostile principal did changes nothing for the others."""
        outside, hostile = self.outside, frozenset({RIVAL})
        if self.scenario.is_strict:
            end_ns = outside.true_ns
            without = oracle.expect_from_logs(outside, self.program, settings, end_ns, hostile)
        else:
            first = self.nodes[0]
            without = oracle.expect_from_ledger(first.ledger, self.program, settings, hostile)
        told = laws.told_findings(outside)
        rivals = {i.name for i in self.workload.impostors if i.topic == RIVAL}
        rivals |= set(self.neighbours.names)
        ambiguous = frozenset(rivals & self.workload.unnamed)
        count = laws.judge_neighbours(told, Groups().take(without.findings), ambiguous)
        self.report.counts["findings beside a hostile principal"] += count

    def _judge_ledgers(self, expected: oracle.Expected) -> None:
        """What is held against each monitor's own ledger, or takes all of them."""
        counts, settings = self.report.counts, self.scenario.settings
        starts_count = sum(node.starts_count for node in self.nodes)
        counts["unread"] += laws.judge_unread(
            self.outside, self.program, laws.told_findings(self.outside), expected, starts_count
        )
        for node in self.nodes:
            counts["batches cut for a stop"] += laws.judge_batches(node.ledger, settings)
            counts["stops held by a bucket"] += laws.judge_breaker(node.ledger, settings)
            if self.scenario.is_strict:
                given = [g for b in node.ledger.batches for g in b.given]
                stepped = [g for g in given if isinstance(g, Stepped)]
                counts["approvals and controls"] += whose.judge_traces(stepped)

    def _judge_responses(self, expected: oracle.Expected) -> None:
        policy = response_policy(self.scenario.settings)
        stores = [node.store for node in self.nodes if node.store is not None]
        held, failed, superseded = (
            frozenset(id_ for store in stores for (id_,) in store._rows(f"{query} {where}"))
            for query in ("SELECT id FROM actions WHERE",)
            for where in ("state = 'held'", "state = 'failed'", "outcome LIKE 'superseded%'")
        )
        settings = self.scenario.settings
        bound = min(settings.respond_enforcing_per_hour_max, settings.respond_kills_per_hour_max)
        if held and bound > 100:
            raise WrongError(f"held without need: {held}")
        if failed and settings.webhook_attempts_max > 100:
            raise WrongError(f"given up: {failed}")
        counts = self.report.counts
        counts["stops"] += oracle.judge_stops(self.outside, expected, policy, held, superseded)
        query = "SELECT id FROM findings"
        stored = frozenset(id_ for store in stores for (id_,) in store._rows(query))
        counts["alerts"] += oracle.judge_alerts(self.outside, expected, policy, failed, stored)
        counts["told of losses"] += oracle.judge_losses(self.outside)
        counts["stops held"] += len(held)

    def _session_names(self) -> list[str]:
        return [*(s.name for s in self.workload.sessions), *self.neighbours.names]

    def _judge_states(self, expected: oracle.Expected) -> None:
        partitions = {
            scope: self.outside.partition_of(name)
            for name in self._session_names()
            for scope in (
                *(stored_trace(TraceKey(who, name)) for who in (*PRINCIPALS.values(), "nobody")),
                stored_users(name),
            )
        }
        for node in self.nodes:
            assert node.store is not None
            scopes = [
                scope
                for scope in sorted(expected.headers)
                if self.outside.owners.get(partitions.get(scope, ""), node.name) == node.name
            ]
            oracle.judge_states(node.store, self.program, expected, scopes)
            self.report.counts["states"] += len(scopes)

    def _count(self, expected: oracle.Expected) -> None:
        counts, outside = self.report.counts, self.outside
        given = [g for node in self.nodes for b in node.ledger.batches for g in b.given]
        counts["records"] = sum(log.end for log in outside.logs.values())
        counts["events"] = expected.events_count
        counts["duplicates"] = sum(getattr(g, "is_duplicate", False) for g in given)
        counts["rejected"] = len(expected.rejected)
        counts["findings"] = len({f.id for f in expected.findings})
        wider = {f.id for f in expected.findings if f.scope_kind != "session"}
        counts["findings of wider scopes"] = len(wider)
        counts["findings told again"] = len(outside.told[FINDINGS]) - counts["findings"]
        counts["starts"] = sum(node.starts_count for node in self.nodes)
        counts["batches"] = sum(len(node.ledger.batches) for node in self.nodes)
        for notice, count in outside.notices.items():
            counts[f"notices: {notice}"] += count
        digest = hashlib.blake2b(digest_size=8)
        for topic in (FINDINGS, CONTROL):
            for told in outside.told[topic]:
                digest.update(f"{told.node} {told.key} ".encode() + told.value)
        self.report.digest = digest.hexdigest()


def simulate(seed: int, folder: Path) -> Report:
    """Run one seed in an empty folder.

    Raises
    ------
    WrongError
        Where the monitor was at fault; its text begins with the seed.
    """
    with _silence(), patch("monitor.kernel.unread.SESSIONS_MAX", laws.NAMES_MAX):
        world = World(seed, folder)
        try:
            return world.run()
        except WrongError as error:
            raise WrongError(f"seed {seed}: {error}") from error
        finally:
            for node in world.nodes:
                if node.is_up():
                    node._die()


@contextmanager
def _silence() -> Iterator[None]:
    """What the monitor says of thousands of faults is not for people."""
    level = LOGGER.level
    LOGGER.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        LOGGER.setLevel(level)
