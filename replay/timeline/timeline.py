"""A recording played through once, with access to every event of it.

Input: the lines of a recording and a program. The first pass plays all of it, records the place of
every input and finding, and takes regular snapshots of all scopes: a `pyrsistent` map, whose
versions share structure, of places in a temporary file (`spill.py`). Any session can then be
resumed from the previous snapshot, and each of its events visited, forwards and backwards.

Bounds: for an input three numbers stay in memory (about 20 bytes), for a session its name and two
arrays. Inputs, findings and states are on disk. There are at most `SNAPSHOTS_MAX` snapshots,
farther apart in longer recordings; a track holds `TRACK_STEPS_MAX` events.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from pyrsistent import PVector, pmap, pvector

from detectors.contract import Detector
from invariants.model.event import Event
from invariants.runtime.program import Program
from monitor.detection.scoring import Scoring
from monitor.kernel.births import NO_BIRTHS
from monitor.kernel.file_end import Disorder, FileTime, OpenVerdicts, gathered
from monitor.kernel.scope import LoadedScope
from monitor.principals.model import Principals
from monitor.scope_key import stored_trace
from monitor.trace_key import TraceKey, is_authority
from replay.recording.format import (
    CloseLine,
    ControlLine,
    EndLine,
    FindingLine,
    Line,
    NoticeLine,
    RecordLine,
    TickLine,
    content_of,
    decode_line,
    encode_line,
)
from replay.recording.reader import Damage, RecordedFile
from replay.timeline.births import births_in
from replay.timeline.player import InputLine, Played, Player, principals_in
from replay.timeline.session_inputs import SessionInputs, extend
from replay.timeline.session_track import SessionTrack
from replay.timeline.spill import Scopes, Shelf, SpillPlace, keep, loader
from replay.timeline.told_findings import Told, ToldFindings

SNAPSHOT_EVERY: Final = 256
"""Inputs from one snapshot to the next, doubled whenever there are too many."""
SNAPSHOTS_MAX: Final = 512
NOTICES_MAX: Final = 10_000


class LiveDetector(NamedTuple):
    """A detector that scores sessions as live: by itself, and as the engine has it."""

    detector: Detector[Any]
    scoring: Scoring


class OtherLine(NamedTuple):
    """A line that is not an input, and the number of inputs before it."""

    inputs_before: int
    place: SpillPlace


class Snapshot(NamedTuple):
    """All scopes after a number of inputs."""

    inputs_count: int
    scopes: Scopes


class Timeline:
    """See the module. Close it, to let go of its files.

    `session` restricts it to one session: its id, whichever principal used it, or `NAME/ID`
    (`/ID` without a principal).
    """

    def __init__(
        self,
        file: RecordedFile,
        program: Program,
        session: str = "",
        detector: LiveDetector | None = None,
        principals: Principals | None = None,
    ) -> None:
        self.header = file.header
        self.principals = principals or principals_in(file.header)
        self.births = NO_BIRTHS if file.is_plain else births_in(file.path)
        self.is_plain, self.is_sorted = file.is_plain, file.is_sorted
        self.program = program
        self.session = session
        self.detector = detector.detector if detector is not None else None
        self.model_digest = detector.detector.digest if detector is not None else ""
        self._scoring = detector.scoring if detector is not None else None
        self.notices: list[NoticeLine] = []
        self.rejected_count = 0
        self.repeats_count = 0
        self._shelf = Shelf()
        self._lines = Shelf()
        self._offsets: array[int] = array("Q")
        self._sizes: array[int] = array("L")
        self._records: array[int] = array("Q")
        self._ticks: array[int] = array("Q")
        self.last_tick_ns = 0
        self.sessions: dict[TraceKey, SessionInputs] = {}
        self._of_id: dict[str, list[TraceKey]] = {}
        self._owned: dict[int, TraceKey] = {}
        """The traces of records that others than their sender's agent are about."""
        self._told = ToldFindings(self._shelf)
        self._live: list[OtherLine] = []
        self._control: list[OtherLine] = []
        self._scopes: Scopes = pmap()
        self._snapshots: PVector[Snapshot] = pvector()
        self._ids_max = file.header.settings.ids_max
        self._every = SNAPSHOT_EVERY
        self._snapshot_due = SNAPSHOT_EVERY
        self._track: SessionTrack | None = None
        self._file_time, self._now_ns = FileTime(), file.now_ns
        self.disorder = Disorder()
        self.disorder_line: int | None = None
        """For a plain file: the lines at which times run back, and the first of them."""
        self.open = OpenVerdicts()
        """Of a plain file: the verdicts that it ends too early for."""
        self.first_lines: list[bytes] = []
        """For a plain file without events: its beginning."""
        self._play_all(file)
        self.damage: Damage | None = file.damage
        self.end: EndLine | None = file.end

    def close(self) -> None:
        """Let go of the temporary files. Safe to call twice."""
        self._shelf.close()
        self._lines.close()

    # What there is.

    @property
    def records_count(self) -> int:
        """Records of the recording, events or not."""
        return len(self._records)

    @property
    def inputs_count(self) -> int:
        """The engine's input: records, ticks, closes."""
        return len(self._offsets)

    def findings(self, trace: TraceKey | None = None) -> Iterator[Told]:
        """All findings, in the order in which they were reported; or those of one session."""
        return self._told.of(trace)

    @property
    def findings_count(self) -> int:
        """How many findings there are."""
        return self._told.count

    def live_findings(self) -> Iterator[bytes]:
        """The live monitor's published findings, as recorded, in their order."""
        for beside in self._live:
            line = decode_line(self._lines.read(beside.place))
            assert isinstance(line, FindingLine), "nothing else was noted there"
            yield content_of(line) or b""

    def control_records(self) -> Iterator[tuple[int, str, bytes | None]]:
        """The control records: inputs before it, key, value (None for a tombstone)."""
        for beside in self._control:
            line = decode_line(self._lines.read(beside.place))
            assert isinstance(line, ControlLine), "nothing else was noted there"
            yield beside.inputs_before, line.key, content_of(line)

    def input_line(self, number: int) -> InputLine:
        """Input number `number`, from 0."""
        line = decode_line(self._lines.read(SpillPlace(self._offsets[number], self._sizes[number])))
        assert isinstance(line, RecordLine | TickLine | CloseLine), "only inputs are noted there"
        return line

    def input_of_record(self, number: int) -> int:
        """The input of record number `number`; IndexError if there is none."""
        return self._records[number]

    def record_of_input(self, number: int) -> int:
        """The number of records before an input."""
        return bisect_left(self._records, number)

    def tick_before(self, number: int) -> int | None:
        """How far the last tick before an input had taken time; None without one."""
        index = bisect_left(self._ticks, number) - 1
        if index < 0:
            return None
        line = self.input_line(self._ticks[index])
        assert isinstance(line, TickLine), "only ticks are noted there"
        return line.time_ns

    def is_wanted(self, trace: TraceKey) -> bool:
        """True if the timeline covers this session."""
        return not self.session or self.session in (trace.session, "/".join(trace))

    @property
    def wanted(self) -> list[TraceKey]:
        """The sessions that the timeline covers and of which it has events."""
        return [trace for trace in self.sessions if self.is_wanted(trace)]

    def trace_of(self, input_number: int, event: Event) -> TraceKey:
        """The session to which an input belongs; the first if it may concern several."""
        return self._owned.get(input_number) or TraceKey(event.principal, event.session)

    def last_ns(self, trace: TraceKey) -> int:
        """The time that the recording reaches for a session: deadlines before it are decided."""
        index = self.sessions[trace]
        return max(index.last_ns, self.last_tick_ns)

    # Moving about.

    def track(self, trace: TraceKey, until_input: int) -> SessionTrack:
        """A session's steps up to an input (included); the last track is kept and gone on with."""
        held = self._track
        if held is None or not held.reaches(trace, until_input):
            own = self.sessions[trace].inputs
            if held is not None and held.is_near(trace, until_input, own):
                held.go_on(self._inputs_of(trace, held.next_input, until_input), until_input)
                return held
            held = self._track = self._new_track(trace, until_input)
        return held

    def _new_track(self, trace: TraceKey, until_input: int) -> SessionTrack:
        own = self.sessions[trace].inputs
        # From the beginning if that is near enough, else from a long way back.
        first_index = max(0, bisect_right(own, until_input) - SessionTrack.STEPS_MAX // 2)
        first = own[first_index] if first_index else 0
        snapshot = self._snapshot_before(first)
        scopes = snapshot.scopes
        track = SessionTrack(
            trace,
            snapshot.inputs_count,
            lambda load: self._player(load, trace.session),
            loader(self._shelf, lambda: scopes, self._ids_max),
        )
        stored = [stored_trace(other) for other in self._of_id[trace.session]]
        known = [(scopes[name].wake_ns, name) for name in stored if name in scopes]
        track.expect([(wake_ns, name) for wake_ns, name in known if wake_ns is not None])
        inputs = self._inputs_of(trace, snapshot.inputs_count, until_input)
        track.go_on(inputs, until_input)
        return track

    def _player(self, load: Callable[[str], LoadedScope], session: str) -> Player:
        return Player(
            self.header,
            self.program,
            load,
            session,
            self._scoring,
            births=self.births,
            principals=self.principals,
            read_ns=self._now_ns if self.is_plain else None,
        )

    def _snapshot_before(self, input_number: int) -> Snapshot:
        counts = [snapshot.inputs_count for snapshot in self._snapshots]
        index = bisect_right(counts, input_number) - 1
        return self._snapshots[index] if index >= 0 else Snapshot(0, pmap())

    def _inputs_of(
        self, trace: TraceKey, first: int, until_input: int
    ) -> Iterator[tuple[int, InputLine]]:
        """Inputs of a session's id and all ticks, from one input to another (both included)."""
        numbers: set[int] = set()
        of_id = [self.sessions[other].inputs for other in self._of_id[trace.session]]
        for inputs in (*of_id, self._ticks):
            numbers.update(inputs[bisect_left(inputs, first) : bisect_right(inputs, until_input)])
        for number in sorted(numbers):
            yield number, self.input_line(number)

    # The first pass.

    def _play_all(self, file: RecordedFile) -> None:
        load = loader(self._shelf, lambda: self._scopes, self._ids_max)
        player = self._player(load, self.session)
        self.disorder = player.kernel.disorder
        for line in file.lines():
            if isinstance(line, RecordLine | TickLine | CloseLine):
                was_in_order = self.disorder.first is None
                self._play(player, line)
                if was_in_order and self.disorder.first is not None:
                    assert isinstance(line, RecordLine), "only events are out of order"
                    self.disorder_line = file.line_of(line)
            else:
                self._note_beside(line)
        if file.is_plain:
            self._play(player, TickLine(time_ns=self._file_time.reached_ns))
            self.open = gathered(player.kernel.open_verdicts())
            self.first_lines = [] if self.sessions else file.first_lines()
        self._keep(player)

    def _play(self, player: Player, line: InputLine) -> None:
        number = len(self._offsets)
        place = self._lines.lay(encode_line(line))
        self._offsets.append(place.offset)
        self._sizes.append(place.size)
        played = player.play(line)
        self._note_input(player, number, line, played)
        self._told.add(number, played.findings, self.is_wanted)
        is_due = number + 1 >= self._snapshot_due
        # As in the live monitor: a tick's evictions come before the next record.
        if isinstance(line, TickLine) or is_due:
            self._keep(player)
        if is_due:
            self._take_snapshot(number + 1)

    def _note_input(self, player: Player, number: int, line: InputLine, played: Played) -> None:
        match line:
            case TickLine(time_ns=time_ns):
                self._ticks.append(number)
                self.last_tick_ns = max(time_ns, self.last_tick_ns)
                return
            case CloseLine(scope=scope, principal=principal):
                if (index := self.sessions.get(TraceKey(principal, scope))) is not None:
                    index.inputs.append(number)
                return
        self._records.append(number)
        self.rejected_count += played.fate == "rejected"
        self.repeats_count += played.fate == "repeat"
        event = played.event
        if event is not None:
            self._file_time.see(event.ts_ns, self._now_ns)
        if event is None or played.fate == "other":
            return
        if played.traces and is_authority(event.origin.topic):
            told = next(filter(self.is_wanted, played.traces), played.traces[0])
            self._owned[number] = told
        for trace in played.traces:
            self._note_event(player, number, event, trace, is_taken=played.fate == "taken")

    def _note_event(
        self, player: Player, number: int, event: Event, trace: TraceKey, *, is_taken: bool
    ) -> None:
        index = self.sessions.get(trace)
        if index is None:
            index = self.sessions[trace] = SessionInputs()
            self._of_id.setdefault(trace.session, []).append(trace)
            index.seq_first, index.kind_first = event.seq, event.kind
        index.inputs.append(number)
        if is_taken:
            held = player.kernel.inspect(trace)
            assert held is not None, "the engine has just stepped it"
            extend(index.trace, held[0].position - 1, number)
            index.last_ns = max(index.last_ns, held[0].time_ns)
            index.positions_max = max(index.positions_max, held[0].position)

    def _note_beside(self, line: Line) -> None:
        if isinstance(line, NoticeLine):
            if len(self.notices) < NOTICES_MAX:
                self.notices.append(line)
            return
        beside = OtherLine(len(self._offsets), self._lines.lay(encode_line(line)))
        if isinstance(line, FindingLine):
            self._live.append(beside)
        elif isinstance(line, ControlLine):
            self._control.append(beside)

    def _keep(self, player: Player) -> None:
        changes, dropped = player.kernel.take_changes()
        self._scopes = keep(self._shelf, self._scopes, changes, dropped, self._ids_max)

    def _take_snapshot(self, inputs_count: int) -> None:
        self._snapshots = self._snapshots.append(Snapshot(inputs_count, self._scopes))
        if len(self._snapshots) >= SNAPSHOTS_MAX:
            self._snapshots = pvector(list(self._snapshots)[1::2])
            self._every *= 2
        self._snapshot_due = inputs_count + self._every
