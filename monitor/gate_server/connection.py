"""One client's connection: its time limits, its bytes, its owner, and the turns of its requests.

`Guarded` stands between the transport and the library's protocol. It hands everything on, but for
the bytes of a request whose principal has as many as it may: these stay unread until one of them
was answered. So a flood waits on its own connections, and costs nothing meanwhile.

Times are looked at once a second (`is_late`), not by a timer for each request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from monitor.gate_server.accounts import Accounts
from monitor.gate_server.bounds import Bounds
from monitor.gate_server.identity import Peer
from monitor.gate_server.refusal import Refused


def _gone(entered: asyncio.Future[None]) -> None:
    """End a request whose client did not wait; nobody reads the response."""
    entered.set_exception(Refused("crowded", "the client has gone", closes=True))


def _nothing() -> None:
    """A connection that does not wait gives up nothing."""


class Connection:
    """The state of a connection; mutable, of the event loop's thread alone."""

    def __init__(
        self,
        peer: Peer,
        bounds: Bounds,
        now_s: Callable[[], float],
        accounts: Accounts,
        own: Callable[[Connection, str], None],
    ) -> None:
        self.peer, self._bounds, self._now_s = peer, bounds, now_s
        self._accounts, self._own = accounts, own
        self.principal = ""
        """Its principal; empty until a request was authenticated."""
        self._transport: asyncio.Transport | None = None
        self._entered = ""
        """The principal among whose requests the current one counts."""
        self._give_up: Callable[[], None] = _nothing
        """Ends its wait, while it waits."""
        self._gone: Callable[[], object] = _nothing
        self._is_ended = False
        self._is_idle = True
        self._until_s: float | None = now_s() + bounds.head_s
        self._until_written_s: float | None = None
        self._why = "head_time"

    async def own(self, principal: str) -> None:
        """The current request is this principal's: wait until it may go on.

        Raises Refused if the principal has too many connections.
        """
        if principal != self.principal:
            self.leave()
            self._own(self, principal)
        await self.admitted()

    async def admitted(self) -> None:
        """Wait until the current request may go on; it then counts.

        The requests of a connection without a principal count for its peer, and only once their
        heads are whole: slow heads of one client must not keep out another over TCP.
        """
        if not self.enter():
            entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.wait(partial(entered.set_result, None), partial(_gone, entered))
            await entered

    def enter(self) -> bool:
        """Count a request; False if there are as many as may be."""
        if not self._entered:
            if not self._accounts.enter(self.name):
                return False
            self._entered = self.name
        return True

    @property
    def name(self) -> str:
        """Its requests count under this name: that of its principal, or else of its peer."""
        return self.principal or self.peer.name

    def enter_owned(self) -> bool:
        """The same, if it has a principal; else it is too early to count it."""
        return not self.principal or self.enter()

    def wait(self, entered: Callable[[], None], gone: Callable[[], None]) -> None:
        """Call `entered` when the request may go on and counts, or `gone` if the client leaves."""

        def go_on() -> None:
            self._entered, self._give_up = principal, _nothing
            entered()

        def give_up() -> None:
            self._accounts.give_up(principal, go_on)
            gone()

        principal, self._give_up = self.name, give_up
        self._accounts.wait(principal, go_on)

    def leave(self) -> None:
        """The request no longer counts: it was answered, or waits for an operator."""
        if self._entered:
            entered, self._entered = self._entered, ""
            self._accounts.leave(entered)

    def begin(self) -> None:
        """A request's head has arrived."""
        self._is_idle, self._until_s = False, None

    def end(self) -> None:
        """Its response is ready."""
        self._is_idle, self._gone = True, _nothing
        self._until_s, self._why = self._now_s() + self._bounds.idle_s, "idle_time"
        self.leave()

    def arrives(self) -> bool:
        """True if these are the first bytes of a request."""
        if not self._is_idle:
            return False
        self._is_idle = False
        self._until_s, self._why = self._now_s() + self._bounds.head_s, "head_time"
        return True

    def held(self, *, is_held: bool) -> None:
        """Bytes wait unread: no time limit of the client's own runs."""
        assert self._transport is not None
        if is_held:
            self._until_s = None
            self._transport.pause_reading()
        else:
            self._until_s, self._why = self._now_s() + self._bounds.head_s, "head_time"
            self._transport.resume_reading()

    def writing(self, *, is_blocked: bool) -> None:
        """The client does not read, or reads again."""
        self._until_written_s = self._now_s() + self._bounds.write_s if is_blocked else None

    def is_late(self, now_s: float) -> str:
        """The time limit that has passed; empty if none has."""
        if self._until_written_s is not None and now_s > self._until_written_s:
            return "write_time"
        return self._why if self._until_s is not None and now_s > self._until_s else ""

    def made(self, transport: asyncio.Transport) -> None:
        """Take its transport."""
        self._transport = transport
        if self._is_ended:
            transport.abort()

    def lost(self) -> None:
        """Its transport has ended."""
        self._transport, self._is_ended = None, True
        give_up, self._give_up = self._give_up, _nothing
        give_up()
        self._gone()
        self.leave()

    def if_lost(self, gone: Callable[[], object]) -> None:
        """Call `gone` when the client leaves, if that is before the response."""
        self._gone = gone
        if self._is_ended:
            gone()

    def abort(self) -> None:
        """End it at once, or as soon as it has a transport."""
        self._is_ended = True
        if self._transport is not None:
            self._transport.abort()


class Guarded(asyncio.Protocol):
    """The protocol of a connection around the library's; `lost` is called once at its end."""

    def __init__(
        self,
        connection: Connection,
        inner: asyncio.Protocol,
        lost: Callable[[Connection], None],
    ) -> None:
        self._connection, self._inner, self._lost = connection, inner, lost
        self._held: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._connection.made(transport)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.lost()
        self._inner.connection_lost(exc)
        self._lost(self._connection)

    def data_received(self, data: bytes) -> None:
        if self._held:
            self._held.append(data)
        elif self._connection.arrives() and not self._connection.enter_owned():
            self._held.append(data)
            self._connection.held(is_held=True)
            self._connection.wait(self._go_on, self._held.clear)
        else:
            self._inner.data_received(data)

    def _go_on(self) -> None:
        """The request may be read now."""
        data = b"".join(self._held)
        self._held.clear()
        self._connection.held(is_held=False)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._connection.writing(is_blocked=True)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._connection.writing(is_blocked=False)
        self._inner.resume_writing()
