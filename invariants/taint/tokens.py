"""Splits text into the tokens by which data memories recognise it, and decodes encoded texts in it.

    tokens("Pay DE89-3704 now.")           ("pay", "de89-3704", "now")
    hidden_texts("see cGF5IERFODktMzcwNA==")   the text of the base64: pay DE89-3704
    spellings("DE89%2D3704")               ("DE89%2D3704", "DE89-3704")

Copies survive another case, white space, width of letters (NFKC), characters that nobody sees, and
the encodings that an agent uses without thinking: percent, escapes of JSON and HTML, base64.
Everything here is linear in the text and bounded, since whoever controls an agent writes it.
Source: docs/language.md, Data memories.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote, unquote_plus

HIDDEN_CHARACTERS_MAX: Final = 256 * 1024
"""Chosen: per event, the maximum length of a text; further encoded content is unknown."""

_TOKEN: Final = re.compile(r"[\w@.+/:-]+")
# Source: Unicode, Default_Ignorable_Code_Point without the unassigned and the variation selectors
# beyond the first plane: the characters that NFKC_Casefold drops.
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
# Sorting marks is quadratic in the length of a run: 256 KiB of them took 14 s. Runs are split every
# 30 marks, as in Unicode's stream-safe text (UAX 15, section 13). Two kana are letters and become
# marks.
_MARKS: Final = re.compile("(?:[^\\w\\s]|[\uff9e\uff9f]){30}")
_APART: Final = "\u034f"
# Source: Unicode 14, NFKC of U+FDFA and U+FDFB: 18 and 8 characters.
_SENTENCES: Final = (("\ufdfa", 17), ("\ufdfb", 7))
_LAYERS_MAX: Final = 2  # Chosen: base64 of percent is thoughtless; a third layer is intent.
_SHORTEST: Final = 6
"""Chosen: base64 of four characters; shorter text cannot be distinguished from words."""
_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}(?:\r?\n[A-Za-z0-9+/_-]+={0,2})*")
_PART: Final = re.compile(r"[A-Za-z0-9+_-]+={0,2}")
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_ESCAPE: Final = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_PLAIN_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Hidden(NamedTuple):
    """Encoded texts in a text; not whole if there are more than are decoded."""

    texts: tuple[str, ...]
    is_whole: bool


def normalised(text: str) -> str:
    """The text in one form (NFKC), without invisible characters; its case is unchanged."""
    if text.isascii():
        return text
    apart = _MARKS.sub(rf"\g<0>{_APART}", _UNSEEN.sub("", text))
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", apart))


def characters_of(text: str) -> int:
    """The number of characters in the normalised text, except for signs that give up to six.

    256 KiB of `U+FDFA` are 1.5 million characters. Two signs give sentences; no other one gives
    more than six characters for its three bytes.
    """
    if text.isascii():
        return len(text)
    return len(text) + sum(more * text.count(ligature) for ligature, more in _SENTENCES)


def tokens(text: str) -> tuple[str, ...]:
    """Runs of letters, digits and `@ . _ - + / :`, lower case; outer `.` and `:` dropped."""
    found = (token.strip(".:") for token in _TOKEN.findall(normalised(text).lower()))
    return tuple(token for token in found if token)


def spellings(text: str) -> tuple[str, ...]:
    """A value as written, and its decoded forms if it is encoded as a whole."""
    found = {text: None}
    layer = [text]
    for _ in range(_LAYERS_MAX):
        layer = [inner for outer in layer for inner in _whole_decoded(outer) if inner not in found]
        found.update(dict.fromkeys(layer))
    return tuple(found)


def hidden_texts(text: str, characters_max: int = HIDDEN_CHARACTERS_MAX) -> Hidden:
    """Text in percent-encoding, escapes or base64, anywhere in a text."""
    found: dict[str, None] = {}
    left = characters_max
    layer = [text]
    for _ in range(_LAYERS_MAX):
        inner_layer: list[str] = []
        for outer in layer:
            for inner in _decoded(outer):
                if inner == text or inner in found:
                    continue
                left -= characters_of(inner)
                if left < 0:
                    return Hidden(tuple(found), is_whole=False)
                found[inner] = None
                inner_layer.append(inner)
        layer = inner_layer
    return Hidden(tuple(found), is_whole=True)


def _whole_decoded(text: str) -> Iterator[str]:
    yield from _unescaped(text)
    plain = _from_base64("".join(text.split()))
    if plain is not None:
        yield plain


def _decoded(text: str) -> Iterator[str]:
    yield from _unescaped(text)
    for match in _RUN.finditer(text):
        run = match.group()
        if len(run) < _SHORTEST:
            continue
        plain = _from_base64("".join(run.split()))
        if plain is not None:
            yield plain
            continue
        if "/" in run or "\n" in run:
            # A path or a line may precede the encoded text.
            found = map(_from_base64, _PART.findall(run))
            yield from (plain for plain in found if plain is not None)


def _unescaped(text: str) -> Iterator[str]:
    """The text without its percent signs, without HTML's and without JSON's escapes."""
    if _PERCENT.search(text):
        yield unquote(text, errors="replace")
        if "+" in text:
            yield unquote_plus(text, errors="replace")
    if "&" in text:
        import html  # Its table of names takes long to make.

        plain = html.unescape(text)
        if plain != text:
            yield plain
    if "\\" in text:
        plain = _ESCAPE.sub(_plain_escape, text)
        if plain != text:
            # Two escapes may be the halves of one character.
            yield plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain_escape(match: re.Match[str]) -> str:
    code, letter = match.groups()
    if code is not None:
        return chr(int(code, 16))
    return _PLAIN_ESCAPES.get(letter, letter)


def _from_base64(text: str) -> str | None:
    """The text that this encodes, standard or for URLs, padded or not; None if it encodes none."""
    stripped = text.rstrip("=")
    if len(stripped) < _SHORTEST - 1 or len(stripped) % 4 == 1:
        return None
    standard = stripped.replace("-", "+").replace("_", "/") + "=" * (-len(stripped) % 4)
    try:
        plain = binascii.a2b_base64(standard, strict_mode=True).decode()
    except ValueError:
        return None
    return plain if "".join(_UNSEEN.sub("", plain).split()).isprintable() else None
