"""The kinds of events that mean something to the monitor, in their one spelling.

Any other kind is the user's own. A kind that only looks like one of these, such as
`tool_requested`, would be judged by no invariant: the client publishes the one that is meant, and
the monitor cannot read such a record.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

RUNTIME_KINDS: Final = frozenset(
    {
        "session.started",
        "session.ended",
        "heartbeat",
        "message.assistant",
        "message.user",
        "tool.requested",
        "tool.completed",
        "tool.failed",
        "file.read",
        "file.written",
        "network.connected",
        "process.started",
    }
)
SHARED_KINDS: Final = frozenset({"approval.requested", "tool.denied"})
OPERATOR_KINDS: Final = frozenset({"approval.granted", "approval.denied"})
ENFORCEMENT_KINDS: Final = frozenset({"control.applied"})
KNOWN_KINDS: Final = RUNTIME_KINDS | SHARED_KINDS | OPERATOR_KINDS | ENFORCEMENT_KINDS


def meant_kind(kind: str) -> str:
    """The known kind that differs from `kind` at most in case, blanks and punctuation; else `""`.

    For a known kind, the result is that kind.
    """
    return kind if kind in KNOWN_KINDS else _meant(kind)


def _letters(kind: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", kind).casefold()))


_BY_LETTERS: Final = {_letters(kind): kind for kind in KNOWN_KINDS}


@lru_cache(maxsize=1_024)
def _meant(kind: str) -> str:
    return _BY_LETTERS.get(_letters(kind), "")
