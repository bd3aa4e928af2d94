"""The principals of a file: versions in the order of their times, of which one is in force.

A time before the first version has none: then nobody is known. Reading takes no clock; the caller
gives the time. `parse.py` reads the text.
"""

from __future__ import annotations

import hashlib
import hmac
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from invariants.model.event import SECOND_NS
from invariants.model.standing import Standing

APPROVERS_DEFAULT: Final = 1
EXPIRES_NS_DEFAULT: Final = 15 * 60 * SECOND_NS
"""Chosen: an operator who is at work answers within it; the agent's request is not older."""
_BUCKET_BYTES: Final = 4


class ApprovalRules(msgspec.Struct, frozen=True):
    """The roles that may approve, the number of distinct approvers that a grant needs, and the
    time after which a request expires.
    """

    roles: frozenset[str] = frozenset()
    approvers: int = APPROVERS_DEFAULT
    expires_ns: int = EXPIRES_NS_DEFAULT


ExceptionSort = Literal["exception", "break-glass"]


class ExceptionRules(msgspec.Struct, frozen=True):
    """The roles that may sign exceptions of one sort, and how long one may be in force."""

    roles: frozenset[str] = frozenset()
    longest_ns: int = 0


class Credentials:
    """The digests of tokens and the user ids of one version; no text form shows them."""

    __slots__ = ("_tokens", "_uids")

    def __init__(self, tokens: Iterable[tuple[bytes, str]], uids: Mapping[int, str]) -> None:
        self._uids = dict(uids)
        self._tokens: dict[bytes, list[tuple[bytes, str]]] = {}
        for digest, name in tokens:
            self._tokens.setdefault(digest[:_BUCKET_BYTES], []).append((digest, name))

    def by_token(self, token: str) -> str | None:
        """The principal whose token this is.

        Few digests share their first bytes, and these are compared in constant time. The time of
        the search depends on the first bytes of a SHA-256 only, which do not help to guess a token.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = None
        for known, name in self._tokens.get(digest[:_BUCKET_BYTES], ()):
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def by_uid(self, uid: int) -> str | None:
        """The principal with this user id."""
        return self._uids.get(uid)

    def __repr__(self) -> str:
        return "Credentials([not shown])"


class PrincipalsVersion(msgspec.Struct, frozen=True):
    """One version: in force from `since_ns` until the next one's."""

    number: int
    since_ns: int
    standings: Mapping[str, Standing]
    credentials: Credentials
    approvals: ApprovalRules = ApprovalRules()
    public_keys: Mapping[str, bytes] = {}
    """By principal, raw Ed25519 keys: whoever holds the private one can sign exceptions."""
    exceptions: Mapping[ExceptionSort, ExceptionRules] = {}


class Principals(msgspec.Struct, frozen=True):
    """All versions of a file.

    `digest` covers roles, attributes and the rules of approvals of all versions. It does not cover
    credentials: a new token gives nobody another role, and a monitor needs no tokens. Nor does it
    cover the rules of exceptions, which a gate writes into its records.

    Examples
    --------
    >>> standing = Standing(1, ("support",))
    >>> version = PrincipalsVersion(1, 100, {"bot": standing}, Credentials([], {1001: "bot"}))
    >>> principals = Principals((version,), "")
    >>> principals.standing("bot", 100) == standing, principals.standing("bot", 99) is None
    (True, True)
    >>> principals.by_uid(1001, 100), principals.by_token("guess", 100)
    ('bot', None)
    """

    versions: tuple[PrincipalsVersion, ...]
    digest: str

    def in_force(self, time_ns: int) -> PrincipalsVersion | None:
        """The last version whose `since` has passed; a version is in force at its `since`."""
        index = bisect_right(self.versions, time_ns, key=lambda version: version.since_ns)
        return self.versions[index - 1] if index else None

    def standing(self, name: str, time_ns: int) -> Standing | None:
        """Roles and attributes of a principal; None if it is not known at this time."""
        version = self.in_force(time_ns)
        return None if version is None else version.standings.get(name)

    def by_token(self, token: str, time_ns: int) -> str | None:
        """The principal that authenticates by this token at this time."""
        version = self.in_force(time_ns)
        return None if version is None else version.credentials.by_token(token)

    def by_uid(self, uid: int, time_ns: int) -> str | None:
        """The principal that runs as this user of the machine at this time."""
        version = self.in_force(time_ns)
        return None if version is None else version.credentials.by_uid(uid)

    def approvals(self, time_ns: int) -> ApprovalRules:
        """The rules of approvals at this time; without a version nobody may approve."""
        version = self.in_force(time_ns)
        return ApprovalRules() if version is None else version.approvals

    def may_approve(self, name: str, time_ns: int) -> bool:
        """True if a principal has a role that may approve at this time."""
        return self._has_one(name, self.approvals(time_ns).roles, time_ns)

    def may_except(self, name: str, sort: ExceptionSort, time_ns: int) -> bool:
        """True if a principal has a role that may sign exceptions of a sort at this time."""
        return self._has_one(name, self.exceptions(sort, time_ns).roles, time_ns)

    def exceptions(self, sort: ExceptionSort, time_ns: int) -> ExceptionRules:
        """The rules of exceptions of a sort at this time; by default nobody may sign any."""
        version = self.in_force(time_ns)
        rules = None if version is None else version.exceptions.get(sort)
        return ExceptionRules() if rules is None else rules

    def public_key(self, name: str, time_ns: int) -> bytes | None:
        """The Ed25519 key of a principal at this time; None if it has none."""
        version = self.in_force(time_ns)
        return None if version is None else version.public_keys.get(name)

    def _has_one(self, name: str, roles: frozenset[str], time_ns: int) -> bool:
        standing = self.standing(name, time_ns)
        return standing is not None and not roles.isdisjoint(standing.roles)


def digest_with(program_digest: str, principals: Principals | None) -> str:
    """The digest of a program together with the principals whose roles it reads, as it is shown.

    States are stored under the digests of invariants, which do not cover principals.
    """
    if principals is None:
        return program_digest
    both = f"{program_digest}/{principals.digest}"
    return hashlib.blake2b(both.encode(), digest_size=8).hexdigest()
