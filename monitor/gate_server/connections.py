"""All connections: accepted, counted, moved to their principals, and closed when they are late.

The kernel names the user of a process that connects over a Unix socket. So a user who opens very
many connections closes its own. Over TCP all users are one peer, until a token names a principal.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Final

from monitor.gate_server.accounts import Accounts
from monitor.gate_server.bounds import Bounds
from monitor.gate_server.connection import Connection, Guarded
from monitor.gate_server.identity import Peer
from monitor.gate_server.refusal import Refused

_CREDENTIALS: Final = struct.Struct("3i")  # Source: unix(7), SO_PEERCRED: pid, uid, gid.
_OUT_OF_FILES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
FILES_PAUSE_S: Final = 0.1
CROWD_PAUSE_S: Final = 0.002
"""Chosen: after a connection that took another's place. A storm of them then costs a tenth of the
time; a newcomer waits among at most `BACKLOG` of them, a quarter of a second."""


class Connections:
    """The connections of all listeners. `reached` is called with the name of a bound."""

    def __init__(
        self,
        make: Callable[[Connection], asyncio.Protocol],
        accounts: Accounts,
        bounds: Bounds,
        reached: Callable[[str], None],
    ) -> None:
        self._make, self._accounts, self._bounds = make, accounts, bounds
        self._reached = reached
        self._loop = asyncio.get_running_loop()
        self._all: dict[Connection, None] = {}
        self._strangers: dict[Peer, dict[Connection, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    async def accept(self, listener: socket.socket) -> None:
        """Accept connections until the task is cancelled."""
        while True:
            try:
                accepted, _ = await self._loop.sock_accept(listener)
            except OSError as error:
                if error.errno not in _OUT_OF_FILES:
                    continue  # The client has gone already.
                self._reached("files")
                await asyncio.sleep(FILES_PAUSE_S)
                continue
            connection = Connection(
                _peer(accepted), self._bounds, self._loop.time, self._accounts, self._own
            )
            is_crowded = self._is_crowded(connection.peer)
            if not self._admit(connection):
                accepted.close()
                continue
            try:
                await self._loop.connect_accepted_socket(
                    partial(self._guarded, connection), accepted
                )
            except OSError:
                accepted.close()
                self._lost(connection)
            if is_crowded:
                await asyncio.sleep(CROWD_PAUSE_S)

    def _own(self, connection: Connection, principal: str) -> None:
        if not self._accounts.connect(principal):
            text = "this principal has too many connections; use one again, or close some"
            raise Refused("crowded", text, closes=True)
        if connection.principal:
            self._accounts.disconnect(connection.principal)
        else:
            self._leave_strangers(connection)
        connection.principal = principal

    def _guarded(self, connection: Connection) -> Guarded:
        return Guarded(connection, self._make(connection), self._lost)

    def close_late(self) -> None:
        """Close connections whose time limits have passed; call it once a second."""
        now_s = self._loop.time()
        for connection in list(self._all):
            if bound := connection.is_late(now_s):
                self._reached(bound)
                connection.abort()

    async def close(self) -> None:
        """End every connection at once."""
        for connection in list(self._all):
            connection.abort()
        await asyncio.sleep(0)  # The transports end in the next turn of the loop.

    def _is_crowded(self, peer: Peer) -> bool:
        """True if a newcomer takes another's place."""
        strangers_count = len(self._strangers.get(peer, ()))
        is_full = len(self._all) >= self._bounds.connections_max
        return is_full or strangers_count >= self._bounds.strangers_max

    def _admit(self, connection: Connection) -> bool:
        """Count a new connection; False if there is no room."""
        strangers = self._strangers.setdefault(connection.peer, {})
        if len(strangers) >= self._bounds.strangers_max:
            self._reached("strangers")
            self._evict(next(iter(strangers)))
        elif len(self._all) >= self._bounds.connections_max:
            self._reached("connections")
            found = next((next(iter(some)) for some in self._strangers.values() if some), None)
            if found is None:
                return False
            self._evict(found)
        strangers = self._strangers.setdefault(connection.peer, {})
        strangers[connection] = None
        self._all[connection] = None
        return True

    def _evict(self, connection: Connection) -> None:
        self._leave_strangers(connection)
        self._all.pop(connection, None)
        connection.abort()

    def _lost(self, connection: Connection) -> None:
        self._all.pop(connection, None)
        if connection.principal:
            self._accounts.disconnect(connection.principal)
            connection.principal = ""
        else:
            self._leave_strangers(connection)

    def _leave_strangers(self, connection: Connection) -> None:
        strangers = self._strangers.get(connection.peer, {})
        strangers.pop(connection, None)
        if not strangers:
            self._strangers.pop(connection.peer, None)


def _peer(accepted: socket.socket) -> Peer:
    if accepted.family != socket.AF_UNIX:
        return Peer()
    packed = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Peer(_CREDENTIALS.unpack(packed)[1] & 0xFFFF_FFFF)
