"""A scope wider than a session: its header, its events' names, and what is stored of it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from operator import is_
from typing import Final, NamedTuple

import msgspec

from invariants.codec.progress import decode_progress, encode_progress
from invariants.codec.state import DAMAGE, StateError, named_positions
from invariants.model.event import Event
from invariants.runtime.scope_program import Judged, Progress, ScopeProgram
from invariants.runtime.unsure_time import TimeDoubt
from invariants.spec.model import Per
from invariants.taint.memory import Shown
from monitor.ingest.sequence import Noticed
from monitor.kernel.births import Births, bear
from monitor.kernel.event_names import Named, Names
from monitor.kernel.file_end import counts_runs
from monitor.kernel.scope import LoadedScope, Scope, ScopeChange, read_header
from monitor.kernel.settings import KernelSettings
from monitor.scope_key import WiderKey, stored_name

AT_END_NS: Final = 2**63 - 1
"""Later than every time of an event: due only when the file ends."""
NAMES: Final = "names"
"""Under which a store keeps the names of the events that the states of a scope name."""


class WiderHeader(msgspec.Struct, frozen=True, array_like=True):
    """The record of a wider scope besides states: the number of its events, and its last time."""

    position: int = 0
    time_ns: int = 0
    epoch: int = 0
    is_time_unsure: bool = False
    is_disordered: bool = False
    """Both as of a session (`monitor/ingest/sequence.py`)."""
    is_gated: bool = False
    """True if a gate guards a session of it."""


class WiderScope(Scope[WiderHeader], kw_only=True):
    """A wider scope in memory. `names` has every event that a state may name, by its position."""

    names: dict[int, Named]
    named_by: dict[str, frozenset[int]]
    """For each stored state, by its name, the positions that it names."""
    owed_since: int = 0
    """While notices are pending: the stored epoch, so that a start reports them again."""


class WiderJudged(NamedTuple):
    """The result of an event, or of time alone, in one wider scope; nothing of it is kept yet.

    Without a scope, the event names none, and the verdicts concern only the event. `named` is the
    event, None for time alone.
    """

    key: WiderKey
    scope: WiderScope | None
    header: WiderHeader
    judged: Judged
    before: tuple[WiderHeader, Progress] | None = None
    """The header and the progress that an event was judged by."""
    named: Named | None = None
    noticed: tuple[Noticed, ...] = ()
    event: Event | None = None
    """As the scope took it in, with its time there."""
    doubt: TimeDoubt | None = None
    asked: Shown | None = None

    def names(self) -> Names:
        """The names of all events that the verdicts may name."""
        if self.named is None:
            assert self.scope is not None, "time passes in scopes alone"
            return self.scope.names
        here = {max(self.header.position - 1, 0): self.named}
        return here if self.scope is None else ChainMap(here, self.scope.names)


class WiderKind:
    """How wider scopes are stored and woken."""

    def __init__(self, programs: Mapping[Per, ScopeProgram], settings: KernelSettings) -> None:
        self._programs = programs
        self._settings = settings
        self._memory_ns: Final = {per: program.memory_ns() for per, program in programs.items()}
        self.with_runs = frozenset(
            per
            for per, program in programs.items()
            if settings.is_finished_file and counts_runs(program)
        )
        """Sorts of scopes whose runs of violations are reported at the end of the file."""

    def stored_name(self, key: WiderKey) -> str:
        """The name of the scope in a store."""
        return stored_name(key)

    def restored(self, key: WiderKey, loaded: LoadedScope) -> WiderScope:
        """A scope as a store gave it, or a new one. Raises StateError if it is damaged."""
        program = self._programs[key.per]
        if loaded.header is None:
            initial = program.initial
            return WiderScope(
                header=WiderHeader(), progress=initial, stored=initial, names={}, named_by={}
            )
        header = read_header(loaded.header, WiderHeader)
        progress = decode_progress(program, header.position, loaded.states)
        return WiderScope(
            header=header,
            progress=progress,
            stored=progress,
            names=_taken_names(loaded.states.get(NAMES)),
            named_by={
                name: named_positions(data) for name, data in loaded.states.items() if name != NAMES
            },
        )

    def renew(self, key: WiderKey, scope: WiderScope, births: Births) -> None:
        """Let invariants be born that have not seen its past."""
        header, program = scope.header, self._programs[key.per]
        if not scope.owed:
            scope.owed_since = header.epoch
        due = births.due(*key, header.position - 1, header.epoch)
        epoch = header.epoch if births.recorded else births.epoch
        if due:
            past_ns = births.past_ns(due, header.time_ns)
            scope.progress, scope.owed = bear(program, scope.progress, past_ns, key.value, due)
            epoch = max(due.values())
        loss = births.loss_since(header.epoch) if header.position else None
        if loss is not None:
            noticed = loss.noticed([compiled.declared.id for compiled in program.invariants])
            told = noticed._replace(key=f"{noticed.key}/{key.per}/{key.value}")
            scope.owed = (*scope.owed, told)
        if epoch != header.epoch:
            scope.header = msgspec.structs.replace(header, epoch=epoch)

    def rest_ns(self, key: WiderKey, scope: WiderScope) -> int | None:
        """After when the scope is as if it had never been, unless an event comes."""
        memory_ns = self._memory_ns[key.per]
        if memory_ns is None or scope.progress.is_waiting():
            return None
        return scope.header.time_ns + memory_ns

    def wake_ns(self, key: WiderKey, scope: WiderScope) -> int | None:
        """When a deadline passes, or nothing is remembered any more."""
        rest_ns, deadline_ns = self.rest_ns(key, scope), scope.progress.next_deadline_ns
        if deadline_ns is not None:
            return deadline_ns + self._settings.held_back_ns(scope.header)
        if rest_ns is not None:
            return rest_ns + self._settings.gate_lateness_ns
        # At the end of a file its runs are reported, also after a restart: it must be found then.
        return AT_END_NS if key.per in self.with_runs else None

    def change(self, key: WiderKey, scope: WiderScope, wake_ns: int | None) -> ScopeChange:
        """The changes to write; from now on they count as written.

        Events that no state names any more are forgotten.
        """
        program, now_ns = self._programs[key.per], scope.header.time_ns
        states = encode_progress(program, scope.progress, scope.stored, now_ns)
        scope.stored = scope.progress
        scope.named_by |= {name: named_positions(data) for name, data in states.items()}
        named = frozenset[int]().union(*scope.named_by.values())
        scope.names = {at: name for at, name in scope.names.items() if at in named}
        states[NAMES] = _put_names(scope.names)
        epoch = scope.owed_since if scope.owed else scope.header.epoch
        header = msgspec.msgpack.encode(msgspec.structs.replace(scope.header, epoch=epoch))
        return ScopeChange(stored_name(key), header, wake_ns, states, ())


def _put_names(names: Mapping[int, Named]) -> bytes:
    return msgspec.msgpack.encode(sorted(names.items()))


def _taken_names(data: bytes | None) -> dict[int, Named]:
    if data is None:
        return {}
    try:
        return dict(msgspec.msgpack.decode(data, type=list[tuple[int, Named]]))
    except DAMAGE as error:
        raise StateError(f"stored names of events cannot be read: {error}") from error


def is_blank(progress: Progress, initial: Progress) -> bool:
    """True if no invariant remembers anything."""
    return all(map(is_, progress.states, initial.states))


def scope_of(per: Per, event: Event) -> str:
    """The scope that the event names, else the one that its session named first."""
    match per:
        case "agent":
            return event.agent
        case "user":
            return event.user
        case "tenant":
            return event.tenant
        case "session":
            return event.session
