"""Ways to write one word in a shell."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_SAFE: Final = re.compile(r"[A-Za-z0-9_./:,+-]+")


def single(text: str) -> str:
    """`'...'`."""
    return "'" + text.replace("'", "'\\''") + "'"


def double(text: str) -> str:
    """`"..."`."""
    return '"' + re.sub(r'([\\"$`])', r"\\\1", text) + '"'


def _ansi(text: str) -> str:
    return "$'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _encoded(form: str) -> Callable[[str], str]:
    return lambda text: "$'" + "".join(form.format(ord(sign)) for sign in text) + "'"


def _bytes_octal(text: str) -> str:
    return "$'" + "".join(f"\\{byte:03o}" for byte in text.encode()) + "'"


def _backslashes(text: str) -> str:
    if not text:
        return "''"
    return "".join("'\n'" if sign == "\n" else "\\" + sign for sign in text)


def _halves(text: str) -> str:
    middle = len(text) // 2
    return single(text[:middle]) + double(text[middle:])


def _within(before: str, after: str) -> Callable[[str], str]:
    return lambda text: before + as_is(text) + after


def _empty_within(text: str) -> str:
    return as_is(text[:1]) + "''" + as_is(text[1:])


def _over_lines(text: str) -> str:
    return as_is(text[:1]) + "\\\n" + as_is(text[1:]) if _SAFE.fullmatch(text) else single(text)


def _path(before: str) -> Callable[[str], str]:
    return lambda text: before + text if text == "mark" else as_is(text)


def _glob(text: str) -> str:
    return "../b[i]n/m?r*" if text == "mark" else as_is(text)


def _of_home(text: str) -> str:
    return '"$HOME"/bin/mark' if text == "mark" else '"$HOME"'


def as_is(text: str) -> str:
    """Without quotes if it needs none."""
    return text if _SAFE.fullmatch(text) else single(text)


QUOTES: Final[tuple[Callable[[str], str], ...]] = (
    *(single, double, _ansi, _halves, _backslashes),
    *(_within('""', ""), _within("", "''"), _within("$''", ""), _encoded("\\U{:08x}")),
)
"""For a word that holds commands."""

DRESSES: Final[tuple[Callable[[str], str], ...]] = (
    # Those that are the word whatever runs come first.
    *(as_is, single, double, _backslashes, _halves, _empty_within, _over_lines, _ansi),
    *(_encoded("\\x{:02x}"), _encoded("\\u{:04x}"), _encoded("\\x{{{:x}}}"), _bytes_octal),
    *(_within('$""', ""), _within("{", ",}"), _within("", "{,x}"), _within("", "{1..2}")),
    *(_path("~/bin/"), _path("../bin/"), _path("./../cwd/../bin/"), _path("..//bin/")),
    *(_within("${u-", "}"), _within('"${u:-', '}"'), _within("$(echo ", ")")),
    *(_within("`echo ", "`"), _within("${PATH:+", "}"), _within("${u}", ""), _within("", "$u")),
    *(_within("", '"$@"'), _within('"$(printf %s ', ')"'), _within("", "${u:+x}")),
    *(_within("${u=", "}"), _within("", "`:`"), _glob, _of_home, _within("${IFS:0:0}", "")),
    *(_within("", "*"), _within("", "[x]"), _within("", "$((1))"), _within("$_", "")),
)
"""For a word of the marker."""

SETTLED_COUNT: Final = 20
"""So many of the `DRESSES` are the same word whatever runs."""


def quoted(text: str, style: int) -> str:
    """`text` as one word."""
    return QUOTES[style](text)


def dressed(text: str, style: int) -> str:
    """`text` as a word of the marker, which the shell makes of it, or nearly so."""
    return DRESSES[style](text)
