"""A share of `make shells`: what Bash and dash start, `shell_commands` lists or calls unknown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .forms import Form, Leaf, Node, Tree, rendered
from .generator import FORMS, PLAIN, SIMPLEST, tree_of
from .judge import Listing, listing, told
from .result import lines
from .shrinking import names, shrunk
from .trial import Tally, runs, shells, tallies

SEED = 0
WHOLE_COUNT = 20_000
"""Texts of `make shells`."""
FORMS_STEP, COMPOSED_COUNT = 10, 200
"""Chosen: every tenth form and 200 texts of several, some ten seconds."""

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="rooms need Linux"),
    pytest.mark.skipif(not shells(), reason="there is neither bash nor dash here"),
]


def test_nothing_that_a_shell_starts_is_silently_absent(left_out: Callable[[str], None]) -> None:
    """A share of the texts: whatever ran is listed, or may be something that is not known."""
    indices = [*range(0, len(FORMS), FORMS_STEP)]
    indices += range(len(FORMS), len(FORMS) + COMPOSED_COUNT)
    tally = Tally()
    for part in tallies(SEED, indices, 1):
        tally.add(part)
    assert not tally.absent, "\n".join(lines(tally, SEED, 0))
    assert sum(tally.told.values()) > len(indices), "most texts start the marker"
    left_out(f"{WHOLE_COUNT - len(indices)} of {WHOLE_COUNT} shell texts: `make shells`")


def test_a_seed_gives_the_same_texts() -> None:
    """Text and index belong together: a finding can be looked at again."""
    index = len(FORMS) + 7
    assert rendered(tree_of(3, index)) == rendered(tree_of(3, index))
    assert rendered(tree_of(3, index)) != rendered(tree_of(4, index))


def test_every_form_stands_for_text() -> None:
    """Templates have no hole that is not filled, and none is there twice."""
    for form in FORMS:
        text = rendered(Node(form, tuple(SIMPLEST[kind] for kind in form.parts)))
        assert not any(f"%{hole}" in text for hole in "CSXNAIOBH<>"), text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mark 'a b' '' -- '*'", [("a b", "", "--", "*")]),
        ("mark hi &", [("hi",)]),
        ("(setsid -f sh -c 'sleep 0.1; mark late') &", [("late",)]),
        ("mark 'a\nb'; mark $((1 + 1))", [("a\nb",), ("2",)]),
        (": mark hi", []),
    ],
)
def test_what_the_marker_was_given_is_seen(text: str, words: list[tuple[str, ...]]) -> None:
    """Also in the background and in other sessions, without a wait of our own."""
    for path in shells().values():
        (ran,) = runs(path, [text])
        assert [mark[1:] for mark in ran.marks] == words
        assert not ran.is_late


def test_nothing_outlives_its_text() -> None:
    """A text that does not end is killed with everything that it started in other sessions."""
    turning = "setsid -f sh -c 'while sleep 0.05; do mark turn; done'; mark first; sleep 60"
    for path in shells().values():
        first, second = runs(path, [turning, "sleep 0.3; mark second"], seconds_max=1.0)
        assert first.is_late
        assert ("turn",) in [mark[1:] for mark in first.marks]
        assert [mark[1:] for mark in second.marks] == [("second",)]


def test_no_text_writes_outside_its_folder(tmp_path: Path) -> None:
    """Whoever runs the test, and wherever a text has gone."""
    outside = tmp_path / "outside"
    text = f"for f in ../x ~/bin/x '{outside}' /x /dev/x; do touch $f || mark $f; done; touch x"
    for path in shells().values():
        (ran,) = runs(path, [text])
        assert [Path(mark[1]).name for mark in ran.marks] == ["x", "x", "outside", "x", "x"]
        assert not outside.exists()


def test_a_text_leaves_no_file_to_the_next() -> None:
    """Texts of one room are judged as if each were alone."""
    for path in shells().values():
        _, second = runs(path, ["echo x > f; mkdir -p d/e; ln -s / d/root", "mark *"])
        assert [mark[1:] for mark in second.marks] == [("*",)]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (Listing((("mark", "hi"),)), "known"),
        (Listing((("ls",), ("/a/mark", "hi"))), "known"),
        (Listing((("mark", "ho"),)), "absent"),
        (Listing((("mark",),)), "absent"),
        (Listing((("mark", "hi", "ho"),)), "absent"),
        (Listing((("remark", "hi"),)), "absent"),
        (Listing(()), "absent"),
        (Listing((), "Failure: open quote"), "unknown"),
    ],
)
def test_judgement_of_known_words(listed: Listing, expected: str) -> None:
    """Word for word, the program by its name or its path."""
    assert told(listed, ("/room/bin/mark", "hi")) == expected


def test_an_absent_text_is_shrunk_to_the_form_at_fault() -> None:
    """Forms around it and beside it, words and quotes are left out."""
    fault = Form("X", "nice -5 %X", "wrappers")
    group = Form("C", "{ %C; }", "compound")
    both = Form("C", "%C; %C", "lists")
    marker = Leaf(("mark", "a b", "ho"), (3, 1, 0))
    tree: Tree = Node(both, (Node(group, (PLAIN,)), Node(group, (Node(fault, (marker,)),))))
    small = shrunk(tree, lambda smaller: fault.template in names(smaller))
    assert rendered(small) == "nice -5 mark hi"
    assert names(small) == (fault.template,)


def test_a_failure_is_told_as_unknown() -> None:
    """Text that cannot be read is not silently absent."""
    assert told(listing("mark hi; echo 'x"), ("mark", "hi")) == "unknown"
