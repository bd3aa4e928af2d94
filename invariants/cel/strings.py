"""CEL's functions of text. Characters are code points; a text over `string_bytes_max` fails."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from ..values.unknown_text import UnknownText, quoted
from ..values.value import STRING_BYTES_MAX, Failure, in_range, sure, text, type_name, utf8

# Source: Unicode White_Space, which CEL's strings extension trims; Python's strip drops more.
_WHITE_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    chr(code) for code in range(0x2000, 0x200B)
)


def size(value: Any) -> int:
    """Characters of a string, elements of a list, keys of a map."""
    if type(value) is list or type(value) is dict:
        return len(value)
    return len(text(value, "size"))


def contains(whole: Any, part: Any) -> bool:
    if type(whole) is UnknownText:
        return sure(whole.answer(quoted(text(part, "contains"))), whole)
    return text(part, "contains") in text(whole, "contains")


def starts_with(whole: Any, part: Any) -> bool:
    if type(whole) is UnknownText:
        return sure(whole.answer(rf"\A{quoted(text(part, 'startsWith'))}"), whole)
    return text(whole, "startsWith").startswith(text(part, "startsWith"))


def ends_with(whole: Any, part: Any) -> bool:
    if type(whole) is UnknownText:
        return sure(whole.answer(rf"{quoted(text(part, 'endsWith'))}\z"), whole)
    return text(whole, "endsWith").endswith(text(part, "endsWith"))


def lower_ascii(whole: Any) -> str | UnknownText:
    if type(whole) is UnknownText:
        return whole.changed(lambda part: _by_bytes(part, bytes.lower))
    return _by_bytes(text(whole, "lowerAscii"), bytes.lower)


def upper_ascii(whole: Any) -> str | UnknownText:
    if type(whole) is UnknownText:
        return whole.changed(lambda part: _by_bytes(part, bytes.upper))
    return _by_bytes(text(whole, "upperAscii"), bytes.upper)


def _by_bytes(written: str, change: Callable[[bytes], bytes]) -> str:
    """`bytes` change ASCII letters alone, and 50 times as fast as `str.translate` does."""
    return change(written.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def trim(whole: Any) -> str:
    return text(whole, "trim").strip(_WHITE_SPACE)


def split(whole: Any, separator: Any) -> list[str]:
    """The parts between separators; an empty separator gives the characters."""
    written, mark = text(whole, "split"), text(separator, "split")
    if not mark:
        return list(written) or [""]
    return written.split(mark)


def replace(whole: Any, old: Any, new: Any) -> str:
    """Every `old` replaced; checked for its length before it is made, since it may explode."""
    written, found, instead = text(whole, "replace"), text(old, "replace"), text(new, "replace")
    growth = len(utf8(instead)) - len(utf8(found))
    if len(utf8(written)) + written.count(found) * growth > STRING_BYTES_MAX:
        raise Failure(f"`replace` gives a string of more than {STRING_BYTES_MAX} bytes")
    return written.replace(found, instead)


def texts(value: Any) -> list[str]:
    """An optional argument that is one text or several: none of null, `[x]` of a text, else a
    list's texts, in which a null counts for nothing. Any other value or element is a failure.
    """
    if value is None:
        return []
    if type(value) is list:
        return [text(element, "texts") for element in value if element is not None]
    return [text(value, "texts")]


def all_texts(value: Any) -> list[str]:
    """Every text within a JSON value, keys aside, in its order."""
    found: list[str] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if type(one) is str:
            found.append(text(one, "all_texts"))
        elif type(one) is list:
            waiting += reversed(one)
        elif type(one) is dict:
            waiting += reversed(list(one.values()))
    return found


def leaves(value: Any) -> list[str]:
    """Every text and number within a JSON value as a text, keys aside, in its order.

    Left out are null, truth values, and texts without a letter or a digit. A number is written as
    JSON has it, an integral one without a point.
    """
    found: list[str] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if type(one) is list:
            waiting += reversed(one)
        elif type(one) is dict:
            waiting += reversed(list(one.values()))
        elif type(one) is int:
            found.append(str(in_range(one)))
        elif type(one) is float:
            found.append(str(int(one)) if one.is_integer() else repr(one))
        elif type(one) is str and any(map(str.isalnum, text(one, "leaves"))):
            found.append(one)
        elif one is not None and type(one) not in (bool, str):
            raise Failure(f"`leaves` needs a JSON value, not {type_name(one)}")
    return found


def known(value: Any) -> bool:
    """True if all of a text is known: false for some words of `shell_commands`."""
    if type(value) is UnknownText:
        return False
    text(value, "known")
    return True


def entropy(whole: Any) -> float:
    """Shannon's entropy of the characters, in bits per character; 0.0 of the empty text."""
    written = text(whole, "entropy")
    length = len(written)
    # fsum: the sum must not depend on the order in which the characters were counted.
    shares = (count / length for count in Counter(written).values())
    return math.fsum(-share * math.log2(share) for share in shares) + 0.0


def matcher(search: Callable[[bytes], object], pattern: str) -> Callable[[Any], bool]:
    """`matches` for one compiled pattern; true if it matches anywhere."""

    def matches(whole: Any) -> bool:
        if type(whole) is UnknownText:
            return sure(whole.answer(pattern), whole)
        return search(utf8(text(whole, "matches"))) is not None

    return matches


def string(value: Any) -> str:
    """CEL's `string()`; of doubles, instants and spans implementations disagree: left out."""
    kind = type(value)
    if kind is str:
        return text(value, "string")
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    raise Failure(f"`string` of {type_name(value)}")
