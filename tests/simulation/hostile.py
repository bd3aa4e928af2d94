"""Hostile neighbours: whoever has an agent's rights, and uses them against the others.

They write what any agent can write, in partitions that others share: floods, violations of a
session that is stopped already, records that are not events under anybody's name. Some have a
topic of their own principal (`RIVAL`), some share that of everybody without one.
"""

from __future__ import annotations

from random import Random
from typing import Final

from monitor.topics import EVENTS
from tests.simulation.faults import Faults
from tests.simulation.outside import RIVAL, Outside
from tests.simulation.workload import Session, Workload

FLOOD_RECORDS: Final = (10, 20, 60)
VIOLATING: Final = ("rare", "failed", "requested")
"""A kill with each, or a quarantine with some."""


class Neighbours:
    """`act` lets some of them do their worst, once a turn."""

    def __init__(
        self, outside: Outside, faults: Faults, random: Random, workload: Workload
    ) -> None:
        self._faults = faults
        self._random = random
        self._workload = workload
        self._invented_count = 0
        self._sessions = [
            Session(f"h-{number}", topic, random.choice(outside.partitions), "", {})
            for number, topic in enumerate((RIVAL, RIVAL, EVENTS))
        ]
        for session in self._sessions:
            session.partition = outside.partition_of(session.name)

    @property
    def names(self) -> list[str]:
        return [session.name for session in self._sessions]

    def act(self) -> None:
        """What is written is as long as a flood has to be, and no longer."""
        faults, random = self._faults, self._random
        session = random.choice(self._sessions)
        if faults.strikes("flood of events"):
            for _ in range(random.choice(FLOOD_RECORDS)):
                self._write(session, "")
        if faults.strikes("stopped session goes on"):
            shape = random.choice(VIOLATING)
            for _ in range(random.choice(FLOOD_RECORDS)):
                self._write(session, shape)
                if random.random() < 0.1:
                    self._workload.write()
        if faults.strikes("flood of unreadable records"):
            victim = random.choice(self._workload.sessions).name
            for _ in range(random.choice(FLOOD_RECORDS)):
                name = random.choice((victim, session.name))
                self._workload.write_unreadable(session, name)
        if faults.strikes("names are invented"):
            for _ in range(random.choice(FLOOD_RECORDS)):
                self._invented_count += 1
                self._workload.write_unreadable(session, f"n-{self._invented_count}")

    def _write(self, session: Session, shape: str) -> None:
        session.is_over = False
        self._workload.write_of(session, shape)
