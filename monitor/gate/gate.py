"""The gate: asks the kernel before a call runs, writes down what it answers, then answers.

    open(principal, opening)     a session begins, or goes on in another process
    ask(principal, ask)          may this call be made?
    tell(principal, telling)     what else happened
    withdraw(principal, ...)     nobody waits for an answer any more
    rule(operator, id, ruling)   an operator's decision about a held call
    make_exception, revoke       an operator's exception, or break-glass
    tick()                       deadlines, expiry of held calls, a checkpoint

It is used by one thread: an answer and what it changes are one step, so that parallel calls see
each other. It owns no socket. `judgement.py` has the decision itself.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from interlock.kinds import KNOWN_KINDS, RUNTIME_KINDS
from monitor.exceptions.statement import REASON_CHARS_MAX, SignedStatement, Statement
from monitor.gate.approvals import EXPIRED, SESSION_ENDED, WITHDRAWN, Approvals
from monitor.gate.book import CONTESTED, Book, RecentEvent, SessionRow
from monitor.gate.claims import Claims
from monitor.gate.decider import Asked, Decider
from monitor.gate.errors import ConflictError, ForbiddenError, MalformedError, UnknownError
from monitor.gate.exception_table import own_session
from monitor.gate.exceptions import EXCEPTION_EXPIRED, Exceptions
from monitor.gate.freshness import Freshness
from monitor.gate.inputs import (
    ancestor_of,
    check_omission,
    check_request,
    check_size,
    is_unasked,
    name_of,
    told_fields,
    trace_key,
)
from monitor.gate.note import GateNote
from monitor.gate.recorder import Recorder
from monitor.gate.stops import Stops
from monitor.gate.topic_rulings import take_rulings
from monitor.gate.wire import (
    Answer,
    Ask,
    HeldCall,
    InForce,
    Opened,
    Opening,
    Recorded,
    Revocation,
    Ruling,
    Telling,
    Told,
    Withdrawal,
)
from monitor.principals.model import ExceptionSort, digest_with
from monitor.trace_key import TraceKey
from monitor.transport.base import RulingSource

TOLD_KINDS: Final = RUNTIME_KINDS - {"tool.requested"}
"""The known kinds that an agent may tell: it asks for calls, and cannot approve or deny any."""
CONTESTED_TEXT: Final = "another principal uses this session id; open a session with another id"
EVENTS_MAX: Final = 1_000
"""Chosen: events of one `tell`."""


class Gate:
    """One gate. Every method may raise a `GateError`: then nothing of the call happened."""

    def __init__(
        self,
        recorder: Recorder,
        stops: Stops,
        freshness: Freshness,
        *,
        claims: Claims,
        rulings: RulingSource | None,
        operators: frozenset[str],
        invariants: frozenset[str],
        refuses_contested: bool,
        denies_blind: bool,
        checkpoint: Callable[[], None],
        needed_file: Callable[[], str],
        new_id: Callable[[], str] = lambda: os.urandom(16).hex(),
    ) -> None:
        self._recorder, self._stops = recorder, stops
        self._decider = Decider(recorder, stops, freshness, denies_blind=denies_blind)
        self._approvals = Approvals(recorder, self._decider, operators)
        self._exceptions = Exceptions(recorder, self._decider, invariants)
        self._claims, self._refuses_contested = claims, refuses_contested
        self._rulings = rulings
        self._checkpoint, self._new_id = checkpoint, new_id
        self.needed_file = needed_file
        """The name of the first file of the log that a restart reads; any thread may ask."""

    @property
    def _book(self) -> Book:
        return self._recorder.book

    @property
    def trouble(self) -> str:
        """Why the gate answers nothing now; empty while all is well."""
        return self._recorder.trouble or self._claims.trouble

    @property
    def program_digest(self) -> str:
        """Of the invariants and the principals, as metrics state it."""
        return digest_with(self._recorder.kernel.program.digest, self._recorder.principals)

    @property
    def claims_count(self) -> int:
        """The claims of sessions by all gates that this one keeps in memory."""
        return self._claims.count

    def new_session(self) -> str:
        """An id for an opening that names none: the same for each attempt to claim it."""
        return self._new_id()

    def session(self, principal: str, session: str) -> SessionRow:
        """A session as the book has it, to be read; a new one has the number 0."""
        return self._book.row(trace_key(principal, session))

    def open(self, principal: str, opening: Opening) -> Opened:
        """Begin a session, or go on with it. Names cannot change once it has begun."""
        key = trace_key(principal, opening.session or self.new_session())
        row = self._open_row(key)
        stated = {
            name: name_of(getattr(opening, name), name) for name in ("agent", "user", "tenant")
        }
        stated["parent"] = ancestor_of(opening.parent)
        if row.seq == 0:
            self._recorder.check_budget(principal)
            self._begin(key, stated)
            return Opened(key.session, principal, False, row.seq)
        for name, value in stated.items():
            if value and value != getattr(row, name):
                raise ConflictError(f"`{name}` of the session cannot change after its begin")
        return Opened(key.session, principal, True, row.seq)

    def ask(self, principal: str, ask: Ask) -> Answer:
        """Decide about a call, write the decision down, and return it."""
        key = trace_key(principal, ask.session)
        asked = Asked(
            name_of(ask.tool, "tool"), name_of(ask.call, "call"), ask.args, ask.attributes
        )
        check_size(asked)
        if not asked.tool:
            raise MalformedError("`tool` is empty; name the tool that is to be called")
        check_omission(asked)
        check_request(ask.request)
        digest = asked.digest()
        given = self._book.given(key, ask.request) if ask.request else None
        if given is not None:
            if given.note.digest != digest:
                raise ConflictError("this `request` was asked for another call; use a new id")
            if given.is_over and given.note.decision == "allow":
                # An answer is for one call: it was judged by what was known then.
                raise ConflictError("this `call` has ended; ask for another one, with a new id")
            return given.answer(key.session)
        self._recorder.check_budget(principal)
        row = self._open_row(key)
        request = ask.request or self._new_id()
        # The id of a request without a call is its call's id, too.
        if self._book.who_asked(key, asked.call or request) is not None:
            raise ConflictError("this `call` was asked for before; give each call its own id")
        note = GateNote(name=self._recorder.name, request=request, digest=digest)
        asked = asked._replace(call=asked.call or request)
        if row.seq == 0:
            self._recorder.event(self._recorder.line(key, "tool.requested", 0, **asked.fields()))
            self._begin(key, {})
        hold = self._approvals.begun if self._approvals.has_room(principal, asked) else None
        self._decider.decide(key, note, asked, hold)
        answer = self.answer(principal, ask.session, request)
        assert answer is not None, "the book has what was just written"
        return answer

    def answer(self, principal: str, session: str, request: str) -> Answer | None:
        """The answer to a request as it stands now (that of a held call changes), if known."""
        key = trace_key(principal, session)
        given = self._book.given(key, request)
        return None if given is None else given.answer(session)

    def tell(self, principal: str, telling: Telling) -> Recorded:
        """Take in events that need no answer; all of them, or none. A retry records the rest of
        them, if the gate ended in between.
        """
        key = trace_key(principal, telling.session)
        check_request(telling.request)
        digest, numbers = "", []
        if telling.request:
            digest = telling.digest()
            known, known_digest = self._book.told(key, telling.request)
            if known and known_digest != digest:
                raise ConflictError("this `request` reported other events; use a new id")
            numbers += known
        if numbers and len(numbers) == len(telling.events):
            return Recorded(numbers)
        self._recorder.check_budget(principal)
        self._open_row(key)
        if len(telling.events) > EVENTS_MAX:
            raise MalformedError(f"`events`: at most {EVENTS_MAX} at a time")
        told = [(self._told_kind(key, one), told_fields(one)) for one in telling.events]
        for kind, fields in told:  # Each is read before any is written.
            self._recorder.event(self._recorder.line(key, kind, 0, **fields))
        if told and self._book.row(key).seq == 0:
            if told[0][0] == "session.started":
                self._claim(key)
            else:
                self._begin(key, {})
        note = GateNote(name=self._recorder.name)
        if telling.request:
            note = msgspec.structs.replace(note, telling=telling.request, digest=digest)
        for kind, fields in told[len(numbers) :]:
            self._end_waiting(key, kind, fields["call"])
            fields["gate"] = note
            line = self._recorder.line(key, kind, self._recorder.reach_now(), **fields)
            numbers.append(self._decider.record(line).seq)
        return Recorded(numbers)

    def withdraw(self, principal: str, withdrawal: Withdrawal) -> Answer:
        """Deny a call that waits, as nobody wants its answer any more. If it was answered before,
        the answer stands: a grant may have come first.
        """
        key = trace_key(principal, withdrawal.session)
        if self._book.row(key).seq:
            self._claims.keep(key)
        self.complete()
        for held in self._held_of(key):
            if held.request == withdrawal.request:
                self._give_up(held, WITHDRAWN)
        answer = self.answer(principal, withdrawal.session, withdrawal.request)
        if answer is None:
            raise UnknownError("this principal's session has no such request: nothing waits")
        return answer

    def _end_waiting(self, key: TraceKey, kind: str, call: object) -> None:
        """Before an event after which nobody waits for some calls: a later grant would be for
        nothing, and would count as a call that was made.
        """
        if kind == "session.ended":
            for held in self._held_of(key):
                self._give_up(held, SESSION_ENDED)
        elif kind == "tool.failed" and call:
            for held in self._held_of(key):
                if held.call == call:
                    self._give_up(held, WITHDRAWN)

    def _held_of(self, key: TraceKey) -> list[HeldCall]:
        held = self._book.held.values()
        return [one for one in held if TraceKey(one.principal, one.session) == key]

    def _give_up(self, held: HeldCall, why: str) -> None:
        self._approvals.give_up(held, why)
        self.complete()

    def _told_kind(self, key: TraceKey, told: Told) -> str:
        """The kind of an event that an agent tells. MalformedError if it may not."""
        if told.kind == "tool.requested":
            if not is_unasked(told):
                raise MalformedError("`tool.requested` cannot be reported: ask for the call")
            if self._book.who_asked(key, told.call) is not None:
                raise ConflictError("this `call` was asked for, and has an answer")
        elif not told.kind or (told.kind in KNOWN_KINDS and told.kind not in TOLD_KINDS):
            kind = name_of(told.kind, "kind")
            raise MalformedError(f"an agent cannot tell an event of kind `{kind}`")
        return name_of(told.kind, "kind")

    def held(self, operator: str) -> list[HeldCall]:
        """The calls that wait for an approval, the oldest first."""
        self._approvals.check_operator(operator, self._recorder.reach_now())
        return list(self._book.held.values())

    def recent(self, operator: str, approval: str) -> list[RecentEvent]:
        """The latest events of the session of a held call, the oldest first."""
        held = self._held(operator, approval)
        return list(self._book.row(TraceKey(held.principal, held.session)).recent)

    def rule(self, operator: str, approval: str, ruling: Ruling) -> Answer:
        """Carry out an operator's decision; returns what the agent gets."""
        held = self._held(operator, approval)
        self._claims.keep(TraceKey(held.principal, held.session))
        self._approvals.rule(operator, held, ruling)
        self.complete()
        answer = self.answer(held.principal, held.session, held.request)
        assert answer is not None, "a held call has an answer"
        return answer

    def _held(self, operator: str, approval: str) -> HeldCall:
        self._approvals.check_operator(operator, self._recorder.reach_now())
        held = self._book.held.get(approval)
        if held is None:
            raise UnknownError(
                "no call waits under this id: it was answered or withdrawn, it has expired, or its "
                "session has ended"
            )
        return held

    def exceptions(self, operator: str) -> InForce:
        """The exceptions in force, the oldest first."""
        self._exceptions.check_operator(operator)
        return InForce(self._recorder.name, operator, self._book.exceptions.all())

    def count_exceptions(self) -> Counter[ExceptionSort]:
        """The number of those in force, by sort."""
        return Counter(one.sort for one in self._book.exceptions.all())

    def make_exception(self, operator: str, signed: SignedStatement) -> Statement:
        """Take an operator's exception; the same one again changes nothing."""
        statement = self._exceptions.check(operator, signed)
        if not self._book.exceptions.is_known(signed):
            if self._book.row(own_session(statement)).seq == 0:
                # No claim: nobody else has such an id, and a gate that can claim nothing may be
                # the one to open.
                self._start(own_session(statement), {})
            self._exceptions.take(statement, signed)
        return statement

    def revoke(self, operator: str, id_: str, revocation: Revocation) -> Statement:
        """End an exception before its time; it may be another operator's."""
        self._exceptions.check_operator(operator)
        statement = self._exceptions.statement(id_)
        if len(revocation.reason) > REASON_CHARS_MAX:
            raise MalformedError(f"`reason`: at most {REASON_CHARS_MAX} characters")
        self._exceptions.end(statement, "revoked", by=operator, reason=revocation.reason)
        return statement

    def tick(self) -> None:
        """Let time pass: stops, deadlines, decisions that come by topics, held calls and exceptions
        that expire, a checkpoint.
        """
        self._stops.follow()
        time_ns = self._recorder.reach_now()
        if self.trouble:
            return
        self.complete()
        if self._rulings is not None:
            take_rulings(self._rulings, self._book.held.get, self.rule)
        for held in [call for call in self._book.held.values() if call.expires_ns <= time_ns]:
            self._give_up(held, EXPIRED)
        for statement, why in self._exceptions.over():
            self._exceptions.end(statement, why)
        self._checkpoint()

    def end_exceptions(self) -> None:
        """End those whose right or key is gone; at a start, before the first answer. Expired ones
        cover nothing, and their end waits for a tick, as without a start.
        """
        for statement, why in self._exceptions.over():
            if why != EXCEPTION_EXPIRED:
                self._exceptions.end(statement, why)

    def complete(self) -> None:
        """Answer the held calls that were decided; after a kill, before the first answer."""
        for held in [call for call in self._book.held.values() if call.is_decided]:
            self._approvals.complete(held)

    def _open_row(self, key: TraceKey) -> SessionRow:
        """A session that events may enter."""
        row = self._book.row(key)
        if row.is_contested:
            raise ForbiddenError(CONTESTED_TEXT)
        if row.is_ended:
            raise ConflictError("the session has ended; open another, with a new id")
        if row.seq:
            self._claims.keep(key)
        return row

    def _begin(self, key: TraceKey, stated: Mapping[str, str]) -> None:
        """Claim a session, and write down that it begins."""
        self._claim(key)
        self._start(key, stated)

    def _start(self, key: TraceKey, stated: Mapping[str, str]) -> None:
        time_ns = self._recorder.reach_now()
        self._decider.record(self._recorder.line(key, "session.started", time_ns, **stated))

    def _claim(self, key: TraceKey) -> None:
        """The session is this gate's, and its id that of one principal, the first.

        Raises
        ------
        ForbiddenError
            Another principal uses the id, which is written down: it becomes a `contested` finding.
        """
        self._claims.take(key)
        others = self._recorder.kernel.owners.users_of(key.session) - {key.principal}
        if others and self._refuses_contested:
            line = self._recorder.line(key, "session.started", self._recorder.reach_now())
            note = GateNote(name=self._recorder.name, reason=CONTESTED)
            self._decider.record(msgspec.structs.replace(line, gate=note))
            raise ForbiddenError(CONTESTED_TEXT)
