"""What a command writes, as far as its text alone decides it: `echo x | base64 -d` is known.

Only what shells read as code is worth knowing; so the few programs that carry text are here, and
of every other the output is unknown.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile
from typing import Final, Literal

from .word import Word


@dataclass(frozen=True, slots=True)
class Stream:
    """What stands on an input: `text` where it is known; a file or a terminal; or anything."""

    kind: Literal["known", "outside", "unknown"]
    text: str = ""


OUTSIDE: Final = Stream("outside")
UNKNOWN: Final = Stream("unknown")

_DECODE: Final = re.compile(r"-[dDi]*[dD][di]*|--decode")
_SIGNS: Final = re.compile(r"%[%s]|\\[n\\]|[%\\]")


def output(words: Sequence[Word], stream: Stream) -> Stream:
    """What these words write, reading `stream`."""
    if not all(word.is_fixed and not word.has_glob for word in words):
        return UNKNOWN
    name, *arguments = [word.text for word in words]
    match name.rsplit("/", 1)[-1]:
        case "echo":
            return _echo(arguments)
        case "printf":
            return _printf(arguments)
        case "cat" if not arguments or arguments == ["-"]:
            return stream
        case "tee":
            return stream
        case "base64" if len(arguments) == 1 and _DECODE.fullmatch(arguments[0]):
            return _decoded(stream)
        case "xxd" if sorted(arguments) in (["-p", "-r"], ["-pr"], ["-rp"]):
            return _from_hexadecimal(stream)
        case _:
            return UNKNOWN


def _echo(arguments: Sequence[str]) -> Stream:
    is_option = re.compile(r"-[neE]+").fullmatch
    joined = " ".join(dropwhile(is_option, arguments))
    # Whether `echo` obeys a backslash depends on the shell.
    return UNKNOWN if "\\" in joined else Stream("known", joined + "\n")


def _printf(arguments: Sequence[str]) -> Stream:
    if not arguments or arguments[0].startswith("-"):
        return UNKNOWN
    form, *values = arguments
    signs = _SIGNS.findall(form)
    if any(sign in ("%", "\\") for sign in signs):
        return UNKNOWN
    takes_count = signs.count("%s")
    if values and not takes_count:
        values = []
    # The form is used again until no value is left, and once if there is none.
    starts = range(0, len(values), takes_count) if values else (0,)
    written = [_filled(form, values[start : start + takes_count]) for start in starts]
    return Stream("known", "".join(written))


def _filled(form: str, values: Sequence[str]) -> str:
    left = iter(values)

    def written(sign: re.Match[str]) -> str:
        if sign[0] == "%s":
            return next(left, "")
        return {"%%": "%", "\\n": "\n"}.get(sign[0], "\\")

    return _SIGNS.sub(written, form)


def _decoded(stream: Stream) -> Stream:
    if stream.kind != "known":
        return UNKNOWN
    try:
        data = base64.b64decode("".join(stream.text.split()), validate=True)
        return Stream("known", data.decode())
    except (binascii.Error, ValueError):
        return UNKNOWN


def _from_hexadecimal(stream: Stream) -> Stream:
    if stream.kind != "known":
        return UNKNOWN
    try:
        return Stream("known", bytes.fromhex("".join(stream.text.split())).decode())
    except ValueError:
        return UNKNOWN
