"""A picture as SVG: one self-contained file, readable in light and dark mode.

Words are escaped, and contain no markup; there is no script and nothing is loaded. Information
shown in red is also given in words, since some people cannot distinguish red.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from .layers import Box, Layout, Line, Point, lay_out
from .picture import Arrow, Node, Picture
from .words import columns, plain, wrapped

COLUMN: Final = 7.3  # Chosen: a little more than a monospaced font of 12 pixels gives a letter.
LINE: Final = 16.0
PAD: Final = 10.0
MARGIN: Final = 20.0
LOOP: Final = 26.0  # How far an arrow back to its own box goes out.
DOT: Final = 6.0
LEGEND_COLUMNS_MAX: Final = 110

_STYLE: Final = """
  .interlock .paper { fill: #ffffff }
  .interlock .box { fill: #f6f8fa; stroke: #57606a; stroke-width: 1.2 }
  .interlock text { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
    fill: #1f2328 }
  .interlock .title { font-weight: bold }
  .interlock .quiet { fill: #57606a }
  .interlock .line { fill: none; stroke: #57606a; stroke-width: 1.3 }
  .interlock .head { fill: #57606a }
  .interlock .bad { stroke: #cf222e; stroke-width: 2.2 }
  .interlock .badhead, .interlock .badword { fill: #cf222e }
  .interlock .memory { stroke: #0969da; stroke-width: 2 }
  .interlock .safe { stroke: #1a7f37; stroke-dasharray: 5 3 }
  .interlock .verdict { stroke: #cf222e; stroke-width: 2.5 }
  .interlock .dot { fill: #1f2328 }
  @media (prefers-color-scheme: dark) {
    .interlock .paper { fill: #0d1117 }
  .interlock .box { fill: #161b22; stroke: #9198a1 }
    .interlock text { fill: #f0f6fc }
  .interlock .quiet { fill: #9198a1 }
    .interlock .line { stroke: #9198a1 }
  .interlock .head { fill: #9198a1 }
    .interlock .bad { stroke: #ff7b72 }
  .interlock .badhead, .interlock .badword { fill: #ff7b72 }
    .interlock .memory { stroke: #58a6ff }
  .interlock .safe { stroke: #3fb950 }
  .interlock .verdict { stroke: #ff7b72 }
    .interlock .dot { fill: #f0f6fc }
  }
"""


def svg(picture: Picture) -> str:
    """The whole file, with a line break at its end."""
    sizes = [_room(node, _loops(picture, node)) for node in picture.nodes]
    indices = {node.name: index for index, node in enumerate(picture.nodes)}
    arrows = [arrow for arrow in picture.arrows if arrow.source != arrow.target]
    lines = [_line(arrow, indices, is_upward=picture.is_upward) for arrow in arrows]
    layout = lay_out(sizes, lines)
    title = wrapped(picture.title, LEGEND_COLUMNS_MAX)
    head = [*title, plain(picture.about)]
    foot = _legend(picture)
    top = MARGIN + LINE * len(head) + MARGIN
    body = [*_arrows(picture, arrows, layout)]
    for node, (x, y) in zip(picture.nodes, layout.centres, strict=True):
        loops = _loops(picture, node)
        body += _node(node, loops, x, y)
        body += _own_arrows(node, loops, x, y)
    words = max((columns(text) for text in [*head, *foot]), default=0) * COLUMN
    width = max(layout.width, words) + 2 * MARGIN
    height = top + layout.height + (MARGIN + LINE * len(foot) if foot else 0) + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" class="interlock" role="img">',
            f"<title>{_escaped(picture.title)}</title>",
            f"<desc>{_escaped(picture.about)}</desc>",
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{width:.0f}" height="{height:.0f}"/>',
            *_texts(head, MARGIN, MARGIN + 4, ("title",) * len(title), rest="quiet"),
            f'<g transform="translate({(width - layout.width) / 2:.1f} {top:.1f})">',
            *body,
            "</g>",
            *_texts(foot, MARGIN, top + layout.height + MARGIN + LINE, (), rest="quiet"),
            "</svg>",
            "",
        ]
    )


def _legend(picture: Picture) -> list[str]:
    return [_cut(f"{name}: {text}") for name, text in picture.legend]


def _cut(text: str) -> str:
    shown = plain(text)
    if len(shown) <= LEGEND_COLUMNS_MAX:
        return shown
    return shown[: LEGEND_COLUMNS_MAX - 1] + "…"


def _escaped(text: str) -> str:
    return escape(plain(text), {'"': "&quot;", "'": "&#39;"})


# Sizes.


def _lines_of(node: Node) -> list[str]:
    return [line for part in node.lines for line in wrapped(part)]


def _words_of(arrow: Arrow) -> list[str]:
    return [*wrapped(arrow.label), *(["violated"] if arrow.is_violation else [])]


def _size(lines: Sequence[str], pad: float) -> tuple[float, float]:
    width = max((columns(line) for line in lines), default=0) * COLUMN
    return width + 2 * pad, len(lines) * LINE + pad


def _loops(picture: Picture, node: Node) -> list[Arrow]:
    return [a for a in picture.arrows if a.source == a.target == node.name]


def _own_size(node: Node, loops: Sequence[Arrow]) -> tuple[float, float]:
    """The box itself; it is as high as the arrows that lead back to it."""
    if node.sort == "start":
        return 2 * DOT, 2 * DOT
    width, height = _size(_lines_of(node), PAD)
    return width, max(height, sum(map(_loop_height, loops)))


def _loop_height(arrow: Arrow) -> float:
    return max(_size(_words_of(arrow), 4)[1], 2 * LINE)


def _room(node: Node, loops: Sequence[Arrow]) -> Box:
    """The box, and to its right the arrows that lead back to it."""
    width, height = _own_size(node, loops)
    beside = LOOP + max(_size(_words_of(a), 4)[0] for a in loops) if loops else 0.0
    return Box(width / 2, width / 2 + beside, height)


def _line(arrow: Arrow, indices: dict[str, int], *, is_upward: bool) -> Line:
    words = _words_of(arrow)
    box = None
    if words:
        width, height = _size(words, 4)
        box = Box(width / 2, width / 2, height)
    source, target = indices[arrow.source], indices[arrow.target]
    return Line(target, source, box) if is_upward else Line(source, target, box)


# Marks.


def _arrows(picture: Picture, arrows: Sequence[Arrow], layout: Layout) -> list[str]:
    marks: list[str] = []
    words: list[str] = []
    for arrow, path, label in zip(arrows, layout.paths, layout.labels, strict=True):
        marks += _curve(path[::-1] if picture.is_upward else path, arrow)
        if label is not None:
            words += _label(arrow, *label)
    return marks + words


def _curve(points: Sequence[Point], arrow: Arrow) -> list[str]:
    """Smooth, upright at every point, with a head at its end."""
    (x, y), *rest = points
    end_x, end_y = rest[-1]
    sign = 1 if end_y > points[-2][1] else -1
    rest[-1] = end_x, end_y - 7 * sign
    pieces = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        pieces.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    back = end_y - 9 * sign
    head = f"M{end_x:.1f} {end_y:.1f}L{end_x - 4.5:.1f} {back:.1f}H{end_x + 4.5:.1f}Z"
    return _stroke("".join(pieces), head, arrow)


def _stroke(path: str, head: str, arrow: Arrow) -> list[str]:
    line, tip = ("line bad", "badhead") if arrow.is_violation else ("line", "head")
    return [f'<path class="{line}" d="{path}"/>', f'<path class="{tip}" d="{head}"/>']


def _label(arrow: Arrow, x: float, y: float) -> list[str]:
    words = _words_of(arrow)
    width, height = _size(words, 4)
    paper = (
        f'<rect class="paper" x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" '
        f'width="{width:.1f}" height="{height:.1f}"/>'
    )
    first = y - (len(words) - 1) * LINE / 2
    return [paper, *_texts(words, x, first, (), is_bad=arrow.is_violation, anchor="middle")]


def _node(node: Node, loops: Sequence[Arrow], x: float, y: float) -> list[str]:
    if node.sort == "start":
        return [f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{DOT}"/>']
    width, height = _own_size(node, loops)
    radius = {"state": 12, "safe": 12, "operator": 6, "memory": 6}.get(node.sort, 0)
    box = (
        f'<rect class="box {node.sort}" x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" '
        f'width="{width:.1f}" height="{height:.1f}" rx="{radius}"/>'
    )
    lines = _lines_of(node)
    first = y - (len(lines) - 1) * LINE / 2
    heads = ("title",) * len(wrapped(node.lines[0]))
    return [box, *_texts(lines, x, first, heads, rest="quiet", anchor="middle")]


def _own_arrows(node: Node, loops: Sequence[Arrow], x: float, y: float) -> list[str]:
    """Arrows from the right edge back to it, one below the other, with their words next to them."""
    marks: list[str] = []
    width, _ = _own_size(node, loops)
    edge, at = x + width / 2, y - sum(map(_loop_height, loops)) / 2
    for arrow in loops:
        middle = at + _loop_height(arrow) / 2
        out = edge + LOOP
        path = (
            f"M{edge:.1f} {middle - 5:.1f}C{out:.1f} {middle - 16:.1f} {out:.1f} "
            f"{middle + 16:.1f} {edge + 7:.1f} {middle + 5:.1f}"
        )
        head = f"M{edge:.1f} {middle + 5:.1f}l9 -4.5v9Z"
        marks += _stroke(path, head, arrow)
        words = _words_of(arrow)
        first = middle - (len(words) - 1) * LINE / 2
        marks += _texts(words, out, first, (), is_bad=arrow.is_violation)
        at += _loop_height(arrow)
    return marks


def _texts(
    lines: Sequence[str],
    x: float,
    y: float,
    heads: tuple[str, ...],
    *,
    rest: str = "",
    is_bad: bool = False,
    anchor: str = "start",
) -> list[str]:
    """Lines of text, the first of them centred on y; `heads` are the classes of the first ones."""
    marks = []
    for number, line in enumerate(lines):
        of_class = heads[number] if number < len(heads) else rest
        of_class = "badword" if is_bad else of_class
        marks.append(
            f'<text x="{x:.1f}" y="{y + number * LINE:.1f}" text-anchor="{anchor}" '
            f'dominant-baseline="central" class="{of_class}">'
            f"{_escaped(line)}</text>"
        )
    return marks
