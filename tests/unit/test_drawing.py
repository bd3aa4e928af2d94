"""Drawings of invariants: what they show, and that no text in them is markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest

from invariants.analysis.event_domain import ANYTHING, Asked, asked_by, asked_by_predicates
from invariants.analysis.explicit_automaton import explicit_automaton
from invariants.analysis.minimise import condition, cover
from invariants.check.checked import CheckedSpec
from invariants.check.expressions import check_predicate
from invariants.check.specs import read_specs
from invariants.drawing.dot import dot
from invariants.drawing.layers import BOX_GAP, Box, Line, lay_out
from invariants.drawing.mermaid import mermaid
from invariants.drawing.network import picture_of_network
from invariants.drawing.of_automaton import picture_of_automaton
from invariants.drawing.picture import Arrow, Node, Picture
from invariants.drawing.svg import svg
from invariants.formula.ast import Atom
from invariants.formula.format import format_clearly
from invariants.model.errors import Place
from invariants.model.source_text import SourceText
from invariants.spec.model import InvariantSpec, PredicateSpec
from monitor.cli.__main__ import main

WRITERS = pytest.mark.parametrize("write", [mermaid, dot, svg])
HOSTILE = "</text><script>alert(1)</script>\"'`#quot;&lt;%%{init}%%\\N|]}--\u202e\x00\n\x1b[2J"

FILE = """version: 1
predicates:
  a:
    when: kind == "a"
    with:
      v: args.v
  b: kind == "b" || kind == "b2"
  c: kind in ["c"] && args.x == 1
invariants:
  - id: i
    severity: info
    STATED
"""


def _loaded(stated: str) -> tuple[CheckedSpec, InvariantSpec]:
    (spec,), _ = read_specs([("a.yaml", FILE.replace("STATED", stated))])
    return spec, spec.invariants[0]


def _automaton(stated: str) -> Picture:
    spec, invariant = _loaded(stated)
    automaton = explicit_automaton(invariant, asked=asked_by_predicates(spec))
    assert automaton is not None
    return picture_of_automaton(spec, invariant, automaton)


def _told(picture: Picture) -> list[tuple[str, str, str, bool]]:
    return [(a.source, a.label, a.target, a.is_violation) for a in picture.arrows]


def test_an_automaton_says_what_it_remembers() -> None:
    """Two states, and each event of which something is true follows one arrow."""
    picture = _automaton("never: a and once b")
    assert [node.lines for node in picture.nodes] == [(), ("not once b",), ("once b",)]
    assert _told(picture) == [
        ("start", "", "s0", False),
        ("s0", "not b", "s0", False),
        ("s0", "b", "s1", False),
        ("s1", "not a", "s1", False),
        ("s1", "a", "s1", True),
    ]


def test_where_nothing_can_be_violated_any_more() -> None:
    """A state from which no violation can be reached says so."""
    picture = _automaton("never: a and not once b")
    assert picture.nodes[2] == Node("s1", "safe", ("once b", "never violated any more"))


def test_a_pending_verdict_is_a_state() -> None:
    """What is waited for is violated at the session's end."""
    picture = _automaton("always: b implies eventually c")
    assert picture.nodes[2].lines == ("pending",)
    assert ("s1", "session_end", "s0", True) in _told(picture)


@pytest.mark.parametrize(
    "stated",
    [
        "never: b and once[5s] c",
        "always: count(b) <= 3",
        "never: a(v=x) and once a(v=x)",
        "never: b and (exists x (a(v=x)))",
    ],
)
def test_what_has_no_automaton(stated: str) -> None:
    """Windows, aggregates and variables have no finite one, or none that is looked for."""
    assert explicit_automaton(_loaded(stated)[1]) is None


def test_an_automaton_that_is_too_large_is_none() -> None:
    """The bound counts states after they are merged."""
    _, invariant = _loaded("never: a and once b")
    assert explicit_automaton(invariant, states_max=1) is None
    many = " and ".join(f'once a(v="{n}")' for n in range(12))
    assert explicit_automaton(_loaded(f"never: {many}")[1]) is None


def test_a_network_has_a_box_for_each_sub_formula() -> None:
    """Equal ones are one box; memories say what they keep, and for whom."""
    spec, invariant = _loaded("always: a(v=x) implies ((not a(v=x)) since[1h] a(v=x))")
    picture = picture_of_network(spec, invariant)
    assert [(node.sort, *node.lines) for node in picture.nodes] == [
        ("verdict", "violated", "for each x"),
        ("operator", "and"),
        ("predicate", "a(v=x)"),
        ("operator", "not"),
        ("memory", "since[1h]", "keeps the newest time, for each x"),
        ("operator", "not"),
    ]
    sides = [arrow for arrow in picture.arrows if arrow.target == "n3"]
    assert sides == [Arrow("n4", "n3", "left"), Arrow("n1", "n3", "right")]
    assert picture.legend == (("a", 'kind == "a"'),)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("always: b implies once[5s, 10s] c", "keeps the times of the last 10s"),
        ("always: b implies previous c", "keeps the event before"),
        ("always: b implies next c", "waits for the next event"),
        ("always: b implies eventually c", "waits until the session's end"),
        ("always: b implies (c until[1m] b)", "waits until 1m have passed"),
        ("always: count(a(v=x))[1m] <= 2", "keeps the events of the last 1m, for each x"),
        ("never: b and sum(a.v) > 3", "keeps what has come so far"),
        ("never: b and (exists x (a(v=x) and x == 3))", "some x that the event names"),
    ],
)
def test_memories_are_told(formula: str, words: str) -> None:
    """Each sort of operator says what it keeps."""
    spec, invariant = _loaded(formula)
    lines = [line for node in picture_of_network(spec, invariant).nodes for line in node.lines]
    assert words in lines


def _hostile() -> Picture:
    nodes = (Node("start", "start"), Node("s0", "state", (HOSTILE,)), Node("s1", "safe", ("x",)))
    arrows = (
        Arrow("start", "s0"),
        Arrow("s0", "s1", HOSTILE, True),
        Arrow("s1", "s0", HOSTILE),
        Arrow("s0", "s0", HOSTILE, True),
        Arrow("s0", "s0", HOSTILE),
    )
    return Picture(HOSTILE, HOSTILE, nodes, arrows, ((HOSTILE, HOSTILE),))


def test_words_are_no_markup_in_svg() -> None:
    """It is well-formed, has only shapes and words, and the words are all there."""
    root = ElementTree.fromstring(svg(_hostile()))
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "title", "desc", "style", "rect", "g", "path", "circle", "text"}
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None and title.text is not None
    assert "<script>" in title.text and "\\x1b[2J" in title.text
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not any(name.startswith("on") or "href" in name for name in attributes)


def test_words_are_no_signs_in_mermaid() -> None:
    """Between quotes stand letters and entities only, and each line stays one."""
    text = mermaid(_hostile())
    quoted = re.findall(r'"([^"]*)"', text.partition("flowchart")[2])
    assert len(quoted) == 7
    for words in quoted:
        assert re.fullmatch(r"(?:[A-Za-z0-9 _.,=()\[\]+-]|#\d+;|<br/>)*", words)
    assert all(line.startswith("%% ") for line in text.partition("flowchart")[0].splitlines())
    assert text.isascii() or "\u202e" not in text


def test_words_are_no_signs_in_dot() -> None:
    """Each label is one string; what Graphviz reads as its own is escaped."""
    text = dot(_hostile())
    labels = re.findall(r'label=("(?:[^"\\]|\\.)*")', text)
    assert len(labels) == 8
    for label in labels:
        assert json.loads(label).isascii() or "\u202e" not in label
        assert set(re.findall(r"\\(.)", label)) <= {"\\", '"', "n"}


@WRITERS
def test_one_picture_gives_one_text(write: Callable[[Picture], str]) -> None:
    """Nothing depends on the order of a set or on memory."""
    assert write(_automaton("never: a and once b and not c")) == write(
        _automaton("never: a and once b and not c")
    )


@pytest.mark.parametrize("seed", range(40))
def test_boxes_never_lie_on_each_other(seed: int) -> None:
    """Boxes and words of one layer keep their distance; layers lie below each other."""
    random = Random(seed)
    count = random.randint(1, 12)
    boxes = [
        Box(random.randint(5, 90), random.randint(5, 160), random.randint(10, 60))
        for _ in range(count)
    ]
    lines = []
    for _ in range(random.randint(0, 25) if count > 1 else 0):
        source, target = random.sample(range(count), 2)
        words = Box(30, 30, 20) if random.random() < 0.7 else None
        lines.append(Line(source, target, words))
    layout = lay_out(boxes, lines)
    placed = list(zip(boxes, layout.centres, strict=True))
    placed += [
        (line.words, point)
        for line, point in zip(lines, layout.labels, strict=True)
        if line.words is not None and point is not None
    ]
    for index, (box, (x, y)) in enumerate(placed):
        assert x - box.left >= -0.01 and x + box.right <= layout.width + 0.01
        for other, (other_x, other_y) in placed[:index]:
            is_apart = (
                x - box.left >= other_x + other.right + BOX_GAP - 0.01
                or other_x - other.left >= x + box.right + BOX_GAP - 0.01
                or abs(y - other_y) >= (box.height + other.height) / 2
            )
            assert is_apart
    assert layout == lay_out(boxes, lines)
    for line, path in zip(lines, layout.paths, strict=True):
        for end, point in ((line.source, path[0]), (line.target, path[-1])):
            x, y = layout.centres[end]
            assert abs(abs(point[1] - y) - boxes[end].height / 2) < 0.01


@pytest.mark.parametrize("seed", range(30))
def test_a_condition_takes_what_it_must(seed: int) -> None:
    """Every valuation of the one set, none of the other."""
    random = Random(seed)
    count = random.randint(1, 5)
    sorts = [random.choice("tr-") for _ in range(1 << count)]
    taken = [v for v, sort in enumerate(sorts) if sort == "t"]
    refused = [v for v, sort in enumerate(sorts) if sort == "r"]
    cubes = cover(taken, refused, count)
    assert all(any(cube.takes(v) for cube in cubes) for v in taken)
    assert not any(cube.takes(v) for cube in cubes for v in refused)


def test_a_condition_is_short() -> None:
    """What can be left out is, and what cannot happen goes either way."""
    atoms = (Atom("a"), Atom("b"))
    told = condition(cover([1], [0, 2], 2), atoms)
    assert told is not None and format_clearly(told) == "a"
    assert condition(cover([0, 1, 2, 3], [], 2), atoms) is None


@pytest.mark.parametrize(
    ("when", "asked"),
    [
        ('kind == "a"', Asked(frozenset({"a"}))),
        ('"a" == kind && tool in ["x", "y"]', Asked(frozenset({"a"}), frozenset({"x", "y"}))),
        ('kind == "a" || kind == "b" && args.x == 1', Asked(frozenset({"a", "b"}))),
        ('kind == "a" || tool == "x"', ANYTHING),
        ('kind != "a"', ANYTHING),
        ('!(kind == "a")', ANYTHING),
        ('kind == "a" && kind == "b"', Asked(frozenset())),
        ('kind in ["a", tool]', ANYTHING),
    ],
)
def test_what_a_predicate_can_be_true_of(when: str, asked: Asked) -> None:
    """Only what is certain is said."""
    predicate = PredicateSpec("p", SourceText(when, Place()), (), Place())
    checked, _ = check_predicate(predicate, file="a.yaml", lists={})
    assert checked is not None
    assert asked_by(checked) == asked
    assert asked.is_possible is (asked.kinds != frozenset())


def test_the_verb_prints_or_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The format is what the file ends with; an unknown id, or no automaton, is told."""
    file = tmp_path / "a.yaml"
    file.write_text(FILE.replace("STATED", "never: a and once b"))
    assert main(["graph", "i", str(file)]) == 0
    assert "flowchart TB" in capsys.readouterr().out
    assert main(["graph", "i", str(file), "--as", "network", "--format", "dot"]) == 0
    assert "rankdir=BT" in capsys.readouterr().out
    out = tmp_path / "i.svg"
    assert main(["graph", "i", str(file), "-o", str(out)]) == 0
    assert out.read_text().startswith("<svg ")
    assert main(["graph", "j", str(file)]) == 2
    assert "these files have no invariant `j`" in capsys.readouterr().err
    arguments = ["graph", "i", str(file), "--as", "automaton", "--states-max", "1"]
    assert main(arguments) == 2
    assert "--as network" in capsys.readouterr().err
    assert main(["graph", "i", str(file), "-o", str(tmp_path / "none" / "x.dot")]) == 2
