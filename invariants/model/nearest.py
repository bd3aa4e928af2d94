"""The known word that is closest to a misspelt one, if one is close.

Users follow a hint literally, so that a wrong one is worse than none: distant words are not
suggested, nor is a word that only adds or drops a negation, such as `unapproved` for `approved`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

CLOSENESS_MIN: Final = 0.7
"""Chosen: `hots` is close to `host`, `sesion` to `session`, and `post` to neither."""
_SIGNIFICANT: Final = 40  # Chosen: no known word is longer; difflib is quadratic in the length.
_KNOWN_MAX: Final = 200  # Measured: 0.1 ms each; a file may misspell thousands beside thousands.
_NEGATIONS: Final = ("not_", "no_", "non_", "un", "in", "dis", "de", "is_not_")


def nearest(word: str, known: Iterable[str], closeness_min: float = CLOSENESS_MIN) -> str:
    """The closest known word, whatever its case; `""` if none is close enough.

    A word of more than 40 characters, and one of more than 200 known words, are not searched for.
    """
    from difflib import get_close_matches  # Only a fault needs it.

    names = sorted(known)
    if len(word) > _SIGNIFICANT or len(names) > _KNOWN_MAX:
        return ""
    lowered = {name.lower(): name for name in reversed(names)}
    found = get_close_matches(word.lower(), lowered, 3, closeness_min)
    return next((lowered[name] for name in found if not _is_opposite(word.lower(), name)), "")


def _is_opposite(one: str, other: str) -> bool:
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return any(longer == negation + shorter for negation in _NEGATIONS)
