"""One monitor: opened by the real `open_service` on simulated surroundings, and killed, often."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from unittest.mock import patch

import msgspec

from interlock.control_record import ControlRecord, ControlView, voucher_of
from invariants.model.errors import InterlockError
from invariants.runtime.program import Program
from monitor.actions.alert import LogAlertDriver
from monitor.actions.control import ControlDriver, ControlIssuer
from monitor.config.table import Settings
from monitor.findings.model import Finding
from monitor.service import assemble as service_module
from monitor.service import loop as loop_module
from monitor.service import program as program_module
from monitor.service.assemble import Service, open_service
from monitor.service.batch import Batch
from monitor.service.connect import Surroundings
from monitor.store.records import Committed
from monitor.store.store import STORE_FILE
from monitor.topics import CONTROL, DEAD_LETTERS, FINDINGS
from monitor.transport.base import Stream
from tests.simulation.faults import Crash, Faults
from tests.simulation.ledger import Ledger, WrongError
from tests.simulation.outside import SECOND_NS, NodeClock, Outside
from tests.simulation.rooms import SimulatedStore, WitnessedEngine, WitnessedMerger
from tests.simulation.sinks import SimulatedPublisher, SimulatedWebhook
from tests.simulation.source import ENDS_EVERY_NS, SimulatedControlReader, SimulatedSource


class Node:
    """A monitor that may die at any time, and its state directory, which may not."""

    def __init__(
        self,
        name: str,
        outside: Outside,
        faults: Faults,
        program: Program,
        settings: Settings,
        folder: Path,
    ) -> None:
        self.name = name
        self.outside = outside
        self.faults = faults
        self.program = program
        self.settings = settings
        self.folder = folder
        self.clock = NodeClock(outside)
        self.ledger = Ledger(outside, self.clock)
        self.service: Service | None = None
        self.store: SimulatedStore | None = None
        self.source: SimulatedSource | None = None
        self.starts_count = 0
        self.vouches = True
        """Whether its clock has never jumped, and the brokers' clocks are one."""
        self._stack = ExitStack()
        self._snapshot_batches: int | None = None

    def is_up(self) -> bool:
        return self.service is not None

    def start(self) -> None:
        """Open the monitor and let it catch up; it may die, or give up, at that too."""
        self.starts_count += 1
        self._stack = ExitStack()
        try:
            self.service = self._open()
            self.service.loop.start()
        except Crash:
            self._die()
        except (InterlockError, OSError):
            self._end()

    def turn(self) -> None:
        """One turn of the loop; what ends the real process ends this one."""
        assert self.service is not None
        try:
            self.faults.crash_on("crash between turns")
            self.service.loop.turn()
        except Crash:
            self._die()
        except (InterlockError, OSError):
            self._end()

    def stop(self) -> None:
        """A polite end: the last round of effects, then everything is let go."""
        try:
            self._stack.close()
        except Crash:
            self._die()
            return
        except (InterlockError, OSError):
            pass  # The real process would say so and end with an error.
        self._let_go()

    def take_snapshot(self) -> None:
        """What a power cut may set the store back to."""
        if self.store is not None:
            self.store.faulty.copy_to(self.folder / "snapshot")
            self._snapshot_batches = len(self.ledger.batches)

    def _open(self) -> Service:
        publisher = SimulatedPublisher(self.outside, self.name, self.faults, self._examine)
        self.source = source = SimulatedSource(self.outside, self.name, self.faults)
        source_commit = source.commit

        def commit(positions: dict[Stream, int]) -> None:
            self._examine_offsets(positions)
            source_commit(positions)

        source.commit = commit  # type: ignore[method-assign,assignment]
        surroundings = Surroundings(
            source,
            publisher,
            SimulatedControlReader(self.outside),
            lambda stream: stream.partition,
            (lambda stream: "") if self.program.wider else (lambda stream: stream.partition),
            trusts_ts=False,
            is_finished_file=False,
        )

        def surround(*given: object, reads_all: bool, is_sorted: bool = False) -> Surroundings:
            assert reads_all == bool(self.program.wider)
            return surroundings

        def store(
            path: Path, *, clock: NodeClock, synchronous: str, ids_max: int
        ) -> SimulatedStore:
            self.store = SimulatedStore(
                path,
                faults=self.faults,
                ledger=self.ledger,
                identity=self.name,
                clock=clock,
                ids_max=ids_max,
            )
            return self.store

        def drivers(
            settings: Settings,
            publisher: SimulatedPublisher,
            view: ControlView,
            issuer: ControlIssuer,
            clock: NodeClock,
        ) -> dict[str, object]:
            control = ControlDriver(
                publisher, view, issuer, clock, settings.respond_quarantine_ttl_ns
            )
            webhook = SimulatedWebhook(
                self.outside, self.faults, clock, settings.webhook_attempts_max
            )
            return {"log": LogAlertDriver(), "control": control, "webhook": webhook}

        with (
            patch.object(program_module, "program_image", lambda *given: None),
            patch.object(program_module, "load_program", lambda image, **more: self.program),
            patch.object(service_module, "open_surroundings", surround),
            patch.object(service_module, "open_drivers", drivers),
            patch.object(service_module, "Store", store),
            patch.object(service_module, "Kernel", partial(WitnessedEngine, ledger=self.ledger)),
            patch.object(loop_module, "Merger", lambda of: WitnessedMerger(of, self.ledger)),
        ):
            return open_service(self.settings, self.clock, self._stack, self._observe)

    def _observe(self, batch: Batch, committed: Committed) -> None:
        """The loop's own counts, against what the ledger saw of the same batch."""
        seen = self.ledger.batches[-1]
        duplicates = sum(getattr(given, "is_duplicate", False) for given in seen.given)
        counted = batch.records_count, batch.duplicates_count, len(batch.dead_letters)
        events = sum(batch.shapes.values())
        if (*counted, events) != (
            len(seen.taken),
            duplicates,
            len(seen.rejected),
            len(seen.taken) - len(seen.rejected),
        ):
            raise WrongError(f"a batch counted {counted} and {events}; seen was {seen}")

    def _examine(self, topic: str, key: str, value: bytes) -> None:
        """Nothing is told or done that the store does not hold."""
        assert self.store is not None
        if topic == FINDINGS:
            id_ = msgspec.json.decode(value, type=Finding).id
            if self.store.finding(id_) is None:
                raise WrongError(f"finding {id_} was published and is not stored")
        elif topic == DEAD_LETTERS:
            if not self.store._rows("SELECT 1 FROM dead_letters WHERE origin = ?", (key,)):
                raise WrongError(f"the dead letter of {key} was published and is not stored")
        elif topic == CONTROL and voucher_of(key) is not None:
            self._examine_heartbeat(msgspec.json.decode(value, type=ControlRecord))
        elif topic == CONTROL:
            record = msgspec.json.decode(value, type=ControlRecord)
            query = "SELECT 1 FROM actions WHERE target = ? AND instr(json, ?)"
            if not self.store._rows(query, (key, record.incident)):
                raise WrongError(f"`{key}` was stopped by an action that is not stored")

    def _examine_heartbeat(self, record: ControlRecord) -> None:
        """A sign of life vouches for nothing that was not judged, as far as clocks agree."""
        assert self.source is not None
        if not self.vouches:
            return
        for stream in self.source.held():
            if record.partitions is not None and int(stream.partition) not in record.partitions:
                continue
            judged_ns = min(record.issued_at, record.behind.get(str(stream), record.issued_at))
            # An end may have been asked for so long ago, before a stream that stalls.
            judged_true_ns = judged_ns - self.clock.offset_ns - ENDS_EVERY_NS - SECOND_NS
            for entry in self.outside.logs[stream].entries[self.ledger.durable.get(stream, 0) :]:
                if entry.arrival_ns < judged_true_ns and entry.offset not in self._skipped(stream):
                    raise WrongError(f"{stream}@{entry.offset} was vouched for and not judged")

    def _skipped(self, stream: Stream) -> set[int]:
        return self.outside.skipped[stream]

    def _examine_offsets(self, positions: dict[Stream, int]) -> None:
        assert self.store is not None
        stored = self.store.load_positions()
        for stream, position in positions.items():
            known = stored[stream].next_offset if stream in stored else 0
            if position > known:
                raise WrongError(f"{stream}: told the group {position}, and {known} is stored")

    def _die(self) -> None:
        """The process is gone: no last round, no rollback but the one that SQLite makes."""
        if self.store is not None:
            self.store.faulty.is_dead = True
        with suppress(Crash, InterlockError, OSError):
            self._stack.close()
        self._let_go()
        if self._snapshot_batches is not None and self.faults.strikes("power cut"):
            path = Path(self.settings.state_dir) / STORE_FILE
            for end in ("", "-wal", "-shm"):
                Path(f"{path}{end}").unlink(missing_ok=True)
            shutil.copyfile(self.folder / "snapshot", path)
            self.ledger.roll_back(self._snapshot_batches)

    def _end(self) -> None:
        """The process ends with an error, politely."""
        self.stop()

    def _let_go(self) -> None:
        if self.store is not None:
            self.store.faulty.close()
        self.service, self.store, self.source = None, None, None
        self.ledger.forget_at_hand()
