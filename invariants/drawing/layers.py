"""The positions of boxes, words and arrows of a picture: a layered layout.

Input: boxes with their sizes, and arrows between them, some with words. Output: centres, and the
points of each arrow. Arrows that close a circle run upward, all others downward; the words of an
arrow are in a separate layer, so that nothing overlaps them.

Method: Sugiyama, Tagawa, Toda (1981): depth-first search turns circles open, layers by longest
path, order within layers by barycentres, and coordinates that bring neighbours close, by
regression with a least distance (pool adjacent violators). Everything is taken in the order given,
so that one picture gives one layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

LAYER_GAP: Final = 34.0  # Chosen: an arrow's head and a bend fit in between.
BOX_GAP: Final = 26.0
SWEEPS: Final = 12  # Chosen: the order of small pictures is stable after five.


@dataclass(frozen=True, slots=True)
class Box:
    """An item that needs room: to the left and to the right of its centre, and in height."""

    left: float
    right: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow between two different boxes, by their index; `words` is the room of its label."""

    source: int
    target: int
    words: Box | None = None


Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Centres of the boxes; for each line its points from source to target, and its label's."""

    width: float
    height: float
    centres: tuple[Point, ...]
    paths: tuple[tuple[Point, ...], ...]
    labels: tuple[Point | None, ...]


@dataclass(slots=True)
class _Graph:
    """Boxes and dummy nodes of lines, in layers; changed only during construction."""

    boxes: list[Box]
    layer: list[int]
    chains: list[list[int]] = field(default_factory=list)
    """For each line the indices from its upper end to its lower one."""
    above: dict[int, list[int]] = field(default_factory=dict)
    below: dict[int, list[int]] = field(default_factory=dict)

    def join(self, upper: int, lower: int) -> None:
        self.below.setdefault(upper, []).append(lower)
        self.above.setdefault(lower, []).append(upper)


def lay_out(boxes: Sequence[Box], lines: Sequence[Line]) -> Layout:
    """Place everything. Cost: about the square of the number of boxes and bends."""
    turned = _turned(len(boxes), lines)
    pairs = [
        (b, a) if is_up else (a, b) for (a, b), is_up in zip(_ends(lines), turned, strict=True)
    ]
    graph = _layered(boxes, lines, pairs)
    rows = _ordered(graph)
    x = _columns(graph, rows)
    y, height = _heights(graph, rows)
    first = min((x[i] - box.left for i, box in enumerate(graph.boxes)), default=0.0)
    x = [value - first for value in x]
    width = max((x[i] + box.right for i, box in enumerate(graph.boxes)), default=0.0)
    points = list(zip(x, y, strict=True))
    paths = _paths(graph, points, len(boxes))
    labels = [
        points[chain[1]] if line.words is not None else None
        for line, chain in zip(lines, graph.chains, strict=True)
    ]
    paths = [p[::-1] if is_up else p for p, is_up in zip(paths, turned, strict=True)]
    return Layout(width, height, tuple(points[: len(boxes)]), tuple(paths), tuple(labels))


def _ends(lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    return ((line.source, line.target) for line in lines)


def _turned(boxes_count: int, lines: Sequence[Line]) -> list[bool]:
    """Which lines close a circle; they are laid out as if they ran the other way."""
    after: dict[int, list[int]] = {}
    for number, line in enumerate(lines):
        after.setdefault(line.source, []).append(number)
    turned = [False] * len(lines)
    done: set[int] = set()
    for start in range(boxes_count):
        open_: dict[int, Iterator[int]] = {}
        stack = [start] if start not in done else []
        while stack:
            box = stack[-1]
            ways = open_.setdefault(box, iter(after.get(box, ())))
            number = next(ways, -1)
            if number < 0:
                done.add(stack.pop())
                del open_[box]
                continue
            target = lines[number].target
            turned[number] = target in open_
            if target not in open_ and target not in done:
                stack.append(target)
    return turned


def _layered(
    boxes: Sequence[Box], lines: Sequence[Line], pairs: Sequence[tuple[int, int]]
) -> _Graph:
    """Layers by longest path, with dummy nodes where a line crosses one, or has words."""
    step = 2 if any(line.words for line in lines) else 1
    layer = [0] * len(boxes)
    for _ in boxes:  # As many rounds as the longest path can have.
        for upper, lower in pairs:
            layer[lower] = max(layer[lower], layer[upper] + step)
    graph = _Graph(list(boxes), layer)
    for (upper, lower), line in zip(pairs, lines, strict=True):
        chain = [upper]
        for number in range(layer[upper] + 1, layer[lower]):
            is_label = line.words is not None and number == layer[upper] + 1
            graph.boxes.append(line.words if is_label and line.words else Box(0, 0, 0))
            graph.layer.append(number)
            chain.append(len(graph.boxes) - 1)
        chain.append(lower)
        for one, other in pairwise(chain):
            graph.join(one, other)
        graph.chains.append(chain)
    return graph


def _ordered(graph: _Graph) -> list[list[int]]:
    """The boxes of each layer from left to right, with few crossings."""
    rows: list[list[int]] = [[] for _ in range(max(graph.layer, default=0) + 1)]
    for index in _depth_first(graph):
        rows[graph.layer[index]].append(index)
    best, fewest = [list(row) for row in rows], _crossings(graph, rows)
    for sweep in range(SWEEPS):
        neighbours = graph.above if sweep % 2 == 0 else graph.below
        order = range(1, len(rows)) if sweep % 2 == 0 else range(len(rows) - 2, -1, -1)
        for number in order:
            place = {i: at for row in rows for at, i in enumerate(row)}
            means = {i: _mean(neighbours.get(i, ()), place, i) for i in rows[number]}
            rows[number].sort(key=means.__getitem__)
        crossings = _crossings(graph, rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _depth_first(graph: _Graph) -> list[int]:
    found: dict[int, None] = {}
    for start in sorted(range(len(graph.boxes)), key=lambda i: (graph.layer[i], i)):
        stack = [start]
        while stack:
            index = stack.pop()
            if index not in found:
                found[index] = None
                stack += reversed(graph.below.get(index, []))
    return list(found)


def _mean(neighbours: Sequence[int], place: dict[int, int], index: int) -> float:
    if not neighbours:
        return float(place[index])
    return sum(place[i] for i in neighbours) / len(neighbours)


def _crossings(graph: _Graph, rows: Sequence[Sequence[int]]) -> int:
    place = {i: at for row in rows for at, i in enumerate(row)}
    count = 0
    for row in rows:
        ends = [(place[i], place[j]) for i in row for j in graph.below.get(i, ())]
        count += sum(
            (a < c and b > d) or (a > c and b < d)
            for number, (a, b) in enumerate(ends)
            for c, d in ends[:number]
        )
    return count


def _columns(graph: _Graph, rows: Sequence[Sequence[int]]) -> list[float]:
    """The x of each centre: near its neighbours, and never on the next one."""
    x = [0.0] * len(graph.boxes)
    for row in rows:
        for index, at in zip(row, _spread(graph, row, [0.0] * len(row)), strict=True):
            x[index] = at
    for sweep in range(2 * SWEEPS):
        order = rows if sweep % 2 == 0 else rows[::-1]
        for row in order:
            wanted = []
            for index in row:
                near = graph.above.get(index, []) + graph.below.get(index, [])
                wanted.append(sum(x[i] for i in near) / len(near) if near else x[index])
            for index, at in zip(row, _spread(graph, row, wanted), strict=True):
                x[index] = at
    return x


def _spread(graph: _Graph, row: Sequence[int], wanted: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones at which the boxes keep their distance."""
    shifts = [0.0]
    for left, right in pairwise(row):
        gap = graph.boxes[left].right + BOX_GAP + graph.boxes[right].left
        shifts.append(shifts[-1] + gap)
    pools: list[list[float]] = []  # The sum and the number of those that share a place.
    for at, shift in zip(wanted, shifts, strict=False):
        pools.append([at - shift, 1.0])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1] = [pools[-1][0] + total, pools[-1][1] + count]
    means = [total / count for total, count in pools for _ in range(int(count))]
    return [mean + shift for mean, shift in zip(means, shifts, strict=False)]


def _heights(graph: _Graph, rows: Sequence[Sequence[int]]) -> tuple[list[float], float]:
    y = [0.0] * len(graph.boxes)
    top = 0.0
    for row in rows:
        height = max((graph.boxes[index].height for index in row), default=0.0)
        for index in row:
            y[index] = top + height / 2
        top += height + LAYER_GAP
    return y, top - LAYER_GAP


def _paths(graph: _Graph, points: Sequence[Point], boxes_count: int) -> list[tuple[Point, ...]]:
    """From the lower edge of one box to the upper edge of another; ends are spread over edges."""
    leaves: dict[tuple[int, bool], list[tuple[float, int]]] = {}
    for number, chain in enumerate(graph.chains):
        leaves.setdefault((chain[0], False), []).append((points[chain[1]][0], number))
        leaves.setdefault((chain[-1], True), []).append((points[chain[-2]][0], number))
    ports: dict[tuple[int, int], Point] = {}
    for (index, is_top), ends in leaves.items():
        box, (x, y) = graph.boxes[index], points[index]
        half = min(box.left, box.right) * 0.7
        for rank, (_, number) in enumerate(sorted(ends)):
            share = (rank + 1) / (len(ends) + 1) * 2 - 1
            edge = y - box.height / 2 if is_top else y + box.height / 2
            ports[number, index] = x + half * share, edge
    return [
        (
            ports[number, chain[0]],
            *(points[i] for i in chain[1:-1]),
            ports[number, chain[-1]],
        )
        for number, chain in enumerate(graph.chains)
    ]
