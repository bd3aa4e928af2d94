"""`xargs`: the words of its input become words of the commands that it starts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ..values.unknown_text import ANY, Reading
from .costs import WORD_STEPS
from .stream import OUTSIDE, Stream
from .term import Term, known, merged
from .wrappers import WRAPPERS, command_start

if TYPE_CHECKING:
    from .commands import Walk

_ALONE: Final = frozenset("0oprtx")


def xargs(walk: Walk, terms: Sequence[Term], stream: Stream) -> None:
    """`xargs command`: the words of its input follow, or replace the mark of `-I`."""
    position = command_start(terms, WRAPPERS["xargs"])
    if position is None:
        walk.unknown()
        return
    options = spelled_out(terms[1:position])
    inner = list(terms[position:]) or [known("echo")]
    has_file = any(term.start.startswith(("-a", "--arg-file")) for term in options)
    passed = stream if has_file else OUTSIDE
    items = None if has_file else _items(stream, options)
    mark = replaced_text([term.text or "" for term in options])
    if items is not None:
        walk.charge(len(items) * WORD_STEPS)
        if mark is None:
            count = count_of_call([term.text or "" for term in options])
            if count is None:
                walk.inner([*inner, Term(((ANY,),), is_many=True)], passed)
                return
            for first in range(0, max(1, len(items)), count):
                walk.inner([*inner, *items[first : first + count]], passed)
        for item in items if mark is not None else ():
            walk.inner(filled_in(inner, mark or "", item), passed)
        return
    names = stream.names if stream.kind == "names" and not has_file else ((ANY,),)
    if mark is None:
        walk.inner([*inner, Term(names, is_many=True)], passed)
    else:
        walk.inner(filled_in(inner, mark, Term(names)), passed)


def _items(stream: Stream, options: Sequence[Term]) -> list[Term] | None:
    """The words of a known input; None for another, or if it contains quotes."""
    if stream.kind != "known" or any(term.text is None for term in options):
        return None
    words = [term.text or "" for term in options]
    delimiter = _delimiter(words)
    if delimiter is not None:
        parts = stream.text.split(delimiter)
        return [known(part) for part in parts if part]
    if set("'\"\\") & set(stream.text):
        return None
    if replaced_text(words) is not None:
        return [known(line.strip()) for line in stream.text.splitlines() if line.strip()]
    return [known(part) for part in stream.text.split()]


# `-0` behind letters of `xargs` that take no value.
_NULL: Final = re.compile(r"-[oprtx]*0")


def _delimiter(words: Sequence[str]) -> str | None:
    """The separator of the input's words, if an option sets it."""
    for index, word in enumerate(words):
        value = None
        if word == "--null" or _NULL.match(word):
            value = "\\0"
        elif word.startswith("--delimiter"):
            after = words[index + 1] if index + 1 < len(words) else ""
            value = word.partition("=")[2] or after
        elif word.startswith("-d"):
            value = word[2:] or (words[index + 1] if index + 1 < len(words) else "")
        if value:
            return {"\\n": "\n", "\\t": "\t", "\\0": "\0"}.get(value, value[:1])
    return None


def filled_in(terms: Sequence[Term], mark: str, item: Term) -> list[Term]:
    """The words, with `item` in place of `mark`."""
    made: list[Term] = []
    for term in terms:
        if mark not in (term.text or ""):
            made.append(term)
            continue
        before, *after = (term.text or "").split(mark)
        readings: list[Reading] = []
        for reading in item.readings:
            parts = [before]
            filled = merged([*parts, *(p for rest in after for p in (*reading, rest))])
            readings.append(filled)
        made.append(Term(tuple(readings)))
    return made


def spelled_out(options: Sequence[Term]) -> list[Term]:
    """The options of `xargs`, each letter a word of its own, long names in full."""
    xargs = WRAPPERS["xargs"]
    made: list[Term] = []
    for term in options:
        text = term.text or ""
        name, equals, value = text.partition("=")
        if text.startswith("--") and text != "--":
            full = sorted(n for n in (*xargs.long_valued, *xargs.long_flags) if n.startswith(name))
            name = name if name in full or not full else full[0]
            made.append(known(f"{name}{equals}{value}"))
            continue
        at = 1
        while text.startswith("-") and at < len(text) - 1 and text[at] in _ALONE:
            made.append(known(f"-{text[at]}"))
            at += 1
        made.append(known(f"-{text[at:]}") if at > 1 else term)
    return made


def count_of_call(words: Sequence[str]) -> int | None:
    """The maximum number of words for each call of `xargs`, by these options; None if unknown."""
    count = 1 << 30
    for index, word in enumerate(words):
        after = words[index + 1] if index + 1 < len(words) else ""
        value: str | None = None
        if word.startswith("--max-a"):
            value = word.partition("=")[2] or after
        elif word.startswith(("--max-l", "--max-c", "--eof", "-L", "-l", "-s", "-E", "-e")):
            return None
        elif found := re.fullmatch(r"-[0oprtx]*n(.*)", word):
            value = found[1] or after
        elif re.fullmatch(r"-[0oprtx]+[LlsEe].*", word):
            return None
        if value is not None:
            if not value.isascii() or not value.isdigit() or not int(value[:9]) > 0:
                return None
            count = int(value[:9])
    return count


def replaced_text(words: Sequence[str]) -> str | None:
    """The mark that `xargs` replaces by its input (`-I {}`) among these options; None for none."""
    for index, word in enumerate(words):
        if word.startswith("-I"):
            return word[2:] or (words[index + 1] if index + 1 < len(words) else "{}")
        if word.startswith("-i"):
            return word[2:] or "{}"
        if word.startswith("--r"):
            return word.partition("=")[2] or "{}"
    return None
