"""Shell texts from seeds: every form once in plain dress, then forms within forms.

The same seed and index give the same text in every run of one version of the tables. All that a
text starts is the marker, or a program that only reads, or that writes below its own folder.
"""

from __future__ import annotations

import random
from typing import Final

from . import (
    tables_builtins,
    tables_code,
    tables_expansions,
    tables_programs,
    tables_streams,
    tables_syntax,
)
from .forms import NARROWER, Form, Kind, Leaf, Node, Tree, rendered
from .quoting import DRESSES, QUOTES

FORMS: Final[tuple[Form, ...]] = (
    *tables_syntax.TABLES,
    *tables_expansions.TABLES,
    *tables_builtins.TABLES,
    *tables_programs.TABLES,
    *tables_streams.TABLES,
    *tables_code.TABLES,
)
TEXT_CHARACTERS_MAX: Final = 3_000
"""Chosen: quotes within quotes double at each depth; a longer text is drawn again."""

DEPTH_MAX: Final = 5
PLAIN: Final = Leaf(("mark", "hi"), (0, 0))
ECHO: Final = Node(Form("I", "echo %<%P%>", "writers"), (PLAIN,))
SHELL: Final = Node(Form("O", "sh", "runners"), ())
SIMPLEST: Final[dict[Kind, Tree]] = {
    **{"C": PLAIN, "S": PLAIN, "X": PLAIN, "P": PLAIN},
    **{"I": ECHO, "O": SHELL},
}

_WORDS: Final = ("hi", "-rf", "/", "a b", "*", "--no-verify", "x=1", "~", "", "$x", "it's", "-")
_MORE_WORDS: Final = (
    "#",
    "if",
    "then",
    "do",
    "in",
    "{",
    "}",
    "[[",
    "]]",
    "2",
    "{a,b}",
    "\u00e9",
    "a\nb",
    "\\",
    "a\\nb",
    '"',
    "`x`",
    "!",
    ";",
    "[x]",
    "()",
)
_PLAIN_WORDS: Final = ("hi", "ho", "-rf", "/", "-x", "/etc/x", "a.b", "1", "--all", "x=1")
_GROUPS: Final[dict[str, tuple[int, bool]]] = {
    # Chosen: weight of the group, and whether it costs little to run.
    **{"lists": (4, True), "compound": (8, True), "expansions": (8, True)},
    **{"here-documents": (6, True), "redirections": (3, True), "assignments": (3, True)},
    **{"builtins": (5, True), "subscripts": (4, True), "variables": (7, True)},
    **{"shells": (5, True), "wrappers": (7, False), "find": (3, True), "xargs": (4, True)},
    **{"streams": (9, True), "interpreters": (2, False), "writers": (1, True)},
    "runners": (1, True),
}


def tree_of(seed: int, index: int) -> Tree:
    """The text number `index` of a seed, as a tree."""
    if index < len(FORMS):
        return _wrapped(_plainly(FORMS[index]))
    draw = random.Random(f"{seed}:{index}")
    while True:
        tree = _drawn(draw, "C", draw.randint(1, DEPTH_MAX))
        if len(rendered(tree)) <= TEXT_CHARACTERS_MAX:
            return tree


def _plainly(form: Form) -> Node:
    return Node(form, tuple(SIMPLEST[kind] for kind in form.parts))


def _wrapped(node: Node) -> Tree:
    """As commands: a writer is run, and a runner gets something to read."""
    if node.kind == "I":
        return Node(Form("C", "%I | %O", "streams"), (node, SHELL))
    if node.kind == "O":
        return Node(Form("C", "%I | %O", "streams"), (ECHO, node))
    return node


_BY_KIND: Final[dict[Kind, dict[str, list[Form]]]] = {}
for _kind in NARROWER:
    _by_group: dict[str, list[Form]] = {}
    for _form in FORMS:
        if _form.kind in NARROWER[_kind]:
            _by_group.setdefault(_form.group, []).append(_form)
    _BY_KIND[_kind] = _by_group


def _drawn(draw: random.Random, kind: Kind, depth: int) -> Tree:
    groups = _BY_KIND[kind]
    if kind == "P":
        return _plain(draw)
    if depth <= 0 or not groups:
        return SIMPLEST[kind] if kind in ("I", "O") else _leaf(draw)
    if kind in ("I", "O") and draw.random() < 0.4:
        return SIMPLEST[kind]
    weights = [_GROUPS[group][0] for group in groups]
    form = draw.choice(groups[draw.choices(list(groups), weights)[0]])
    style = draw.randrange(len(QUOTES)) if draw.random() < 0.4 else 0
    parts = tuple(_drawn(draw, part, depth - draw.randint(1, 2)) for part in form.parts)
    return Node(form, parts, style)


def _plain(draw: random.Random) -> Leaf:
    words = ("mark", *draw.choices(_PLAIN_WORDS, k=draw.randint(1, 2)))
    return Leaf(words, (0,) * len(words))


def _leaf(draw: random.Random) -> Leaf:
    words = ("mark", *draw.choices((*_WORDS, *_MORE_WORDS), k=draw.choice((0, 1, 1, 1, 2, 3))))
    styles = [draw.randrange(len(DRESSES)) if draw.random() < 0.35 else 0 for _ in words]
    return Leaf(words, tuple(styles))
