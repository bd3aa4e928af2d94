"""The use that each principal makes of the server: connections, requests, polls, new sessions.

Only one thread uses it. A principal that uses nothing has no entry, but for the sessions that it
has begun.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from monitor.gate_server.bounds import Bounds
from monitor.gate_server.refusal import Refused

SECOND_NS = 1_000_000_000


class Account:
    """One principal's use; mutable."""

    def __init__(self) -> None:
        self.connections_count = 0
        self.polls_count = 0
        self.requests_count = 0
        self.waiting: OrderedDict[Callable[[], None], None] = OrderedDict()
        """Requests that begin when another ends; each connection has at most one."""
        self.sessions: OrderedDict[str, None] = OrderedDict()
        self.sessions_spent = 0.0
        """New sessions, less one for each second since; never below 0."""
        self.spent_ns = 0

    @property
    def is_idle(self) -> bool:
        used = self.connections_count or self.polls_count or self.requests_count
        return not (used or self.waiting or self.sessions)


class Accounts:
    """All accounts, by principal. `reached` is called with the name of a bound that is reached."""

    def __init__(self, bounds: Bounds, reached: Callable[[str], None]) -> None:
        self._bounds, self._reached = bounds, reached
        self._accounts: dict[str, Account] = {}

    def connect(self, principal: str) -> bool:
        """Count a connection; False if the principal has as many as it may."""
        account = self._of(principal)
        if account.connections_count >= self._bounds.connections_of_principal_max:
            self._reached("connections_of_principal")
            return False
        account.connections_count += 1
        return True

    def disconnect(self, principal: str) -> None:
        """A connection that was counted has ended."""
        account = self._of(principal)
        assert account.connections_count > 0
        account.connections_count -= 1
        self._forget(principal, account)

    def enter(self, principal: str) -> bool:
        """Begin a request; False if as many as may are being answered."""
        account = self._of(principal)
        if account.requests_count >= self._bounds.requests_of_principal_max:
            return False
        account.requests_count += 1
        return True

    def wait(self, principal: str, entered: Callable[[], None]) -> None:
        """Call `entered` when the request may begin, which then counts; the first comes first."""
        self._reached("requests")
        self._of(principal).waiting[entered] = None

    def give_up(self, principal: str, entered: Callable[[], None]) -> None:
        """A request that waited will not begin."""
        account = self._of(principal)
        account.waiting.pop(entered, None)
        self._forget(principal, account)

    def leave(self, principal: str) -> None:
        """A request has been answered: the next that waits begins."""
        account = self._of(principal)
        assert account.requests_count > 0
        if account.waiting:
            entered, _ = account.waiting.popitem(last=False)
            entered()
        else:
            account.requests_count -= 1
            self._forget(principal, account)

    @contextmanager
    def poll(self, principal: str) -> Iterator[None]:
        """Room for a long poll until it ends. Raises Refused (`crowded`)."""
        account = self._of(principal)
        if account.polls_count >= self._bounds.polls_of_principal_max:
            self._reached("polls")
            raise Refused("crowded", "too many requests of this principal wait for operators")
        account.polls_count += 1
        try:
            yield
        finally:
            account.polls_count -= 1
            self._forget(principal, account)

    def see_session(self, principal: str, session: str, now_ns: int) -> None:
        """Count a session that is new to this process. Raises Refused (`crowded`)."""
        account = self._of(principal)
        if session in account.sessions:
            account.sessions.move_to_end(session)
            return
        passed = (now_ns - account.spent_ns) / SECOND_NS
        spent = max(0.0, account.sessions_spent - passed)
        account.spent_ns = now_ns
        if spent + 1 > self._bounds.sessions_burst_max:
            account.sessions_spent = spent
            self._reached("sessions")
            raise Refused("crowded", "this principal opens too many sessions; one a second is left")
        account.sessions_spent = spent + 1
        account.sessions[session] = None
        while len(account.sessions) > self._bounds.sessions_known_max:
            account.sessions.popitem(last=False)

    def _of(self, principal: str) -> Account:
        account = self._accounts.get(principal)
        if account is None:
            account = self._accounts[principal] = Account()
        return account

    def _forget(self, principal: str, account: Account) -> None:
        if account.is_idle:
            self._accounts.pop(principal, None)
