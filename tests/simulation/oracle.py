"""What must hold of a run, judged by a plain engine without store, crash, merge or batch.

In a *strict* world the order of records is known from the logs alone, so nothing of what the
monitor did is believed. In a *loose* one (brokers whose clocks differ, clocks that jump far,
sessions closed for idleness) order and ticks are the monitor's to choose: there the engine is
given what the ledger saw committed, and the ledger holds it against the logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from interlock.control_record import ControlRecord, ControlView, voucher_of
from invariants.codec.state import decode_state, encode_state
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from invariants.runtime.stepper import Stepper
from monitor.actions.control import STATES
from monitor.findings.grouping import Groups
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.ingest.provenance import Provenance
from monitor.ingest.sequence import Header, Noticed
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.kernel.wider_scope import WiderHeader
from monitor.response.plan import Action, ResponsePolicy, plan
from monitor.topics import CONTROL, DEAD_LETTERS, FINDINGS
from monitor.trace_key import TraceKey
from monitor.transport.base import Stream
from tests.simulation.ledger import (
    Given,
    Ledger,
    Refused,
    Stepped,
    Ticked,
    Unread,
    WrongError,
)
from tests.simulation.outside import PRINCIPALS, Outside, Told
from tests.simulation.rooms import POISON, SimulatedStore

SEVERITY: Final = {"active": 0, "quarantined": 1, "killed": 2}
GAP: Final = re.compile(r"seq (\d+) to (\d+)")
LOST_OF: Final = re.compile(r": (\S+)/(\d+): truncated")
REFUSALS: Final = ("provenance", "unevaluable")
UNREPEATED: Final = ("unread", "lost")
"""What was told of records before is forgotten at a start (`laws.judge_unread` has them), and the
undisturbed run lost nothing (`judge_losses`)."""
FIELDS_OF_HEADERS: Final = tuple(
    tuple(field.name for field in msgspec.structs.fields(header))
    for header in (Header, WiderHeader)
)
UNPLACED: Final = (*REFUSALS, "unowned")
"""Told of records that take no place in the trace. Whether a deadline that is over by then is told
before or after one depends on when somebody looked."""


@dataclass(slots=True)
class Expected:
    """What an undisturbed run comes to."""

    findings: list[Finding] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)
    """Origins of the records that are no event."""
    seen: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    """Numbers that came, per (principal, session), but for events that were not judged."""
    headers: dict[str, bytes] = field(default_factory=dict)
    states: dict[str, dict[str, bytes]] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    """Scopes that were let go of: nothing of them is held."""
    events_count: int = 0
    traces: set[tuple[str, str]] = field(default_factory=set)
    """(principal, session) of everybody of whom an event came."""


def by_scope(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Each finding where it came first, in order, per session and scope.

    Only there is the order said: which of two scopes' deadlines is told first depends on when
    somebody looked, and findings of two sessions stand in two partitions.
    """
    scopes: dict[str, dict[str, Finding]] = {}
    for finding in findings:
        if finding.type in UNREPEATED:
            continue
        if finding.type in REFUSALS:  # The loop words them, and the words are not ours to test.
            finding = msgspec.structs.replace(finding, detail="")
        name = f"{finding.trace} in {finding.scope_kind} {finding.scope}"
        of = scopes.setdefault(name, {})
        if finding.is_growing or finding.id not in of:
            # A group or run that grows stands where it came first, as it was told last.
            of[finding.id] = finding
    return {name: list(found.values()) for name, found in scopes.items()}


def expect_from_logs(
    outside: Outside,
    program: Program,
    settings: KernelSettings,
    end_ns: int,
    without: frozenset[str] = frozenset(),
) -> Expected:
    """A plain run over everything in the logs but for topics `without`, in order of arrival."""
    expected, engine = Expected(), Kernel(program, settings)
    provenance = Provenance()
    # Scopes wider than a session need one order of all partitions.
    parts = [(p,) for p in outside.partitions]
    for together in [outside.partitions] if program.wider else parts:
        for origin, value, arrival_ns in _arrivals(outside, together):
            if origin.topic in without:
                continue
            principal = PRINCIPALS.get(origin.topic, "")
            event = decode_event(value, origin, arrival_ns=arrival_ns, principal=principal)
            if not isinstance(event, Event):
                expected.rejected.add(str(origin))
                expected.findings += engine.unread(event)
                continue
            expected.findings += engine.reach(event)
            if not provenance.may_assert(origin.topic, event.kind):
                refusal = Noticed("provenance", "")
                expected.findings += engine.refuse(event, refusal)
            elif event.record.tool == POISON:
                refusal = Noticed("unevaluable", "")
                expected.findings += engine.refuse(event, refusal)
            else:
                _step(expected, engine, event, origin.partition)
    expected.findings += engine.tick(end_ns)
    return _with_states(expected, engine)


def expect_from_ledger(
    ledger: Ledger,
    program: Program,
    settings: KernelSettings,
    without: frozenset[str] = frozenset(),
) -> Expected:
    """A plain run over what one monitor took in, ticks and order as it chose them."""
    expected, engine = Expected(), Kernel(program, settings)
    for batch in ledger.batches:
        expected.rejected |= {str(rejected.origin) for rejected in batch.rejected}
        for given in batch.given:
            if topic_of(given) in without:
                continue
            match given:
                case Stepped(event, group):
                    _step(expected, engine, event, group)
                case Refused(event, noticed):
                    expected.findings += engine.refuse(event, noticed)
                case Unread(rejected):
                    expected.findings += engine.unread(rejected)
                case Ticked(time_ns, groups):
                    expected.findings += engine.tick(time_ns, groups)
    return _with_states(expected, engine)


def _step(expected: Expected, engine: Kernel, event: Event, group: str) -> None:
    expected.findings += engine.step(event, group)
    expected.events_count += 1
    sender = PRINCIPALS.get(event.origin.topic)
    if sender is not None:
        expected.traces.add((sender, event.session))
        if event.seq is not None:
            expected.seen.setdefault((sender, event.session), set()).add(event.seq)


def topic_of(given: Given) -> str:
    """The topic of a record; `""` if it is none."""
    match given:
        case Stepped(event) | Refused(event):
            return event.origin.topic
        case Unread(rejected):
            return rejected.origin.topic
        case Ticked():
            return ""


def _arrivals(outside: Outside, partitions: tuple[str, ...]) -> Iterator[tuple[Origin, bytes, int]]:
    """Records of partitions in order of arrival, but for those that retention took unread."""
    found = [
        (entry.arrival_ns, stream, entry)
        for stream, log in outside.logs.items()
        if stream.partition in partitions
        for entry in log.entries
        if entry.offset not in outside.skipped[stream]
    ]
    for arrival_ns, stream, entry in sorted(found, key=lambda one: one[0]):
        yield Origin(stream.topic, stream.partition, entry.offset), entry.value, arrival_ns


def _with_states(expected: Expected, engine: Kernel) -> Expected:
    changes, dropped = engine.take_changes()
    # Some began anew after they were let go of.
    expected.dropped = sorted(set(dropped) - {change.scope for change in changes})
    for change in changes:
        expected.headers[change.scope] = change.header
        expected.states[change.scope] = dict(change.states)
    return expected


def judge_findings(outside: Outside, expected: Expected) -> None:
    """(1) Each finding at least once, none other, in order in each session, repeats the same."""
    told = [msgspec.json.decode(one.value, type=Finding) for one in outside.told[FINDINGS]]
    found, wanted = by_scope(told), by_scope(Groups().take(expected.findings))
    ids = {f.id for of in found.values() for f in of}
    wanted_ids = {f.id for of in wanted.values() for f in of}
    if wanted_ids - ids:
        raise WrongError(f"missing: {_show(wanted, wanted_ids - ids)}")
    if ids - wanted_ids:
        raise WrongError(f"other: {_show(found, ids - wanted_ids)}")
    for name, of in wanted.items():
        if _ordered(found[name]) != _ordered(of):
            raise WrongError(f"another order in `{name}`")
        wanted_by_id = {f.id: f for f in of}
        for one in found[name]:
            if one != wanted_by_id[one.id]:
                raise WrongError(f"another content: {one}\nexpected: {wanted_by_id[one.id]}")
    first: dict[str, bytes] = {}
    for finding, record in zip(told, outside.told[FINDINGS], strict=True):
        is_same = first.setdefault(finding.id, record.value) == record.value
        if finding.is_growing:
            continue  # It grows; above it is compared as it was told last.
        if not is_same and finding.type not in UNREPEATED:
            raise WrongError(f"told twice in two ways: {record.value!r}, {first[finding.id]!r}")


def _ordered(findings: Iterable[Finding]) -> list[str]:
    return [f.id for f in findings if f.type not in UNPLACED]


def _show(scopes: dict[str, list[Finding]], ids: set[str]) -> str:
    shown = [f for of in scopes.values() for f in of if f.id in ids]
    return "; ".join(f"{f.type} {f.invariant} at {f.anchor.id} of {f.session}" for f in shown[:5])


def judge_gaps(outside: Outside, expected: Expected) -> None:
    """(7) Every number that never came, below one that came, stands in a finding."""
    told: dict[TraceKey, set[int]] = {}
    unread: dict[str, set[int]] = {}
    for record in outside.unreadable.values():
        if record.session and record.seq is not None:
            unread.setdefault(record.session, set()).add(record.seq)
    for one in outside.told[FINDINGS]:
        finding = msgspec.json.decode(one.value, type=Finding)
        match = GAP.search(finding.detail) if finding.type == "gap" else None
        if match is not None:
            first, last = int(match[1]), int(match[2])
            told.setdefault(finding.trace, set()).update(range(first, last + 1))
    for trace, seen in expected.seen.items():
        lost = set(range(max(seen))) - seen - told.get(TraceKey(*trace), set())
        lost -= unread.get(trace[1], set())
        if lost:
            raise WrongError(f"{trace}: {sorted(lost)} never came, and nobody says so")


def judge_stops(
    outside: Outside,
    expected: Expected,
    policy: ResponsePolicy,
    held: frozenset[str],
    superseded: frozenset[str],
) -> int:
    """(2) Each stop is on the control topic or stood already; nobody else is stopped.

    `held` and `superseded` are actions that the store says were not written, and why; for the
    second there must be a record that makes it so.
    """
    planned = {a.id: a for f in expected.findings for a in plan(f, policy) if a.is_enforcing}
    wanted = [a for a in planned.values() if a.state == "planned"]
    written = [
        (told, msgspec.json.decode(told.value, type=ControlRecord))
        for told in outside.told[CONTROL]
        if voucher_of(told.key) is None
    ]
    known = {(a.target, a.incident, STATES[a.kind]) for a in wanted}
    # A kill beyond its bound becomes a quarantine.
    known |= {(a.target, a.incident, "quarantined") for a in wanted if a.id in held}
    for told, record in written:
        if told.node != "operator" and (told.key, record.incident, record.state) not in known:
            raise WrongError(f"`{told.key}` was stopped ({record.state}) and nothing asked for it")
    for action in wanted:
        if action.id not in held and not _is_stopped(action, written, superseded):
            raise WrongError(f"{action.kind} of `{action.target}` was never delivered")
    _judge_repeats([told.key for told, _ in written], [record for _, record in written])
    _judge_standing(outside, [a for a in wanted if a.id not in held])
    return len(wanted)


def _is_stopped(
    action: Action, written: list[tuple[Told, ControlRecord]], superseded: frozenset[str]
) -> bool:
    records = [record for told, record in written if told.key == action.target]
    if any(record.incident == action.incident for record in records):
        return True
    least = SEVERITY[STATES[action.kind]]
    return action.id in superseded and any(SEVERITY[r.state] >= least for r in records)


def _judge_repeats(keys: list[str], records: list[ControlRecord]) -> None:
    """A stop that came twice leaves everybody as one that came once, where nobody released."""
    released = {key for key, record in zip(keys, records, strict=True) if record.state == "active"}
    whole, once = ControlView(), ControlView()
    met: set[tuple[str, str, str]] = set()
    for key, record in zip(keys, records, strict=True):
        value = msgspec.json.encode(record)
        whole.apply(key, value)
        if (key, record.incident, record.state) not in met:
            met.add((key, record.incident, record.state))
            once.apply(key, value)
    for key, record in whole.records().items():
        if key not in released and once.records()[key].state != record.state:
            raise WrongError(f"`{key}` is {record.state} by a repeat alone")


def _judge_standing(outside: Outside, wanted: list[Action]) -> None:
    """Whoever had to be stopped is, unless an operator had the last word about it."""
    view = ControlView()
    by_operator = set()
    for told in outside.told[CONTROL]:
        view.apply(told.key, told.value)
        if told.node == "operator":
            by_operator.add(told.key)
    for action in wanted:
        standing = view.records().get(action.target)
        is_met = standing and SEVERITY[standing.state] >= SEVERITY[STATES[action.kind]]
        if action.target not in by_operator and not is_met:
            raise WrongError(f"`{action.target}` is {standing} and had to be {action.kind}ed")


def judge_verdicts(ledgers: Iterable[Ledger], expected: Expected) -> None:
    """(1) The engine found each verdict. A group lists an invariant once, and hides the rest."""
    wanted = {f.id: f for f in expected.findings if f.invariant}
    found = {id_ for ledger in ledgers for batch in ledger.batches for id_ in batch.verdicts}
    if missing := wanted.keys() - found:
        raise WrongError(f"verdicts not reached: {[wanted[id_] for id_ in missing]}")
    if others := found - wanted.keys():
        raise WrongError(f"verdicts that an undisturbed run does not have: {others}")


def judge_alerts(
    outside: Outside,
    expected: Expected,
    policy: ResponsePolicy,
    given_up: frozenset[str],
    stored: frozenset[str],
) -> int:
    """Each alert was taken by the webhook's receiver at least once, unless it was given up.

    Of what is told in other words when it is read again, those that are `stored` count: a power
    cut may set the store back behind one that was told, and another is told and posted.
    """
    told = (msgspec.json.decode(one.value, type=Finding) for one in outside.told[FINDINGS])
    # Of a group the alert of its last, highest severity; which lower ones came depends on batches.
    groups = [f for f in Groups().take(expected.findings) if f.undecided]
    findings = [f for f in (*expected.findings, *groups) if f.type not in UNREPEATED]
    findings += [f for f in told if f.type in UNREPEATED and f.id in stored]
    wanted = {a.id for f in findings for a in plan(f, policy) if a.target == "webhook"}
    if missing := wanted - outside.posts.keys() - given_up:
        raise WrongError(f"never posted: {sorted(missing)}")
    return len(wanted)


def judge_losses(outside: Outside) -> int:
    """Nobody is told of records that may be missing unless retention took some of that stream."""
    told = [msgspec.json.decode(one.value, type=Finding) for one in outside.told[FINDINGS]]
    found = [finding for finding in told if finding.type == "lost"]
    for finding in found:
        match = LOST_OF.search(finding.detail)
        if match is None or not outside.skipped[Stream(match[1], match[2])]:
            raise WrongError(f"`{finding.session}` lost nothing: {finding.detail}")
    return len(found)


def judge_dead_letters(outside: Outside, expected: Expected) -> None:
    """(4) Every record that is no event is a dead letter, and nothing else is."""
    told = {one.key for one in outside.told[DEAD_LETTERS]}
    # Told before a crash, and gone by retention when it was to be read again.
    gone = {f"{stream}@{offset}" for stream, of in outside.skipped.items() for offset in of}
    if expected.rejected - told or told - expected.rejected - gone:
        raise WrongError(f"dead letters: {told ^ expected.rejected}")


def judge_states(
    store: SimulatedStore, program: Program, expected: Expected, scopes: Iterable[str]
) -> None:
    """(5) The store holds what an undisturbed run would hold, and nothing of what is over."""
    for scope in expected.dropped:
        if store.load_scope(scope).header is not None:
            raise WrongError(f"`{scope}` is over, and the store still holds it")
    for scope in scopes:
        stored = store.load_scope(scope)
        one_header, other_header = (
            _without_losses(header) for header in (stored.header, expected.headers[scope])
        )
        if one_header != other_header:
            raise WrongError(f"header of `{scope}`: {one_header}, expected {other_header}")
        for compiled in program.invariants:
            one, other = (
                _as_of_now(compiled.automaton, states.get(compiled.digest), one_header)
                for states in (stored.states, expected.states[scope])
            )
            if one != other:
                what = f"state of {compiled.digest} in `{scope}`"
                raise WrongError(f"{what}: {one!r}, expected {other!r}")


def _without_losses(header: bytes | None) -> dict[object, Any]:
    """A header's fields as they would be if no stream had lost anything."""
    if header is None:
        return {}
    values = msgspec.msgpack.decode(header)
    names = next((of for of in FIELDS_OF_HEADERS if len(of) == len(values)), range(len(values)))
    return {
        name: value
        for name, value in zip(names, values, strict=True)
        if name not in ("epoch", "loss_epoch")
    }


def _as_of_now(automaton: Stepper, written: bytes | None, header: Mapping[object, Any]) -> bytes:
    """A state's bytes as of its scope's last event: it was written with an earlier one."""
    state = automaton.initial() if written is None else decode_state(automaton, written)
    return encode_state(automaton, state, header.get("time_ns", 0))
