"""A picture in the DOT language of Graphviz. Source: the DOT grammar, "escString"."""

from __future__ import annotations

from typing import Final

from .picture import Node, Picture
from .words import plain, wrapped

_STYLES: Final = {
    "start": "shape=point, width=0.15",
    "state": 'shape=box, style="rounded"',
    "safe": 'shape=box, style="rounded,dashed", color="#1a7f37"',
    "predicate": "shape=box",
    "operator": 'shape=box, style="rounded"',
    "memory": 'shape=box, style="bold", color="#0969da"',
    "verdict": 'shape=octagon, style="bold", color="#d1242f"',
}
_VIOLATION: Final = ', color="#d1242f", fontcolor="#d1242f", penwidth=2'


def dot(picture: Picture) -> str:
    """The whole text, with a line break at its end."""
    lines = [f"// {plain(picture.title)}", f"// {plain(picture.about)}"]
    lines += [f"// {plain(name)}: {plain(text)}" for name, text in picture.legend]
    lines.append("digraph invariant {")
    lines.append(f"  rankdir={'BT' if picture.is_upward else 'TB'};")
    lines.append('  node [fontname="monospace"]; edge [fontname="monospace"];')
    lines += [f"  {_node(node)};" for node in picture.nodes]
    for arrow in picture.arrows:
        words = (arrow.label, "violated") if arrow.is_violation else (arrow.label,)
        style = _VIOLATION if arrow.is_violation else ""
        lines.append(f"  {arrow.source} -> {arrow.target} [label={_quoted(words)}{style}];")
    lines.append("}")
    return "\n".join(lines) + "\n"


def _node(node: Node) -> str:
    return f"{node.name} [label={_quoted(node.lines)}, {_STYLES[node.sort]}]"


def _quoted(parts: tuple[str, ...]) -> str:
    lines = [plain(line) for part in parts for line in wrapped(part)]
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'
