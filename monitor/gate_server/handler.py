"""One request -> one response: page, origin, principal, bounds, body, the core's answer.

Everything that can be refused without reading the body is refused before it is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from monitor.claude_code.hook import Hook, readable
from monitor.clock import Clock
from monitor.exceptions.statement import SignedStatement
from monitor.gate.errors import ClaimPendingError, CrowdedError, GateError, NotReadyError
from monitor.gate.gate import Gate
from monitor.gate.wire import (
    Answer,
    Ask,
    Opening,
    Revocation,
    Ruling,
    Telling,
    Withdrawal,
)
from monitor.gate_server.accounts import Accounts
from monitor.gate_server.body import read_body
from monitor.gate_server.bounds import Bounds
from monitor.gate_server.held_list import listed, with_args
from monitor.gate_server.hooks import HOOK_PAGE, Hooks, as_output
from monitor.gate_server.http_door import Request, Response
from monitor.gate_server.identity import Identity
from monitor.gate_server.judge import Judge
from monitor.gate_server.notices import Notices
from monitor.gate_server.openapi import open_api
from monitor.gate_server.polls import Polls
from monitor.gate_server.refusal import Refused, fault_body, status_of
from monitor.gate_server.routes import (
    PAGES,
    Found,
    HeldPage,
    Page,
    RecentLine,
    find_page,
)
from monitor.gate_server.telemetry import NO_PAGE, OK, Telemetry
from monitor.telemetry.http_request import OwnNames

RETRY_AFTER_S: Final = 1
NO_CREDENTIALS: Final = (
    "send `Authorization: Bearer TOKEN` with the token of a principal; over a Unix socket the user "
    "of the process is enough"
)
_MEDIA_TYPES: Final = ("application/json", "application/json;charset=utf-8")
_DECODERS: Final[Mapping[str, msgspec.json.Decoder[Any]]] = {
    page.name: msgspec.json.Decoder(page.takes) for page in PAGES if page.takes is not None
}
_OF_BODIES: Final = {"slow": "body_time", "too_large": "body"}
"""Bounds that are met while a body is read, by the code of the refusal."""
_MAY_WAIT: Final = ("get_answer", HOOK_PAGE)
_QUERY_CHARS_MAX: Final = 2_048
CLAIM_TRIES: Final = 3
"""Chosen: a claim that was won or lost is known at the second; a third is for one that was released
in between."""
_encode: Final = msgspec.json.Encoder().encode


class Handler:
    """Answers requests with one core."""

    def __init__(
        self,
        gate: Gate,
        *,
        identity: Identity,
        names: OwnNames,
        judge: Judge,
        accounts: Accounts,
        bounds: Bounds,
        clock: Clock,
        telemetry: Telemetry,
        notices: Notices | None,
    ) -> None:
        self._gate, self._identity, self._names = gate, identity, names
        self._judge, self._accounts = judge, accounts
        self._bounds, self._clock, self._telemetry = bounds, clock, telemetry
        self.polls = Polls(gate.answer)
        self._hooks = Hooks(gate, self.polls, accounts, bounds)
        self._notices, self._is_stopping = notices, False

    async def respond(self, request: Request) -> Response:
        """The response; every expected error becomes one."""
        begun_ns, page, code = self._clock.monotonic_ns(), NO_PAGE, OK
        query: dict[str, str] = {}
        try:
            await request.connection.admitted()
            found, query = self._find(request)
            page = found.page.name
            response = await self._answer(request, found, query)
        except (Refused, GateError) as error:
            code = error.code
            # Refusals have their turns, too: a flood of them must not cost others more than one.
            await self._judge.call(request.connection.name, _nothing)
            request.connection.leave()  # Others of its principal need not wait for the pause.
            refusal = await self._refuse(error)
            response = as_output(error, page, query) or refusal
        took_s = (self._clock.monotonic_ns() - begun_ns) / 1e9
        self._telemetry.request(page, code, None if page in _MAY_WAIT else took_s)
        return response

    def unframed(self) -> None:
        """Count a request that was not HTTP."""
        self._telemetry.request(NO_PAGE, "malformed", None)

    def stop(self) -> None:
        """Refuse new requests, and end the waits of old ones."""
        self._is_stopping = True
        self.polls.end_all()

    async def _refuse(self, error: Refused | GateError) -> Response:
        status, headers = status_of(error), {}
        if error.code in ("unauthenticated", "crowded"):
            await asyncio.sleep(self._bounds.refusal_pause_s)
        if error.code == "unauthenticated":
            headers["WWW-Authenticate"] = "Bearer"
        if error.code in ("crowded", "not_ready"):
            headers["Retry-After"] = str(RETRY_AFTER_S)
        if isinstance(error, CrowdedError):
            headers["Retry-After"] = str(error.retry_after_s)
            self._telemetry.reached("bytes")
        closes = error.code == "unauthenticated"
        if isinstance(error, Refused):
            closes |= error.closes
            if error.closes and error.code in _OF_BODIES:
                self._telemetry.reached(_OF_BODIES[error.code])
            if error.allow:
                headers["Allow"] = error.allow
        return Response(status, fault_body(error.code, str(error)), headers=headers, closes=closes)

    def _find(self, request: Request) -> tuple[Found, dict[str, str]]:
        """The page and its query, for a request that may come from here."""
        path, _, query = request.target.partition("?")
        host = request.header("Host")
        if request.connection.peer.uid is None and (host is None or not self._names.has(host)):
            raise Refused("host", "`Host` must be a name of this machine, such as `localhost`")
        if request.header("Origin") is not None:
            raise Refused("forbidden", "pages in browsers may not ask a gate", closes=True)
        if request.header("Upgrade") is not None:
            raise Refused("malformed", "the gate speaks HTTP/1.1 only; omit `Upgrade`", closes=True)
        found = find_page(request.method, path)
        return found, _query_of(found.page, query)

    async def _answer(self, request: Request, found: Found, query: dict[str, str]) -> Response:
        page = found.page
        if page.is_open:
            name = request.connection.name
            return await self._judge.call(name, lambda: self._open_page(page))
        principal = await self._principal(request)
        if self._is_stopping:
            raise Refused("not_ready", "the gate is stopping; ask again", closes=True)
        if page.takes is None:
            _no_body(request)
            return await self._read(request, principal, found, query)
        is_hook = page.name == HOOK_PAGE
        bytes_max = self._bounds.hook_bytes_max if is_hook else self._bounds.body_bytes_max
        self._check_body(request, bytes_max)
        await _permit(request)
        body = await request.body(bytes_max)
        result = await self._judged(principal, self._work(principal, found, query, body))
        if is_hook:
            result = await self._hooks.output(request, principal, result, query, self._judged)
        if page.name in ("rule", "withdraw", HOOK_PAGE):
            self.polls.review()
        return Response(200, _encode(result))

    async def _judged(self, principal: str, work: Callable[[], Any]) -> Any:
        """The result of work that may have to wait for the claim of a session, outside its turn."""
        for _ in range(CLAIM_TRIES):
            try:
                return await self._judge.call(principal, work)
            except ClaimPendingError as pending:
                # Others may wait for the same claim: a request that goes away does not end it.
                await asyncio.shield(asyncio.wrap_future(pending.claimed))
        raise NotReadyError("other gates claim and release the session; ask again")

    def _open_page(self, page: Page) -> Response:
        if page.name == "openapi":
            return Response(200, open_api())
        made = self._telemetry.pages.answer(page.path)
        return Response(made.status, made.body, made.content_type)

    async def _principal(self, request: Request) -> str:
        authorization = request.header("Authorization")
        now_ns = self._clock.now_ns()
        principal = self._identity.principal_of(request.connection.peer, authorization, now_ns)
        if principal is None:
            self._telemetry.unauthenticated()
            raise Refused("unauthenticated", NO_CREDENTIALS)
        await request.connection.own(principal)
        return principal

    def _check_body(self, request: Request, bound: int) -> None:
        """Refuse a body before it is read."""
        media_type = (request.header("Content-Type") or "").replace(" ", "").lower()
        if media_type not in _MEDIA_TYPES:
            raise Refused("media_type", "send `Content-Type: application/json`", closes=True)
        if (request.header("Transfer-Encoding") or "chunked").lower() != "chunked":
            # A proxy before the gate would undo the other codings, and forward another body.
            text = "send the body with no `Transfer-Encoding` but `chunked`"
            raise Refused("malformed", text, closes=True)
        if request.header("Content-Encoding") is not None:
            raise Refused("media_type", "send the body without `Content-Encoding`", closes=True)
        length = request.length
        if length is not None and length > bound:
            text = f"the body has {length} bytes, and the maximum is {bound}; send less"
            raise Refused("too_large", text, closes=True)

    def _work(
        self, principal: str, found: Found, query: dict[str, str], body: bytes
    ) -> Callable[[], Any]:
        """The work of the principal's turn; reading the body is a part of the first one."""
        read: list[Any] = []

        def work() -> Any:
            if not read:
                text = readable(body) if found.page.name == HOOK_PAGE else body
                read.append(self._named(read_body(text, _DECODERS[found.page.name])))
            match taken := read[0]:
                case Opening():
                    self._see_session(principal, taken.session)
                    return self._gate.open(principal, taken)
                case Ask():
                    self._see_session(principal, taken.session)
                    return self._noted(principal, taken.tool, self._gate.ask(principal, taken))
                case Hook():
                    return self._hooks.take(principal, taken, query, self._see_session, self._noted)
                case Telling():
                    self._check_count(taken)
                    self._see_session(principal, taken.session)
                    return self._gate.tell(principal, taken)
                case Withdrawal():
                    return self._gate.withdraw(principal, taken)
                case Ruling():
                    return self._gate.rule(principal, found.id, taken)
                case SignedStatement():
                    return self._gate.make_exception(principal, taken)
                case Revocation():
                    return self._gate.revoke(principal, found.id, taken)
            raise AssertionError("every page that takes a body is here")

        return work

    def _noted(self, principal: str, tool: str, answer: Answer) -> Answer:
        """An answer that is counted, and of which an operator gets a notice if it is held."""
        self._telemetry.answer(answer.decision)
        if answer.decision == "hold" and self._notices is not None:
            self._notices.tell(principal, tool, answer)
        return answer

    def _named(self, taken: Any) -> Any:
        """An opening with an id: every attempt to claim its session is for the same one."""
        if isinstance(taken, Opening) and not taken.session:
            return msgspec.structs.replace(taken, session=self._gate.new_session())
        return taken

    def _see_session(self, principal: str, session: str) -> None:
        if session:
            self._accounts.see_session(principal, session, self._clock.monotonic_ns())

    def _check_count(self, telling: Telling) -> None:
        bound = self._bounds.events_of_tell_max
        if len(telling.events) > bound:
            text = f"`events` has {len(telling.events)} events, and the maximum is {bound}"
            raise Refused("too_large", f"{text}; send them in several requests")

    async def _read(
        self, request: Request, principal: str, found: Found, query: dict[str, str]
    ) -> Response:
        match found.page.name:
            case "get_answer":
                return Response(200, _encode(await self._poll(request, principal, query)))
            case "list_approvals":
                held = await self._judge.call(principal, lambda: self._gate.held(principal))
                return Response(200, _encode(listed(held, self._bounds.listed_bytes_max)))
            case "list_exceptions":
                in_force = await self._judge.call(
                    principal, lambda: self._gate.exceptions(principal)
                )
                return Response(200, _encode(in_force))
            case "get_approval":
                page = await self._judge.call(principal, lambda: self._held(principal, found.id))
                return Response(200, _encode(page))
        raise AssertionError(f"no answer for {found.page.name}")

    def _held(self, operator: str, approval: str) -> HeldPage:
        recent = self._gate.recent(operator, approval)
        (held,) = (call for call in self._gate.held(operator) if call.id == approval)
        lines = [RecentLine(e.seq, e.time_ns, e.kind, e.tool, e.text) for e in recent]
        return HeldPage(with_args(held), lines)

    async def _poll(self, asking: Request, principal: str, query: dict[str, str]) -> Answer:
        session, request = query["session"], query["request"]
        wait_s = min(int(query.get("wait_s", "0")), self._bounds.wait_s_max)
        answer = await self._judge.call(principal, lambda: self._known(principal, session, request))
        if answer.decision != "hold" or wait_s == 0:
            return answer
        with self._accounts.poll(principal):
            asking.connection.leave()  # It waits for an operator, and others may go on.
            await self.polls.wait(principal, session, request, wait_s)
        return await self._judge.call(principal, lambda: self._known(principal, session, request))

    def _known(self, principal: str, session: str, request: str) -> Answer:
        answer = self._gate.answer(principal, session, request)
        if answer is None:
            text = "this principal's session has no such request; ask again with the same id"
            raise Refused("unknown", text)
        return answer


def _nothing() -> None:
    """The work of a refusal."""


def _query_of(page: Page, text: str) -> dict[str, str]:
    """The parameters of a query. Raises Refused (`malformed`)."""
    if not text:
        pairs = []
    elif len(text) > _QUERY_CHARS_MAX:
        raise Refused("malformed", f"the query has more than {_QUERY_CHARS_MAX} characters")
    else:
        try:
            pairs = parse_qsl(
                text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=8
            )
        except ValueError:
            raise Refused("malformed", "the query is not valid; write `?name=value&...`") from None
    query = dict(pairs)
    known = {parameter.name: parameter for parameter in page.query}
    if len(query) != len(pairs) or not query.keys() <= known.keys():
        names = ", ".join(f"`{name}`" for name in known) or "no parameters"
        raise Refused("malformed", f"the query of this page may have, once each: {names}")
    for parameter in page.query:
        value = query.get(parameter.name)
        if value is None and parameter.is_required:
            raise Refused("malformed", f"the query lacks `{parameter.name}`; add it")
        if value is not None and parameter.type == "integer":
            _check_whole_number(parameter.name, value)
    return query


def _check_whole_number(name: str, value: str) -> None:
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise Refused("malformed", f"`{name}` in the query must be a whole number from 0")


def _no_body(request: Request) -> None:
    if request.length != 0:
        raise Refused("malformed", "this page takes no body; send none", closes=True)


async def _permit(request: Request) -> None:
    expected = request.header("Expect")
    if expected is None:
        return
    if expected.lower() != "100-continue":
        raise Refused("malformed", "`Expect` may only be `100-continue`", closes=True)
    await request.permit_body()
