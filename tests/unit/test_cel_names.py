"""`named_any`: one name, however it is spelled."""

from __future__ import annotations

import random

import pytest

from invariants.cel.names import named_any, named_matcher, spelled
from invariants.cel.values import Failure

PATTERNS = ["**send_email**", "exec", "**_get_**", "http.post"]


@pytest.mark.parametrize(
    ("name", "is_named"),
    [
        ("sendEmail", True),
        ("send-email", True),
        ("SendEmail", True),
        ("SEND_EMAIL", True),
        ("sendemail", True),
        ("mcp__gmail__sendEmailNow", True),
        ("listEmails", False),
        ("exec", True),
        ("Exec", True),
        ("execute", False),
        ("getUser", True),
        ("user.get", True),
        ("widget", False),
        ("HTTP.POST", True),
        ("HTTPPost", True),
        ("", False),
        ("__", False),
    ],
)
def test_spellings(name: str, is_named: bool) -> None:
    """Case, separators and camelCase say nothing; the border of a word does."""
    assert named_matcher(PATTERNS)(name) is is_named
    assert named_any(PATTERNS, name) is is_named


def test_all_spellings_of_words_agree() -> None:
    """A list of words is one name, in whatever way they are joined."""
    chance = random.Random(3)
    words = ["send", "email", "http", "get", "user", "v2", "mcp", "list"]
    for _ in range(500):
        chosen = chance.choices(words, k=chance.randrange(1, 5))
        joined = {
            "_".join(chosen),
            "-".join(chosen),
            "__".join(chosen).upper(),
            chosen[0] + "".join(word.capitalize() for word in chosen[1:]),
            " ".join(chosen),
        }
        pattern = "**" + "_".join(chosen) + "**"
        assert all(named_any([pattern], name) for name in joined)
        assert named_any([pattern], "".join(chosen))
        assert len({spelled(name) for name in joined}) == 1


def test_hostile_names_are_refused_or_answered() -> None:
    """Length is bounded, and nothing but text is a name."""
    with pytest.raises(Failure):
        named_matcher(PATTERNS)("a" * 1_001)
    for value in (None, 1, ["a"]):
        with pytest.raises(Failure):
            named_any(PATTERNS, value)
    assert not named_matcher(PATTERNS)("aB" * 500)
