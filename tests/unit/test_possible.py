"""Patterns over texts of which parts are not known: always, never, or it depends."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import re2

from invariants.values.possible import (
    SHORT_PATTERN,
    Gap,
    Part,
    Visits,
    _of_one,
    _runner,
    _search,
    alternatives,
    search,
)
from invariants.values.unknown_text import ANY, BELOW, GLOB, GLOB_FIRST, NAME, PROGRAM, exactly

GAPS = (ANY, NAME, PROGRAM, BELOW, GLOB, GLOB_FIRST)
PATTERNS = (
    r"(^|/)(rm|chmod)$",
    r"^-[a-zA-Z]*[rR]|^--r",
    r"^(~[^/]*)/*[*.]*$",
    r"(?i)\bwhere\b",
    r"^/home/[^/]+/*[*]?$",
    r"a{2,3}b?$",
    r"[^a-c]x",
    r"x|^y$",
    r"\Brm\b",
    r"(?m)^rm$",
    r"(a|b){0,2}x{3,}",
    r"^$",
    r"(?:^-+|x*?)y",
)
SIGNS = "/-rmRa~.b xyWHEREwhere_0247s+=[]homeann\n"
WORDS = ("/bin/rm", "rm", "-r", "--r", "/home/a", "~", "where", "aab", "x", "y", "xxx", "\nrm\n")


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        (PATTERNS[0], (ANY, "/bin/rm"), True),
        (PATTERNS[0], (ANY, "/bin/python"), False),
        (PATTERNS[0], (PROGRAM,), None),
        (PATTERNS[1], (PROGRAM,), False),
        (PATTERNS[4], ("/home/", NAME), True),
        (PATTERNS[4], ("/home/", ANY), None),
        (PATTERNS[4], ("/home/a/b", NAME), False),
        (r"^(a|[^a])", (NAME,), True),
        (r"\pL", ("a", ANY), None),  # Not understood: nothing is proven.
        ("a", ("a",), True),
    ],
)
def test_what_is_certain(pattern: str, text: Sequence[Part], answer: bool | None) -> None:
    """A proof either way, or none."""
    assert search(pattern, text) is answer


def _filling(gap: Gap, chance: random.Random) -> str:
    while True:
        size = chance.randrange(4)
        text = (
            chance.choice(WORDS)
            if chance.random() < 0.4
            else "".join(chance.choices(SIGNS, k=size))
        )
        is_wrong = any(sign in gap.unlike for sign in text)
        is_wrong = is_wrong or (text[:1] != "" and text[0] in gap.unlike_first)
        if not is_wrong and (text or gap.is_empty):
            return text


def test_no_filling_says_otherwise() -> None:
    """What is answered for a text with gaps, RE2 answers for every text that it could be."""
    chance = random.Random(5)
    certain = 0
    for _ in range(4_000):
        pattern = chance.choice(PATTERNS)
        text: list[Part] = []
        for _ in range(chance.randrange(1, 5)):
            text.append(chance.choice((chance.choice(GAPS), chance.choice(WORDS))))
        answer = search(pattern, tuple(text))
        certain += answer is not None
        for _ in range(8 if answer is not None else 0):
            filled = "".join(_filling(p, chance) if isinstance(p, Gap) else p for p in text)
            assert (re2.search(pattern, filled) is not None) is answer, (pattern, text, filled)
    assert certain > 1_500


def test_of_a_known_text_it_says_what_re2_says() -> None:
    """The automaton reads the patterns as RE2 does."""
    chance = random.Random(6)
    for _ in range(4_000):
        pattern = chance.choice(PATTERNS)
        text = "".join(chance.choices(SIGNS, k=chance.randrange(8)))
        assert search(pattern, (text,)) is (re2.search(pattern, text) is not None)
    assert search(exactly("a.b*\n"), ("a.b*\n",)) is True


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("a", ("a",)),
        ("(a|b)c", ("(a|b)c",)),
        (r"(?i)a|b(c|d)|[|x]|\||\Qe|f\E|[]|]g", None),
        ("a|", ("a", "")),
    ],
)
def test_a_pattern_is_cut_at_its_alternatives(pattern: str, parts: tuple[str, ...] | None) -> None:
    """Not within brackets, classes and quotations; flags stand before each part."""
    marked = (r"(?i)a", r"(?i)b(c|d)", r"(?i)[|x]", r"(?i)\|", r"(?i)\Qe|f\E", r"(?i)[]|]g")
    assert alternatives(pattern) == (marked if parts is None else parts)


def test_a_long_list_of_alternatives() -> None:
    """Each is asked alone: one that always matches decides, as do all that never match."""
    names = [f"^name-{index}$" for index in range(20)]
    pattern = "|".join(names)
    assert search(pattern, ("name-7",)) is True
    assert search(pattern, ("name-", NAME)) is None
    assert search(pattern, ("other-", NAME)) is False
    assert search("|".join([*names, "^other"]), ("other-", NAME)) is True


def test_a_text_of_which_nothing_is_known() -> None:
    """A long pattern is not proven either way; a short one is."""
    assert search("^" + "x" * SHORT_PATTERN, (ANY,)) is None
    assert search("x*", (ANY,)) is True


def test_large_patterns_are_given_up() -> None:
    """Counted repetitions behind a gap take more visits than are made."""
    assert search("([a-z]{40}|[b-z]{39}1)[a-z]{90}[0-9]{20}$", ("x", NAME, "y")) is None


def test_answers_do_not_depend_on_earlier_texts() -> None:
    """Each text is asked of fresh patterns, and of patterns that remember all other texts."""
    chance = random.Random(11)
    texts = [
        [chance.choice((chance.choice(GAPS), chance.choice(WORDS))) for _ in range(5)]
        for _ in range(30)
    ]
    long = "|".join(f"(^|/)name{n}[.]key" for n in range(20))
    remembering = [[_search(pattern, text) for pattern in (*PATTERNS, long)] for text in texts]
    for text, known in zip(texts, remembering, strict=True):
        _runner.cache_clear()
        assert [_search(pattern, text) for pattern in (*PATTERNS, long)] == known, text


def test_a_text_that_visits_too_much_is_undecided_each_time() -> None:
    """The first time its visits are counted, later they are remembered with what they found."""
    pattern = "(x{0,9}y){20}"
    text = [part for _ in range(60) for part in ("x", ANY)]
    assert [_search(pattern, text) for _ in range(3)] == [None] * 3
    short = ["xy" * 40]
    _runner.cache_clear()
    counts = []
    for _ in range(2):
        visits = Visits()
        _of_one("(x{0,9}y){20}z", short, visits)
        counts.append(visits.count)
    assert counts[0] == counts[1] > 0
