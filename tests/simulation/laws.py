"""What hostile neighbours must not be able to do, each law from the logs or from the ledger.

Findings, stops and states of an undisturbed run are the matter of `oracle.py`. A plain engine has
the faults of the monitor's own, if they are in the engine; these laws do not share them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

import msgspec

from interlock.control_record import ControlRecord
from invariants.model.event import Origin
from invariants.runtime.program import Program
from monitor.config.table import Settings
from monitor.findings.grouping import members_of
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.ingest.rejected import Rejected
from monitor.response.plan import Action
from monitor.topics import CONTROL, FINDINGS
from monitor.trace_key import TraceKey
from monitor.transport.base import Stream
from tests.simulation.ledger import Batch, Ledger, WrongError
from tests.simulation.oracle import Expected
from tests.simulation.outside import PRINCIPALS, RIVAL, SECOND_NS, Outside, Unreadable
from tests.simulation.unreadable import WIPE

HOUR_NS: Final = 3_600 * SECOND_NS
NAMES_MAX: Final = 5
"""What the simulation sets `monitor.kernel.unread.SESSIONS_MAX` to, so that small floods reach
it.
"""
WHERE: Final = re.compile(r"the record at (\S+)@(\d+) could not be read: ")
BELIEVED: Final = frozenset({"field", "too_deep", "too_large", "numbers", "not_utf8"})
"""Reasons for which a record's kind and tool can be believed."""
STOPS: Final = {"quarantine": "quarantined", "kill": "killed"}
HARDER: Final = {"quarantined": ("quarantined", "killed"), "killed": ("killed",)}
OF_TWO: Final = frozenset({"contested", "unowned", "unread", "lost"})
"""Findings that tell of a neighbour, and of nothing that a session did."""


def told_findings(outside: Outside) -> list[Finding]:
    """Everything that was published as a finding, repeats and all."""
    return [msgspec.json.decode(one.value, type=Finding) for one in outside.told[FINDINGS]]


def judge_neighbours(
    told: Iterable[Finding], without: Iterable[Finding], ambiguous: frozenset[str]
) -> int:
    """What a principal does changes nothing in the findings of other principals' traces.

    `without` are findings of a run in which the hostile principal never was. `ambiguous` are IDs
    that it used too, about which an operator spoke without saying whom he meant.
    """
    found, wanted = _of_others(told, ambiguous), _of_others(without, ambiguous)
    for id_ in sorted(found.keys() ^ wanted.keys()):
        finding = found.get(id_) or wanted[id_]
        state = "is there" if id_ in found else "is missing"
        raise WrongError(
            f"{finding.type} {finding.invariant} at {finding.anchor.id} of {finding.trace} "
            f"{state} because of a neighbour"
        )
    for id_, finding in found.items():
        if finding != wanted[id_]:
            raise WrongError(f"a neighbour changed {finding}\nexpected: {wanted[id_]}")
    return len(found)


def _of_others(findings: Iterable[Finding], ambiguous: frozenset[str]) -> dict[str, Finding]:
    """Each as it was told first: a refused record that is repeated is told where it came first.

    A run of violations counts as it was told last.
    """
    told: dict[str, Finding] = {}
    for f in chain.from_iterable(map(_verdicts, findings)):
        is_of_another = f.principal != PRINCIPALS[RIVAL] and f.session not in ambiguous
        if is_of_another and f.scope_kind == "session" and f.type not in OF_TWO:
            bare = msgspec.structs.replace(f, detail="")
            told[f.id] = bare if bare.run is not None else told.get(f.id, bare)
    return told


def _verdicts(told: Finding) -> list[Finding]:
    """The verdicts of a group, without what it says of the most severe one alone."""
    if not told.group:
        return [told]
    bare = msgspec.structs.replace(
        told, binding={}, witness=[], absences=[], unknowns=[], mode="observe", respond=[]
    )
    return members_of(bare)


def judge_unread(
    outside: Outside,
    program: Program,
    told: Iterable[Finding],
    expected: Expected,
    starts_count: int,
) -> int:
    """Each record that is not an event is told where it may belong, with what it may concern, and
    in nobody else's trace; invented names make a bounded number of findings.

    Cost: a look at each such record.
    """
    every = frozenset(c.declared.id for c in program.invariants)
    covered: dict[tuple[str, str, str], set[str]] = {}
    invented: set[TraceKey] = set()
    for finding in told:
        if finding.type != "unread":
            continue
        topic, record, reason = _record_of(outside, finding)
        if finding.session not in ("", record.session) or finding.principal not in _senders(topic):
            raise WrongError(f"a record of {topic} is told of {finding.trace}")
        if finding.witness or finding.respond != ["alert"]:
            raise WrongError(f"a record that was not judged is made a verdict: {finding}")
        if finding.session and finding.trace not in expected.traces:
            invented.add(finding.trace)
        key = finding.principal, finding.session, reason
        covered.setdefault(key, set()).update(finding.could_concern)
    for text in expected.rejected:
        _judge_covered(outside, text, covered, every)
    # The bound is for each sender and hour, and counts anew after a start. Arrivals are in two
    # hours at most.
    for sender, count in Counter(trace.principal for trace in invented).items():
        if count > NAMES_MAX * 2 * starts_count:
            raise WrongError(f"{count} names that `{sender}` invented have findings of their own")
    return len(covered)


def _senders(topic: str) -> tuple[str, ...]:
    """Whose traces a record of this topic may concern: its sender's, or an operator's anybody's."""
    return (PRINCIPALS[topic],) if topic in PRINCIPALS else tuple(PRINCIPALS.values())


def _record_of(outside: Outside, finding: Finding) -> tuple[str, Unreadable, str]:
    """The topic of the record that a finding is about, what it is, and why it cannot be read."""
    match = WHERE.match(finding.detail)
    assert match is not None, finding.detail
    text = f"{match[1]}@{match[2]}"
    if text not in outside.unreadable:
        raise WrongError(f"{text} can be read, and is told as one that cannot: {finding.detail}")
    return match[1].rsplit("/", 1)[0], outside.unreadable[text], _reason(outside, text)


def _reason(outside: Outside, text: str) -> str:
    name, offset = text.rsplit("@", 1)
    topic, partition = name.rsplit("/", 1)
    log = outside.logs[Stream(topic, partition)]
    read = decode_event(log.entries[int(offset)].value, Origin(topic, partition, int(offset)))
    assert isinstance(read, Rejected), text
    return read.reason


def _judge_covered(
    outside: Outside,
    text: str,
    covered: Mapping[tuple[str, str, str], set[str]],
    every: frozenset[str],
) -> None:
    record, reason = outside.unreadable[text], _reason(outside, text)
    topic = text.rsplit("@", 1)[0].rsplit("/", 1)[0]
    needed = every if reason not in BELIEVED else frozenset[str]()
    if record.tool == WIPE and reason in BELIEVED:
        needed = frozenset({"no-wiping"})
    names = ("", record.session)
    places = [(sender, name, reason) for sender in _senders(topic) for name in names]
    found = [covered[place] for place in places if place in covered]
    if not found or not needed <= set[str]().union(*found):
        raise WrongError(f"{text} could not be read ({reason}), and nobody says what it concerns")


def judge_batches(ledger: Ledger, settings: Settings) -> int:
    """A batch ends early for a stop that is new, and for nothing else; how many did.

    So a stop waits for what is read before it, in batches that are full or the last, however
    often a session that is stopped goes on.
    """
    sought: set[tuple[str, str]] = set()
    early_count = 0
    for batch in ledger.batches:
        taken = len(batch.taken)
        stops = [a for a in batch.actions if a.is_enforcing and a.state == "planned"]
        new = [a for a in stops if (a.target, a.kind) not in sought]
        is_early = 0 < taken < settings.batch_records_max and not batch.is_all_taken
        early_count += is_early
        if is_early and not any(_may_be_new(ledger, batch, a, new, settings) for a in stops):
            raise WrongError(f"a batch ended after {taken} records, and stopped nobody: {stops}")
        for action in new:
            is_last = batch.decided.get(action.finding, taken) == taken
            if not is_last and not _stands(ledger, batch, action):
                raise WrongError(f"`{action.target}` is to be stopped, and {taken} records go on")
        sought |= {(a.target, a.kind) for a in stops}
    return early_count


def _may_be_new(
    ledger: Ledger, batch: Batch, action: Action, new: list[Action], settings: Settings
) -> bool:
    """A stop that was sought before is new again if it has expired, or a person released it."""
    control = ledger.outside.told[CONTROL][: batch.control_count]
    is_released = any(t.node == "operator" and t.key == action.target for t in control)
    return is_released or action in new or settings.respond_quarantine_ttl_ns is not None


def _stands(ledger: Ledger, batch: Batch, action: Action) -> bool:
    control = ledger.outside.told[CONTROL][: batch.control_count]
    states = [
        msgspec.json.decode(told.value, type=ControlRecord).state
        for told in control
        if told.key == action.target
    ]
    return any(state in HARDER[STOPS[action.kind]] for state in states)


def judge_breaker(ledger: Ledger, settings: Settings) -> int:
    """No bucket stops more than its bound in an hour; nobody waits for another bucket's stops.

    A bucket is the principal of a finding, or that of all principals as targets.
    """
    bounds = settings.respond_enforcing_per_hour_max, settings.respond_kills_per_hour_max
    last: dict[tuple[str, bool], dict[str, int]] = {}
    held_count = 0
    for batch in ledger.batches:
        for action in batch.actions:
            if not action.is_enforcing or action.state not in ("planned", "done"):
                continue
            for is_kill in (False, True)[: 1 + (action.kind == "kill")]:
                bucket = last.setdefault((_bucket(action), is_kill), {})
                # A margin of a minute: when it was planned is not known to the ns.
                since_ns = batch.node_ns - HOUR_NS + 60 * SECOND_NS
                young = {target for target, ns in bucket.items() if ns > since_ns}
                is_over = len(young - {action.target}) >= bounds[is_kill]
                if is_over and action.target not in young and action.state == "planned":
                    raise WrongError(f"{_bucket(action)}: {young} and also `{action.target}`")
                bucket[action.target] = max(batch.node_ns, bucket.get(action.target, 0))
        for action in batch.actions:
            if action.state != "held":
                continue
            held_count += 1
            counts = [len(last.get((_bucket(action), kill), {})) for kill in (False, True)]
            if all(count < bound for count, bound in zip(counts, bounds, strict=True)):
                raise WrongError(f"`{action.target}` is held, and {_bucket(action)} has {counts}")
    return held_count


def _bucket(action: Action) -> str:
    if action.target.startswith("principal:"):
        return "principals"
    return f"of `{action.principal}`"
