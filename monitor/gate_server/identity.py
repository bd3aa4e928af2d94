"""The credentials of a request -> the name of its principal. Pure.

A token names its principal. Without one, a Unix socket gives the user id of the process that
connected. A token that is not known is refused: it never falls back to the user. Nothing here keeps
or shows a token.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from monitor.gate.assemble import uid_principal
from monitor.principals.model import Principals

TOKEN_CHARS_MAX: Final = 512
_BEARER: Final = re.compile(f"bearer +([!-~]{{1,{TOKEN_CHARS_MAX}}})", re.IGNORECASE | re.ASCII)


class Peer(msgspec.Struct, frozen=True):
    """The other end of a connection: the user id over a Unix socket, None over TCP."""

    uid: int | None = None

    @property
    def name(self) -> str:
        """Its requests count under this name until a principal is known; no principal has it."""
        return "tcp:" if self.uid is None else f"uid:{self.uid}"


class Identity(msgspec.Struct, frozen=True):
    """Names principals by a file, or by user ids alone if there is none."""

    principals: Principals | None

    def principal_of(self, peer: Peer, authorization: str | None, time_ns: int) -> str | None:
        """The principal that asks; None if the credentials name none.

        Examples
        --------
        >>> Identity(None).principal_of(Peer(1001), None, 0)
        'uid-1001'
        >>> Identity(None).principal_of(Peer(1001), "Bearer guess", 0) is None
        True
        >>> Identity(None).principal_of(Peer(), None, 0) is None
        True
        """
        if authorization is not None:
            match = _BEARER.fullmatch(authorization)
            if match is None or self.principals is None:
                return None
            return self.principals.by_token(match[1], time_ns)
        if peer.uid is None:
            return None
        known = None if self.principals is None else self.principals.by_uid(peer.uid, time_ns)
        return known or uid_principal(peer.uid)
