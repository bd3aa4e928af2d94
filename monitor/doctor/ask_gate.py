"""The probes of a gate and of a monitor: requests that record nothing and open no session.

It uses the exchange of the agents' client, which is bounded in size and time.
"""

from __future__ import annotations

import time
from contextlib import closing
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import msgspec

from interlock.errors import SettingError
from interlock.gate.address import GateAddress, Token, find_token, parse_gate
from interlock.gate.exchange import Exchange, NotAGate, Response, Unanswered
from invariants.model.errors import ConfigError
from monitor.clock import Clock
from monitor.doctor.diagnosis import Learnt, NotLearnt
from monitor.doctor.gate import GateFacts
from monitor.doctor.monitor import MonitorFacts
from monitor.doctor.running_program import Page
from monitor.gate_server.refusal import FaultBody
from monitor.gate_server.routes import OPEN_API

NOT_THERE: Final = "/v1/answers?session=interlock-doctor&request=none"
"""A request that nobody made: the answer `unknown` shows that this principal may ask."""


def ask_gate(address: str, token_file: str | None, clock: Clock, seconds: float) -> GateFacts:
    """The pages of the gate at an address, within `seconds` in all.

    Raises
    ------
    ConfigError
        The address or the token cannot be used.
    """
    try:
        parsed = parse_gate(address, is_network_allowed=False)
        token = find_token(Path(token_file) if token_file else None, parsed)
    except SettingError as error:
        text = str(error).replace("`gate`", "`--gate`").replace("`token`", "`--token-file`")
        raise ConfigError(text) from None
    with closing(Exchange(parsed, token)) as exchange:
        return _Asking(exchange, clock, seconds).facts()


def ask_monitor(host: str, port: int, clock: Clock, seconds: float) -> MonitorFacts:
    """The pages of the monitor on a port of this machine, within `seconds` in all."""
    with closing(Exchange(GateAddress(host=host, port=port), Token())) as exchange:
        asking = _Asking(exchange, clock, seconds)
        healthy = asking.page("/-/healthy")
        if isinstance(healthy, NotLearnt):
            return MonitorFacts(healthy, healthy, healthy)
        return MonitorFacts(healthy, asking.page("/-/ready"), asking.page("/metrics"))


class _Asking:
    """Requests to one peer, with one deadline for all."""

    def __init__(self, exchange: Exchange, clock: Clock, seconds: float) -> None:
        self._exchange, self._clock = exchange, clock
        self._deadline = time.monotonic() + seconds
        self._date, self._asked_ns, self._answered_ns = "", 0, 0

    def facts(self) -> GateFacts:
        self._asked_ns = self._clock.now_ns()
        ready = self.page("/-/ready")
        self._answered_ns = self._clock.now_ns()
        if isinstance(ready, NotLearnt):
            return GateFacts(ready, ready, ready, ready, ready, ready)
        ahead_s = self._ahead_s()
        return GateFacts(
            ready,
            self.page(OPEN_API),
            self.page(NOT_THERE),
            self.page("/v1/approvals"),
            self.page("/v1/exceptions"),
            self.page("/metrics"),
            ahead_s,
            (self._answered_ns - self._asked_ns) / 1e9,
        )

    def page(self, path: str) -> Learnt[Page]:
        """The response to a GET of a path."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            return NotLearnt("the time was over before it was asked")
        try:
            response = self._exchange.send("GET", path, None, left_s)
        except Unanswered as error:
            return NotLearnt(str(error))
        except NotAGate as error:
            return NotLearnt(f"another program answers: {error}")
        self._date = self._date or response.date
        return _page_of(response)

    def _ahead_s(self) -> float | None:
        """By how much the gate's clock is ahead, from the header of its first response."""
        try:
            stated = parsedate_to_datetime(self._date).timestamp()
        except (ValueError, TypeError, OverflowError, OSError):
            return None
        return stated - (self._asked_ns + self._answered_ns) / 2e9


def _page_of(response: Response) -> Page:
    text = response.body.decode("utf-8", "replace")
    if response.status == 200:
        return Page(200, "ok", text)
    try:
        fault = msgspec.json.decode(response.body, type=FaultBody).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Page(response.status, "", text)
    return Page(response.status, fault.code, fault.message)
