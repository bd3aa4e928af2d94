"""The pages of a gate: one table, for answering requests and for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from monitor.claude_code.hook import Hook, HookOutput
from monitor.exceptions.statement import SignedStatement, Statement
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
    Withdrawal,
)
from monitor.gate_server.refusal import Refused

Method = Literal["GET", "POST"]
PAGES_ALWAYS: Final = ("unauthenticated", "forbidden", "crowded", "not_ready", "host", "malformed")
"""Errors that every page with a principal may give."""
POSTED: Final = ("slow", "too_large", "media_type")
ID_CHARS_MAX: Final = 128


class HeldList(msgspec.Struct, frozen=True):
    """Calls that wait for an operator, the oldest first; `omitted` more did not fit.

    `without_args` are the ids of calls whose arguments are too long for a list: the page of each
    call has them.
    """

    approvals: list[HeldCall]
    without_args: list[str] = []
    omitted: int = 0


class RecentLine(msgspec.Struct, frozen=True):
    """An event of a session as an operator sees it; `text` is the beginning of its content."""

    seq: int
    time_ns: int
    kind: str
    tool: str
    text: str


class HeldPage(msgspec.Struct, frozen=True):
    """One held call, with the latest events of its session, the oldest first."""

    approval: HeldCall
    recent: list[RecentLine]


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of a page's query."""

    name: str
    type: Literal["string", "integer"]
    meaning: str
    is_required: bool = True


class Page(msgspec.Struct, frozen=True):
    """A page: `name` identifies it in code, in metrics and in the document."""

    name: str
    method: Method
    path: str
    meaning: str
    gives: Any = None
    """The type of the body of a 200; None for a text or a JSON document."""
    takes: Any = None
    query: tuple[Parameter, ...] = ()
    errors: tuple[str, ...] = ()
    is_open: bool = False
    """True if nobody has to be authenticated."""
    media_type: str = "application/json"

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all errors that the page may give."""
        posted = POSTED if self.takes is not None else ()
        common = ("host", "forbidden", "malformed") if self.is_open else PAGES_ALWAYS
        return tuple(sorted({*common, *posted, *self.errors}))


TEXT: Final = "text/plain"
OPEN_API: Final = "/v1/openapi.json"
PAGES: Final = (
    Page(
        "open_session",
        "POST",
        "/v1/sessions",
        "Open a session, or resume one of the same principal.",
        Opened,
        Opening,
        errors=("conflict",),
    ),
    Page(
        "ask",
        "POST",
        "/v1/ask",
        "May this call be made? The answer is recorded before it is given.",
        Answer,
        Ask,
        errors=("conflict",),
    ),
    Page(
        "get_answer",
        "GET",
        "/v1/answers",
        "The answer to an earlier request; `wait_s` waits while the call is held.",
        Answer,
        query=(
            Parameter("session", "string", "The session of the request."),
            Parameter("request", "string", "The id of the request."),
            Parameter(
                "wait_s",
                "integer",
                "Seconds to wait for an operator, 0 if omitted. The answer comes at once when it is"
                " no longer `hold`.",
                is_required=False,
            ),
        ),
        errors=("unknown",),
    ),
    Page(
        "tell",
        "POST",
        "/v1/tell",
        "Report other events: outcomes of calls, messages, the end of the session.",
        Recorded,
        Telling,
        errors=("conflict",),
    ),
    Page(
        "withdraw",
        "POST",
        "/v1/withdraw",
        "No longer wait for a held call: it is denied, unless an operator was first.",
        Answer,
        Withdrawal,
        errors=("unknown",),
    ),
    Page(
        "claude_code_hook",
        "POST",
        "/v1/hooks/claude-code",
        "A hook of Claude Code: its input is asked for or recorded, the answer is its output.",
        HookOutput,
        Hook,
        query=(
            Parameter(
                "wait_s",
                "integer",
                "Seconds to wait for an operator, 0 if omitted. Then a held call is withdrawn.",
                is_required=False,
            ),
            Parameter(
                "event",
                "string",
                "The event of the hook: a report about a call that cannot be recorded is answered"
                " with `continue: false`.",
                is_required=False,
            ),
            *(
                Parameter(
                    name, "string", f"The {name} of a session that begins.", is_required=False
                )
                for name in ("agent", "user", "tenant")
            ),
        ),
        errors=("conflict", "unknown"),
    ),
    Page(
        "list_approvals",
        "GET",
        "/v1/approvals",
        "The calls that wait for an operator. For operators.",
        HeldList,
    ),
    Page(
        "get_approval",
        "GET",
        "/v1/approvals/{id}",
        "One held call, and the latest events of its session. For operators.",
        HeldPage,
        errors=("unknown",),
    ),
    Page(
        "rule",
        "POST",
        "/v1/approvals/{id}",
        "Grant or refuse a held call; the answer is the one that the agent gets. For operators.",
        Answer,
        Ruling,
        errors=("unknown", "conflict"),
    ),
    Page(
        "list_exceptions",
        "GET",
        "/v1/exceptions",
        "The exceptions and break-glass in force. For operators who may make some.",
        InForce,
    ),
    Page(
        "make_exception",
        "POST",
        "/v1/exceptions",
        "Take an exception or break-glass that its issuer has signed. For operators who may.",
        Statement,
        SignedStatement,
        errors=("conflict",),
    ),
    Page(
        "revoke",
        "POST",
        "/v1/exceptions/{id}",
        "End one before its time. For operators who may make some.",
        Statement,
        Revocation,
        errors=("unknown",),
    ),
    Page("openapi", "GET", OPEN_API, "This document.", is_open=True),
    Page(
        "healthy",
        "GET",
        "/-/healthy",
        "200 while the gate turns, else 503.",
        is_open=True,
        errors=("not_ready",),
        media_type=TEXT,
    ),
    Page(
        "ready",
        "GET",
        "/-/ready",
        "200 while the gate records and answers, else 503.",
        is_open=True,
        errors=("not_ready",),
        media_type=TEXT,
    ),
    Page("metrics", "GET", "/metrics", "Metrics for Prometheus.", is_open=True, media_type=TEXT),
)
_BY_PREFIX: Final = tuple(
    (page.path.removesuffix("{id}"), page) for page in PAGES if page.path.endswith("{id}")
)


class Found(msgspec.Struct, frozen=True):
    """The page of a request, and the id in its path."""

    page: Page
    id: str = ""


def find_page(method: str, path: str) -> Found:
    """The page. Raises Refused (`unknown`, `method`).

    Examples
    --------
    >>> find_page("GET", "/v1/approvals/a-1").id
    'a-1'
    """
    allowed = []
    for found in _pages_of(path):
        if found.page.method == method:
            return found
        allowed.append(found.page.method)
    if allowed:
        names = ", ".join(allowed)
        raise Refused("method", f"this page has only {names}", allow=names)
    raise Refused("unknown", f"there is no such page; {OPEN_API} lists them")


def _pages_of(path: str) -> list[Found]:
    found = [Found(page) for page in PAGES if page.path == path]
    for prefix, page in _BY_PREFIX:
        id_ = path.removeprefix(prefix)
        if id_ != path and 0 < len(id_) <= ID_CHARS_MAX and "/" not in id_:
            found.append(Found(page, id_))
    return found
