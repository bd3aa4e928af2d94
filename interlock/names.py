"""Ids and names as a client accepts them."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from .errors import SettingError
from .limits import NAME_CHARACTERS_MAX

_DIGEST_BYTES: Final = 16
SESSION_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@=+-]{0,127}\Z")


def checked_session_id(text: object) -> str:
    """`text` if it can be a session's id; else SettingError."""
    if isinstance(text, str) and SESSION_ID.match(text):
        return text
    raise SettingError(
        "a session id has 1 to 128 characters: letters, digits and `. _ : @ = + -`, the first a "
        "letter or digit"
    )


def session_id_of(text: str) -> str:
    """An id that another program has given: itself if a session may have it, else its digest.

    Examples
    --------
    >>> session_id_of("thread-7"), session_id_of("a thread/7")[:8]
    ('thread-7', 'of-c17f0')
    """
    try:
        return checked_session_id(text)
    except SettingError:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES)
        return f"of-{digest.hexdigest()}"


def checked_ancestor(text: object) -> str:
    """`text` if it can name an ancestor: a session's id, or `NAME/ID` of another principal's."""
    principal, slash, session_id = text.rpartition("/") if isinstance(text, str) else ("", "", "")
    if slash and principal and "/" not in principal:
        return f"{checked_name(principal, 'parent')}/{checked_session_id(session_id)}"
    return checked_session_id(text)


def checked_name(text: object, what: str) -> str:
    """`text` if it can name a tool, a kind, an agent...; else SettingError."""
    if isinstance(text, str) and len(text) <= NAME_CHARACTERS_MAX and text.isprintable():
        return str.__str__(text)
    raise SettingError(f"`{what}` is a text of at most {NAME_CHARACTERS_MAX} printable characters")
