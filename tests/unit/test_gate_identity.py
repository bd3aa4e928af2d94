"""Which principal asks: by token, else by user id; never by a guess."""

from __future__ import annotations

from hashlib import sha256

import pytest

from monitor.gate_server.identity import TOKEN_CHARS_MAX, Identity, Peer
from monitor.principals.parse import parse_principals

FILE = """
versions:
  - version: 1
    since: 1970-01-01T00:00:01Z
    principals:
      bot: {{token_sha256: "{digest}", uid: 1001}}
"""


def _identity() -> Identity:
    text = FILE.format(digest=sha256(b"sesame").hexdigest())
    return Identity(parse_principals(text, "principals.yaml"))


@pytest.mark.parametrize(
    ("uid", "authorization", "expected"),
    [
        (None, "Bearer sesame", "bot"),
        (7, "bearer  sesame", "bot"),
        (1001, None, "bot"),
        (7, None, "uid-7"),
        (None, None, None),
        (1001, "Bearer sesam", None),
        (1001, "Bearer", None),
        (1001, "", None),
        (1001, "Bearer sesame ", None),
        (1001, "Basic sesame", None),
        (1001, "Bearer sesame, Bearer sesame", None),
        (1001, "Bearer " + "x" * (TOKEN_CHARS_MAX + 1), None),
        (1001, "Bearer s\u00e9same", None),
    ],
)
def test_principal(uid: int | None, authorization: str | None, expected: str | None) -> None:
    """A token that is not known never falls back to the user id."""
    found = _identity().principal_of(Peer(uid), authorization, 2_000_000_000)
    assert found == expected


def test_the_version_in_force_counts() -> None:
    """Before the first one nobody is known, and a user id is only itself."""
    assert _identity().principal_of(Peer(), "Bearer sesame", 0) is None
    assert _identity().principal_of(Peer(1001), None, 0) == "uid-1001"
