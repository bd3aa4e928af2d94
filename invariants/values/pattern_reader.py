"""Text of a pattern in RE2's syntax -> fragments of an automaton (`pattern_states.py`).

Recursive descent. A repetition with numbers (`{2,5}`) is expanded, so its body is read repeatedly.
Greedy or lazy, captured or not: these are equivalent here, since only a match is tested.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from .pattern_states import Builder, Fragment, NotReadError, Range, Signs

_LAST: Final = 0x10FFFF
_REPEATS_MAX: Final = 1_000  # Source: RE2 refuses more.
_DEPTH_MAX: Final = 100  # Chosen: groups within groups; keeps recursion bounded.

_DIGIT: Final[tuple[Range, ...]] = ((0x30, 0x39),)
_SPACE: Final[tuple[Range, ...]] = ((9, 10), (12, 13), (32, 32))
_WORD: Final[tuple[Range, ...]] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_CLASSES: Final = {"d": _DIGIT, "s": _SPACE, "w": _WORD}
_LETTERS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_PLACES: Final = {"A": "start", "z": "end", "b": "border", "B": "inside"}


@dataclass(frozen=True, slots=True)
class _Flags:
    folds: bool = False
    lines: bool = False
    dot_all: bool = False


class Reader:
    """One pattern and a position in it."""

    def __init__(self, pattern: str, builder: Builder) -> None:
        self._text, self._position, self._depth = pattern, 0, 0
        self._builder, self._flags = builder, _Flags()

    def whole(self) -> Fragment:
        """The whole pattern."""
        made = self._alternatives()
        if self._position < len(self._text):
            raise NotReadError
        return made

    def _next(self) -> str:
        return self._text[self._position : self._position + 1]

    def _take(self) -> str:
        sign = self._next()
        if not sign:
            raise NotReadError
        self._position += 1
        return sign

    def _alternatives(self) -> Fragment:
        flags = self._flags
        choices = [self._sequence()]
        while self._next() == "|":
            self._position += 1
            choices.append(self._sequence())
        self._flags = flags
        return choices[0] if len(choices) == 1 else self._builder.either(choices)

    def _sequence(self) -> Fragment:
        made = self._builder.nothing()
        while self._next() not in ("", "|", ")"):
            made = self._builder.sequence(made, self._repeated())
        return made

    def _repeated(self) -> Fragment:
        start, flags = self._position, self._flags
        made = self._atom()
        while (sign := self._next()) and sign in "*+?{":
            end = self._position
            self._position += 1
            if sign == "*":
                made = self._builder.repeated(made)
            elif sign == "?":
                made = self._builder.optional(made)
            else:
                counts = (1, None) if sign == "+" else self._counts()
                if counts is None:
                    self._position = end + 1
                    return self._builder.sequence(made, self._sign("{"))
                made = self._written_out(made, (start, end), counts, flags)
            if self._next() == "?":
                self._position += 1
            start = -1  # A repetition of a repetition cannot be read again.
        return made

    def _counts(self) -> tuple[int, int | None] | None:
        """The content of `{2,5}`; None if the brace is a plain character."""
        end = self._text.find("}", self._position)
        first, comma, second = self._text[self._position : max(end, self._position)].partition(",")
        if not first.isdigit() or (second and not second.isdigit()):
            return None
        self._position = end + 1
        most = int(second) if second else (None if comma else int(first))
        if max(int(first), most or 0) > _REPEATS_MAX:
            raise NotReadError
        return int(first), most

    def _written_out(
        self,
        first: Fragment,
        span: tuple[int, int],
        counts: tuple[int, int | None],
        flags: _Flags,
    ) -> Fragment:
        """The atom of `span`, already read as `first`, repeated."""
        if span[0] < 0:
            raise NotReadError
        least, most = counts
        parts = [first] if least else []
        unused = None if least else first
        while len(parts) < least:
            parts.append(self._again(span, flags))
        if most is None:
            parts.append(self._builder.repeated(unused or self._again(span, flags)))
        for _ in range(0 if most is None else most - least):
            parts.append(self._builder.optional(unused or self._again(span, flags)))
            unused = None
        made = self._builder.nothing()
        for part in parts:
            made = self._builder.sequence(made, part)
        return made

    def _again(self, span: tuple[int, int], flags: _Flags) -> Fragment:
        after, now = self._position, self._flags
        self._position, self._flags = span[0], flags
        made = self._atom()
        self._position, self._flags = after, now
        return made

    def _atom(self) -> Fragment:
        sign = self._take()
        match sign:
            case "(":
                return self._group()
            case "[":
                return self._builder.reading(self._class())
            case ".":
                return self._builder.reading(
                    Signs(((0, _LAST),)) if self._flags.dot_all else _without(((10, 10),))
                )
            case "^":
                return self._builder.asserting("line start" if self._flags.lines else "start")
            case "$":
                return self._builder.asserting("line end" if self._flags.lines else "end")
            case "\\":
                return self._escaped()
            case "*" | "+" | "?":
                raise NotReadError
            case _:
                return self._sign(sign)

    def _sign(self, sign: str) -> Fragment:
        return self._builder.reading(self._folded(((ord(sign), ord(sign)),)))

    def _folded(self, ranges: tuple[Range, ...]) -> Signs:
        if not self._flags.folds:
            return Signs(ranges)
        more: list[Range] = list(ranges)
        for low, high in ranges:
            if high - low > 0xFFFF or high >= 0x80:
                # How letters beyond ASCII fold is RE2's own.
                return Signs(((0, _LAST),)) if high < 0x80 else _not_read()
            for code in range(low, high + 1):
                sign = chr(code)
                more += [(ord(other), ord(other)) for other in {sign.lower(), sign.upper()}]
                # Source: Unicode's simple folding: these two fold into ASCII.
                more += {"k": [(0x212A, 0x212A)], "s": [(0x17F, 0x17F)]}.get(sign.lower(), [])
        return Signs(tuple(more))

    def _group(self) -> Fragment:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise NotReadError
        flags = self._flags
        if self._next() == "?":
            self._position += 1
            if not self._flagged():
                self._depth -= 1
                return self._builder.nothing()
        made = self._alternatives()
        if self._take() != ")":
            raise NotReadError
        self._depth -= 1
        self._flags = flags
        return made

    def _flagged(self) -> bool:
        """Flags after `(?`: True if a group follows, False if they apply from here on."""
        if self._next() == "P":
            self._position += 1
        if self._next() == "<":
            end = self._text.find(">", self._position)
            if end < 0:
                raise NotReadError
            self._position = end + 1
            return True
        is_on = True
        while (sign := self._take()) not in ":)":
            match sign:
                case "-":
                    is_on = False
                case "i":
                    self._flags = replace(self._flags, folds=is_on)
                case "m":
                    self._flags = replace(self._flags, lines=is_on)
                case "s":
                    self._flags = replace(self._flags, dot_all=is_on)
                case _:
                    raise NotReadError
        return sign == ":"

    def _escaped(self) -> Fragment:
        sign = self._take()
        if sign in _PLACES:
            return self._builder.asserting(_PLACES[sign])
        if sign.lower() in _CLASSES:
            return self._builder.reading(_class_of(sign))
        return self._sign(self._character(sign))

    def _character(self, sign: str) -> str:
        """The character for a backslash followed by `sign`."""
        if sign in _LETTERS:
            return _LETTERS[sign]
        if sign == "x":
            digits = self._text[self._position : self._position + 2]
            if digits.startswith("{"):
                end = self._text.find("}", self._position)
                digits = self._text[self._position + 1 : max(end, self._position)]
                self._position = end + 1
            else:
                self._position += 2
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise NotReadError from None
        if sign.isalnum():
            raise NotReadError
        return sign

    def _class(self) -> Signs:
        is_negated = self._next() == "^"
        self._position += is_negated
        ranges: list[Range] = []
        is_first = True
        while self._next() != "]" or is_first:
            is_first = False
            ranges += self._of_class()
        self._position += 1
        signs = self._folded(tuple(ranges))
        return _without(signs.ranges) if is_negated else signs

    def _of_class(self) -> tuple[Range, ...]:
        if self._text.startswith("[:", self._position):
            raise NotReadError
        sign = self._take()
        if sign == "\\":
            sign = self._take()
            if sign.lower() in _CLASSES:
                return _class_of(sign).ranges
            sign = self._character(sign)
        low = high = ord(sign)
        rest = self._text[self._position : self._position + 2]
        if rest.startswith("-") and rest != "-]" and len(rest) == 2:
            self._position += 1
            end = self._take()
            high = ord(self._character(self._take()) if end == "\\" else end)
        if high < low:
            raise NotReadError
        return ((low, high),)


def _not_read() -> Signs:
    raise NotReadError


def _class_of(letter: str) -> Signs:
    ranges = _CLASSES[letter.lower()]
    return Signs(ranges) if letter.islower() else _without(ranges)


def _without(ranges: tuple[Range, ...]) -> Signs:
    """Every character but those of `ranges`."""
    left: list[Range] = []
    at = 0
    for low, high in sorted(ranges):
        if low > at:
            left.append((at, low - 1))
        at = max(at, high + 1)
    if at <= _LAST:
        left.append((at, _LAST))
    return Signs(tuple(left))
