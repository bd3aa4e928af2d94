"""A picture as a Mermaid flowchart, for pages that render it.

Words go into quotes with every sign that Mermaid reads as its own written as an entity.
Source: the Mermaid documentation, "Flowcharts", special characters.
"""

from __future__ import annotations

import re
from typing import Final

from .picture import Node, Picture
from .words import plain, wrapped

_SHAPES: Final = {
    "start": ("((", "))"),
    "state": ("([", "])"),
    "safe": ("([", "])"),
    "predicate": ("[", "]"),
    "operator": ("(", ")"),
    "memory": ("[[", "]]"),
    "verdict": ("{{", "}}"),
}
_CLASSES: Final = {
    "safe": "stroke:#1a7f37,stroke-width:2px",
    "memory": "stroke:#0969da,stroke-width:2px",
    "verdict": "stroke:#d1242f,stroke-width:3px",
}
_VIOLATION: Final = "stroke:#d1242f,stroke-width:3px"


def mermaid(picture: Picture) -> str:
    """The whole text, with a line break at its end."""
    lines = [f"%% {plain(picture.title)}", f"%% {plain(picture.about)}"]
    lines += [f"%% {plain(name)}: {plain(text)}" for name, text in picture.legend]
    lines.append("flowchart " + ("BT" if picture.is_upward else "TB"))
    lines += [f"  {_node(node)}" for node in picture.nodes]
    violations = []
    for number, arrow in enumerate(picture.arrows):
        words = f"{arrow.label}\nviolated" if arrow.is_violation else arrow.label
        sign = "==>" if arrow.is_violation else "-->"
        label = f"|{_quoted(words)}|" if words else ""
        lines.append(f"  {arrow.source} {sign}{label} {arrow.target}")
        if arrow.is_violation:
            violations.append(str(number))
    lines += [f"  classDef {name} {style}" for name, style in _CLASSES.items()]
    if violations:
        lines.append(f"  linkStyle {','.join(violations)} {_VIOLATION}")
    return "\n".join(lines) + "\n"


def _node(node: Node) -> str:
    opening, closing = _SHAPES[node.sort]
    words = "\n".join(node.lines) or " "
    of_class = f":::{node.sort}" if node.sort in _CLASSES else ""
    return f"{node.name}{opening}{_quoted(words)}{closing}{of_class}"


def _quoted(text: str) -> str:
    lines = [line for part in text.split("\n") for line in wrapped(part)]
    return '"' + "<br/>".join(map(_escaped, lines)) + '"'


def _escaped(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9 _.,=()\[\]+-]", lambda m: f"#{ord(m.group())};", plain(text))
