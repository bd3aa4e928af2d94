"""Forms of shell text, and how a form with its parts becomes text.

A form is a template. Its holes:

| hole | stands for |
|---|---|
| `%C` | commands; a `;` behind it gives way to a line's end where the commands need one |
| `%S` | a simple command; `%X` one whose program is a file, not a builtin |
| `%P` | a plain command: the marker and words without quotes; `%N` its program, `%A` the words |
| `%I` | a command that writes commands; `%O` one that runs what it reads |
| `%B` | commands within backquotes |
| `%H`, `%h` | commands as lines of a here-document whose delimiter is quoted, or is not |
| `%c`, `%l` | commands within double quotes of C, or of Perl |
| `%<...%>` | a template, as one quoted word; `%Q` is `%<%C%>`, and `%p` is `%<%P%>` |
| `%D`, `%F` | a delimiter and a name that no other form of the text has |

All `%P`, `%N` and `%A` of a form are of one plain command; every other hole has its own part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final, Literal

from .quoting import dressed, quoted

Kind = Literal["C", "S", "X", "P", "I", "O"]

HOLE: Final = re.compile(r"%(C;(?!;)|[CSXPNAIOBHhclDF<>])")
PART_OF: Final[dict[str, Kind]] = {
    **{"C": "C", "C;": "C", "B": "C", "H": "C", "h": "C", "c": "C", "l": "C"},
    **{"S": "S", "X": "X", "P": "P", "N": "P", "A": "P", "I": "I", "O": "O"},
}
NARROWER: Final[dict[Kind, tuple[Kind, ...]]] = {
    **{"C": ("C", "S", "X", "P"), "S": ("S", "X", "P"), "X": ("X", "P"), "P": ("P",)},
    **{"I": ("I",), "O": ("O",)},
}
"""The kinds that may stand where one is asked for."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to start a command; `group` is its table."""

    kind: Kind
    template: str
    group: str

    @property
    def parts(self) -> tuple[Kind, ...]:
        """The kinds of the parts, in their order; a plain one comes last."""
        kinds = [PART_OF[hole] for hole in HOLE.findall(self.template) if hole in PART_OF]
        plain: tuple[Kind, ...] = ("P",) if "P" in kinds else ()
        return (*(kind for kind in kinds if kind != "P"), *plain)


@dataclass(frozen=True, slots=True)
class Leaf:
    """The marker itself: each word with the number of the way in which it is written."""

    words: tuple[str, ...]
    styles: tuple[int, ...]

    @property
    def kind(self) -> Kind:
        """Plain if nothing is quoted."""
        return "X" if any(self.styles) else "P"


@dataclass(frozen=True, slots=True)
class Node:
    """A form with its parts; `style` is how it quotes."""

    form: Form
    parts: tuple[Tree, ...]
    style: int = 0

    @property
    def kind(self) -> Kind:
        """The kind of the form."""
        return self.form.kind


Tree = Node | Leaf


def forms(kind: Kind, group: str, table: str) -> list[Form]:
    """The forms of a table: one on each line, `@@` for a line's end."""
    lines = [line for line in table.strip("\n").split("\n") if line]
    templates = [line.replace("%Q", "%<%C%>").replace("%p", "%<%P%>") for line in lines]
    texts = [template.replace("@@", "\n") for template in templates]
    return [Form(kind, _joined(text) if kind == "O" else text, group) for text in texts]


def _joined(template: str) -> str:
    """A list that runs what it reads, as one command: else a pipe would reach its first alone."""
    is_list = re.search(r"; |\n|&& |^! |& wait", template)
    is_one = re.match(r"[({]|(if|for|while|until|case) ", template)
    return f"{{ {template}\n}}" if is_list and not is_one else template


def rendered(tree: Tree) -> str:
    """The text of a tree."""
    return _rendered(tree, count(1))


def _rendered(tree: Tree, numbers: Iterator[int]) -> str:
    if isinstance(tree, Leaf):
        return " ".join(map(dressed, tree.words, tree.styles))
    template = tree.form.template
    number = next(numbers)
    texts = [_rendered(part, numbers) for part in tree.parts]
    plain = texts.pop() if "P" in tree.form.parts else ""
    others = iter(texts)
    stack: list[list[str]] = [[]]
    position = 0
    for hole in HOLE.finditer(template):
        stack[-1].append(template[position : hole.start()])
        position = hole.end()
        if hole[1] == "<":
            stack.append([])
        elif hole[1] == ">":
            inner = "".join(stack.pop())
            stack[-1].append(quoted(inner, tree.style))
        elif hole[1] in ("D", "F"):
            stack[-1].append(f"{'E' if hole[1] == 'D' else 'f'}{number}")
        elif hole[1] in ("P", "N", "A"):
            program, _, arguments = plain.partition(" ")
            stack[-1].append({"P": plain, "N": program, "A": arguments}[hole[1]])
        else:
            stack[-1].append(_filled(hole[1], next(others), template[position:]))
    assert len(stack) == 1, f"an open quote: {template}"
    return "".join([*stack[0], template[position:]])


def _filled(hole: str, text: str, rest: str) -> str:
    """A part as its hole wants it; `rest` is what follows in the template."""
    needs_end = ends_line(text)
    if hole == "B":
        return text.replace("\\", "\\\\").replace("`", "\\`") + ("\n" if needs_end else "")
    if hole in ("c", "l"):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return escaped if hole == "c" else re.sub(r"([$@])", r"\\\1", escaped)
    if hole in ("H", "h"):
        escaped = re.sub(r"([\\$`])", r"\\\1", text) if hole == "h" else text
        return escaped + "\n"
    if not needs_end:
        return text + hole[1:]
    if hole == "C;" or rest[:1] in ("", "\n", ")", ";"):
        return text + "\n"
    return f"{{ {text}\n}}"


def ends_line(text: str) -> bool:
    """Does this end in a here-document or a comment, so that only a new line can follow?"""
    last = text.rpartition("\n")[2]
    return "<<" in text.replace("<<<", "") or "#" in last
