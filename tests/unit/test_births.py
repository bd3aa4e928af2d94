"""Which invariants have not seen a scope's past."""

from __future__ import annotations

import pytest

from monitor.kernel.births import Births, next_births


def after(*starts: str) -> Births:
    """What is known after starts with these invariants, each a letter."""
    births, stored = Births(), None
    for letters in starts:
        births = next_births(stored, letters, 7)
        stored = births.stored()
    return births


def test_a_first_start_has_seen_nothing() -> None:
    """Scopes of a store that knows no epochs were stepped by another program."""
    births = after("ab")
    assert births.epoch == 1
    assert births.unseen(0) == {"a", "b"}
    assert births.unseen(1) == frozenset()


def test_the_same_invariants_in_any_order_begin_no_epoch() -> None:
    """A restart is no birth."""
    assert after("ab", "ba", "abb") == after("ab")


def test_a_new_one_is_born_and_the_others_go_on() -> None:
    """An edited invariant has another digest: it is a new one."""
    births = after("ab", "abc")
    assert births.unseen(1) == {"c"}
    assert births.unseen(2) == frozenset()


def test_one_that_comes_back_is_born_again() -> None:
    """It has missed what came while it was away."""
    births = after("ab", "b", "ab")
    assert births.unseen(2) == {"a"}
    assert births.unseen(1) == {"a"}
    assert after("ab", "b", "b", "ab", "abc").unseen(3) == {"c"}


@pytest.mark.parametrize("stored", ["", "{}", "[1]", '[1, {"a": "x"}, {}]', "[1, {}]"])
def test_what_is_no_record_of_births_is_an_error(stored: str) -> None:
    """Damage must not pass for a first start: what was seen would count as unseen."""
    with pytest.raises(ValueError, match=r".+"):
        next_births(stored, "a", 7)
