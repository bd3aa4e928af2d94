"""`named_any(list, s)`: a name of a tool or of an argument against patterns, however it is spelled.

`sendEmail`, `send-email`, `SendEmail` and `send_email` are one name: its words, in lower case, with
`_` between them and at both ends. A pattern is a glob over that form; one that does not begin or
end with `**` or `_` must meet the name's own beginning or end. Names that are written together
(`sendemail`) are met by patterns whose `_` between letters are left out. Bounded by the name's
length; patterns are prepared when the file is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from .globs import any_matcher, glob_any
from .unknown_text import UnknownText
from .values import Failure, text

NAME_CHARACTERS_MAX: Final = 1_000  # Chosen: longer is no tool's honest name.

# Where a word begins: after a small letter or digit, or the last capital of several (`HTTPPost`).
_BORDER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS: Final = re.compile(r"[^A-Za-z0-9\x80-\U0010ffff]+")
_BETWEEN: Final = re.compile(r"(?<=[a-z0-9])_(?=[a-z0-9])")


def spelled(name: str) -> str:
    """The one form of a name: `_send_email_`."""
    words = _SEPARATORS.split(_BORDER.sub("_", name))
    return "_" + "_".join(word.lower() for word in words if word) + "_"


def named_matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Several patterns of the user's file, prepared as one."""
    whole = any_matcher([_bordered(pattern) for pattern in patterns])
    together = any_matcher([_BETWEEN.sub("", _bordered(pattern)) for pattern in patterns])

    @lru_cache(maxsize=512)
    def is_named(name: str) -> bool:
        if len(name) > NAME_CHARACTERS_MAX:
            raise Failure(f"`named_any` of a name of more than {NAME_CHARACTERS_MAX} characters")
        form = spelled(name)
        return whole(form) or together(_BETWEEN.sub("", form))

    return is_named


def _bordered(pattern: str) -> str:
    """The pattern over the form with `_` at both ends."""
    form = re.sub(r"[-. ]", "_", pattern.lower())
    start = "" if form.startswith(("*", "_")) else "_"
    end = "" if form.endswith(("*", "_")) else "_"
    return start + form + end


def named_any(patterns: Any, name: Any) -> bool:
    """Whether `name` is of one of `patterns`, which are out of the event."""
    if type(name) is UnknownText:
        raise Failure(name.reason)
    written = text(name, "named_any")
    if type(patterns) is list and all(type(one) is str for one in patterns):
        forms = [_bordered(one) for one in patterns]
        return glob_any(forms, spelled(written)) or glob_any(
            [_BETWEEN.sub("", one) for one in forms], _BETWEEN.sub("", spelled(written))
        )
    return glob_any(patterns, written)
