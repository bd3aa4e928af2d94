"""The smallest text that still hides what it starts: forms are left out while it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from .forms import NARROWER, Kind, Leaf, Node, Tree
from .generator import PLAIN, SIMPLEST

TRIES_MAX = 300
"""Chosen: runs of one text; shrinking ends where it is."""


def shrunk(tree: Tree, is_absent: Callable[[Tree], bool]) -> Tree:
    """A tree none of whose simpler trees is absent, or the best of `TRIES_MAX` tries."""
    tries_left = TRIES_MAX
    while True:
        for simpler in _simpler(tree, "C"):
            tries_left -= 1
            if is_absent(simpler):
                tree = simpler
                break
            if tries_left <= 0:
                return tree
        else:
            return tree


def names(tree: Tree) -> tuple[str, ...]:
    """The templates of a tree, sorted: texts of the same forms are one finding."""
    if isinstance(tree, Leaf):
        return ()
    inner = [name for part in tree.parts for name in names(part)]
    return tuple(sorted([tree.form.template, *inner]))


def _simpler(tree: Tree, kind: Kind) -> Iterator[Tree]:
    """Trees with one form less, then with one word or quote less; all of `kind`."""
    if isinstance(tree, Leaf):
        yield from _simpler_leaf(tree)
        return
    simplest = SIMPLEST[kind]
    for inner in _within(tree):
        if inner.kind in NARROWER[kind]:
            yield inner
    if tree.form.parts and tree != simplest and kind in ("I", "O"):
        yield simplest
    plain = tuple(SIMPLEST[part] for part in tree.form.parts)
    if plain != tree.parts:
        yield replace(tree, parts=plain)
    if tree.style:
        yield replace(tree, style=0)
    for index, part in enumerate(tree.parts):
        wanted = tree.form.parts[index]
        before, after = tree.parts[:index], tree.parts[index + 1 :]
        if part != SIMPLEST[wanted]:
            yield replace(tree, parts=(*before, SIMPLEST[wanted], *after))
        for simpler in _simpler(part, wanted):
            yield replace(tree, parts=(*before, simpler, *after))


def _within(tree: Node) -> Iterator[Tree]:
    for part in tree.parts:
        yield part
        if isinstance(part, Node):
            yield from _within(part)


def _simpler_leaf(leaf: Leaf) -> Iterator[Leaf]:
    if leaf == PLAIN:
        return
    if leaf.words != PLAIN.words:
        styles = (leaf.styles[0], *(leaf.styles[1:2] or (0,)))
        yield Leaf(PLAIN.words, styles)
        for index in range(1, len(leaf.words)):
            words = leaf.words[:index] + leaf.words[index + 1 :]
            yield Leaf(words, leaf.styles[:index] + leaf.styles[index + 1 :])
    for index, style in enumerate(leaf.styles):
        if style:
            yield Leaf(leaf.words, (*leaf.styles[:index], 0, *leaf.styles[index + 1 :]))
