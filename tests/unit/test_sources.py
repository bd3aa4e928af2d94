"""Data memories: what they know, what they do not know, and that they are values."""

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from invariants.model.fact import Truth
from invariants.taint.memory import (
    CHARACTERS_OF_TEXT,
    SHOWN_CHARACTERS_MAX,
    STRING_BYTES_MAX,
    Shown,
    SourceMemory,
    fingerprints_of,
    memory_of,
    strings_of,
)
from invariants.taint.tokens import HIDDEN_CHARACTERS_MAX, characters_of, normalised

KEYS = fingerprints_of(b"a key")
FALSE, UNKNOWN, TRUE = Truth.FALSE, Truth.UNKNOWN, Truth.TRUE


def shown(*values: Any, is_certain: bool = True, pairs_max: int = 1_000) -> SourceMemory:
    memory = memory_of(KEYS)
    for value in values:
        memory = memory.taking(value, is_certain=is_certain, pairs_max=pairs_max)
    return memory


def seen(memory: SourceMemory, value: str) -> Truth | None:
    return Shown((memory,)).seen(0, value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("DE89-3704", TRUE),
        ("de89-3704.", TRUE),
        ("send it", TRUE),
        ("send\n  IT", TRUE),
        ("it send", FALSE),
        ("send it to", TRUE),
        ("send to", FALSE),
        ("send it to mallory tomorrow", FALSE),
        ("DE89", FALSE),
        ("key", TRUE),
        ("value", TRUE),
        ("key value", FALSE),
        ("deep", TRUE),
        ("...", None),
        ("", None),
    ],
)
def test_all_neighbours_must_have_been_neighbours(value: str, expected: Truth | None) -> None:
    """In some string each; a single token must have been a token."""
    memory = shown("send it to DE89-3704", {"key": ["value", {"x": ["deep", 1, None, True]}]})
    assert seen(memory, value) == expected


def test_what_was_shown_with_a_doubt_is_unknown_until_it_is_certain() -> None:
    """A doubt about one neighbour is a doubt about the value."""
    doubtful = shown("send it to bob", is_certain=False)
    assert seen(doubtful, "to bob") is UNKNOWN
    assert seen(doubtful, "to alice") is FALSE
    certain = doubtful.taking("to bob", is_certain=True, pairs_max=100)
    assert seen(certain, "to bob") is TRUE
    assert seen(certain, "it to bob") is UNKNOWN
    assert seen(doubtful, "to bob") is UNKNOWN
    again = certain.taking("to bob", is_certain=False, pairs_max=100)
    assert again is certain


def test_a_full_memory_keeps_what_it_has_and_does_not_say_not_seen() -> None:
    """A flood erases nothing, and nothing passes for unseen behind it."""
    memory = shown("first words", pairs_max=4)
    flooded = memory.taking("many other words that find no room", is_certain=True, pairs_max=4)
    assert memory.is_whole and not flooded.is_whole
    assert flooded.length == 4
    assert seen(flooded, "first words") is TRUE
    assert seen(flooded, "find no room") is UNKNOWN
    assert flooded.taking("more", is_certain=True, pairs_max=4) is flooded


def test_a_string_that_is_too_long_is_not_passed_over_in_silence() -> None:
    """Padding is no way round: what was in it is not known."""
    long = "é" * (STRING_BYTES_MAX // 2)
    assert shown(long, pairs_max=10**6).is_whole
    memory = shown(long + " DE89-3704", pairs_max=10**6)
    assert not memory.is_whole
    assert seen(memory, "DE89-3704") is UNKNOWN


def test_many_strings_of_one_event_are_as_bounded_as_a_long_one() -> None:
    """90,000 short ones took 3.6 s of the monitor; keys that are repeated cost nothing."""
    few = [{"name": f"n{n}", "id": n} for n in range(4_000)]
    assert shown(few, pairs_max=10**6).is_whole
    many = [f"n{n}" for n in range(SHOWN_CHARACTERS_MAX // CHARACTERS_OF_TEXT)]
    memory = shown([*many, "DE89-3704"], pairs_max=10**6)
    assert not memory.is_whole and memory.length < len(many)
    assert seen(memory, "n0") is TRUE and seen(memory, "DE89-3704") is UNKNOWN


@pytest.mark.parametrize("written", [str, lambda text: ascii(text)[1:-1], quote])
def test_a_sign_that_is_a_sentence_counts_as_one(written: Callable[[str], str]) -> None:
    """U+FDFA is 18 characters in the one form: 900 KiB of it were six million, 16 s of work."""
    few, many = "\ufdfa" * 100, "\ufdfa" * (HIDDEN_CHARACTERS_MAX // 18)
    assert characters_of(few) == len(normalised(few))
    assert shown(written(few), pairs_max=10**6).is_whole
    memory = shown([written(many), many + "a DE89-3704"], pairs_max=10**6)
    assert not memory.is_whole
    assert seen(memory, "DE89-3704") is UNKNOWN


def test_versions_of_one_history_stay_as_they_are() -> None:
    """An old version does not see what a newer one took in, and both can go on."""
    empty = memory_of(KEYS)
    first = empty.taking("one", is_certain=True, pairs_max=100)
    left = first.taking("left", is_certain=True, pairs_max=100)
    right = first.taking("right", is_certain=True, pairs_max=100)
    other = empty.taking("other", is_certain=True, pairs_max=100)
    told = [
        [seen(m, w) for w in ("one", "left", "right", "other")]
        for m in (empty, first, left, right, other)
    ]
    assert told == [
        [FALSE, FALSE, FALSE, FALSE],
        [TRUE, FALSE, FALSE, FALSE],
        [TRUE, TRUE, FALSE, FALSE],
        [TRUE, FALSE, TRUE, FALSE],
        [FALSE, FALSE, FALSE, TRUE],
    ]


def test_only_from_one_and_from_no_other() -> None:
    """In Kleene's values over both memories."""
    user, web = shown("pay bob"), shown("pay mallory bob")
    both = Shown((user, web))
    assert both.only_from(1, (0,), "mallory") is TRUE
    assert both.only_from(1, (0,), "bob") is FALSE
    assert both.only_from(1, (0,), "nobody") is FALSE
    assert both.only_from(1, (), "bob") is TRUE
    assert both.only_from(1, (0,), "--") is FALSE
    assert both.only_from(1, (0,), "!") is None
    doubtful = Shown((user, shown("mallory", is_certain=False)))
    assert doubtful.only_from(1, (0,), "mallory") is UNKNOWN
    assert doubtful.only_from(1, (0,), "bob") is FALSE
    full = Shown((shown("a b c d", pairs_max=2), web))
    assert full.only_from(1, (0,), "mallory") is UNKNOWN


def test_in_a_child_only_from_is_unknown() -> None:
    """What the parent was shown is not here; what is no value stays none."""
    child = Shown((shown("a"), shown("b")), is_child=True)
    assert child.only_from(1, (0,), "b") is UNKNOWN
    assert child.only_from(1, (0,), "nothing") is UNKNOWN
    assert child.only_from(1, (0,), "?") is None
    assert child.seen(1, "b") is TRUE


def test_an_agent_that_encodes_or_decodes_is_not_lost() -> None:
    """Either side may be written in base64, percent or escapes."""
    encoded = base64.b64encode(b"DE89-3704 0044").decode()
    assert seen(shown(f"pay to {encoded}, please"), "DE89-3704 0044") is TRUE
    assert seen(shown("pay to DE89-3704 0044"), encoded) is TRUE
    assert seen(shown("pay to DE89-3704 0044"), "DE89%2D3704%200044") is TRUE


def test_a_value_is_not_the_users_because_its_base64_is() -> None:
    """A stranger who names himself after base64 of what the user said is still a stranger."""
    stranger = base64.b64encode(b"monthly rent").decode()
    memories = Shown((shown("pay my monthly rent"), shown(f"send it to {stranger}")))
    assert memories.only_from(1, (0,), stranger) is TRUE
    decoded = Shown((shown("pay DE89-3704"), shown("weather")))
    assert decoded.only_from(1, (0,), base64.b64encode(b"DE89-3704").decode()) is FALSE


def test_strings_of_any_depth_are_found_in_order() -> None:
    """Walked without recursion."""
    deep: Any = "end"
    for number in range(5_000):
        deep = [deep] if number % 2 else {"k": deep}
    assert list(strings_of(deep)).count("k") == 2_500
    assert list(strings_of({"a": ["b", {"c": "d"}], "e": 1})) == ["a", "b", "c", "d", "e"]


def test_nothing_that_was_said_and_no_key_can_be_read_out_of_a_memory() -> None:
    """Fingerprints by another key are other ones, and the key is not shown."""
    memory = shown("the secret word")
    other = memory_of(fingerprints_of(b"b key")).taking(
        "the secret word", is_certain=True, pairs_max=100
    )
    assert not {e.fingerprint for e in memory.entries()} & {e.fingerprint for e in other.entries()}
    assert KEYS.key.hex() not in repr(memory) and repr(KEYS.key) not in repr(memory)
    assert KEYS.id != fingerprints_of(b"b key").id


@pytest.mark.parametrize(
    ("value", "by_user"),
    [
        # In another spelling of what both showed.
        ("https://wiki:443/a%7eb", "https://wiki/a~b"),
        ("https://wiki/a%7eb", "https://wiki/a/../a~b"),
        # A full stop behind the host.
        ("https://corp.example.", "https://corp.example/"),
        ("see https://corp.example.", "HTTPS://me:pw@corp.example:443"),
        ("https://a.example/\nhttps://corp.example/", "https://a.example, https://corp.example"),
    ],
)
def test_in_whatever_way_an_address_is_written_both_showed_it(value: str, by_user: str) -> None:
    """Who wrote it just so is not the only one who showed it."""
    memories = Shown((shown(by_user), shown(value)))
    assert memories.only_from(1, (0,), value) is FALSE
    assert memories.seen(0, value) is TRUE


def test_lines_that_may_be_one_address_are_doubtful_beside_one_that_stands_on_a_line() -> None:
    """`me.` and `bob@corp.example` on two lines: readers who drop line ends write to another."""
    value = "me.\nbob@corp.example"
    memories = Shown((shown("bob@corp.example"), shown(value)))
    assert memories.only_from(1, (0,), value) is UNKNOWN
    assert Shown((shown(value), shown("bob@corp.example"))).only_from(1, (0,), value) is FALSE
    broken = "bob@cor\np.example"
    assert Shown((shown("x"), shown(broken))).only_from(1, (0,), broken) is TRUE


@pytest.mark.parametrize(
    ("value", "by_user", "by_web"),
    [
        # One host, for who drops line ends.
        ("https://evil.e\nxample://ok\nbc://d/../../../../pay", "pay", "https://evil.example/pay"),
        ("https://evil.e\nxample://ok/../..", "https://evil.e ok", "https://evil.example/"),
        # Another page of a host that was named.
        (
            "https://a.example/x\nhttps://c/../../../p",
            "https://a.example/x https://c/p",
            "https://a.example/p",
        ),
        # What stands beside the URL is somebody's as well.
        ("https://ok.example/ x%40evil", "https://ok.example/", "https://ok.example/ x@evil"),
    ],
)
def test_an_address_of_the_user_hides_none_of_a_stranger(
    value: str, by_user: str, by_web: str
) -> None:
    memories = Shown((shown(by_user), shown(by_web)))
    assert memories.only_from(1, (0,), value) is not FALSE
