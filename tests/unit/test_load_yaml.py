"""YAML text becomes nodes by the core schema of YAML 1.2, each with its place in the file."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from invariants.model.errors import Place
from invariants.yaml.nodes import YamlList, YamlMap, YamlNode, YamlScalar, read_yaml, resolve_plain


def _value(text: str) -> object:
    node, faults = read_yaml(f"k: {text}\n", "f.yaml")
    assert not faults
    assert isinstance(node, YamlMap)
    ((_, value),) = node.entries
    assert isinstance(value, YamlScalar)
    return value.value


def _codes(text: str) -> list[str]:
    return [fault.code for fault in read_yaml(text, "f.yaml")[1]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("no", "no"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("=", "="),
        ("<<", "<<"),
        ("tRUE", "tRUE"),
        ('"true"', "true"),
        ("'12'", "12"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-12", -12),
        ("+1", 1),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.INF", float("-inf")),
        ("True", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    """What YAML 1.1 would have turned into truth values, times and base 60 stays text."""
    met = _value(text)
    assert (type(met), met) == (type(value), value)


@given(st.text(max_size=20))
def test_resolving_never_fails(text: str) -> None:
    """Every text is some value."""
    assert isinstance(resolve_plain(text), str | int | float | None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: " + "x" * (1 << 20), "E202"),
        ("- a\n" * 100_001, "E202"),
        ("[" * 51, "E202"),
        ("{a: " * 51, "E202"),
        ("a: " + "9" * 5_000, "E202"),
        ("a: &x [*x, *x]", "E211"),
        ("a: !!int 3", "E210"),
        ("a: !!set {b: c}", "E210"),
        ("%YAML 1." + "9" * 5_000 + "\n---\na: 1", "E201"),
        ("a: 1\n---\nb: 2", "E201"),
        ("a: 1\n...\nb: 2", "E201"),
        ("a: 1\na: 2", "E203"),
        ('{"a": 1, a: 2}', "E203"),
        ("? [x]\n: 1", "E207"),
        ("1: x", "E207"),
        ("~: x", "E207"),
        ("a: x\rb: y", "E212"),
        ("a: \u202ex", "E212"),
        ("a: \x85x", "E212"),
        ("a: \x01", "E212"),
        ('a: "\\ud83d\\ude00"', "E212"),
        ('a: "\\UFFFFFFFF"', "E201"),
    ],
)
def test_what_is_refused(text: str, code: str) -> None:
    """Bombs, tags, anchors, several documents, odd keys and hidden text are faults, not crashes."""
    assert code in _codes(text)


def test_a_byte_order_mark_is_no_text() -> None:
    """Editors put it there, and it moves no place."""
    node, faults = read_yaml("\ufeffa: 1", "f.yaml")
    assert not faults
    assert isinstance(node, YamlMap)
    assert node.entries[0][0].place == Place(1, 1)


@given(st.text(st.sampled_from("ab:#-?&*!|>'\"%@`{}[],\\ \n\t\r0\x85\u2028é"), max_size=40))
def test_any_text_gives_nodes_or_faults(text: str) -> None:
    """Whatever stands in a file, reading it ends in a value, and never in an exception."""
    node, faults = read_yaml(text, "f.yaml")
    assert node is None or isinstance(node, YamlScalar | YamlList | YamlMap)
    lines_count = text.count("\n") + 1
    assert all(1 <= fault.place.line <= lines_count for fault in faults)


words = st.text(st.sampled_from("abc(){}=.\"'&|\\é"), min_size=1, max_size=6)
expressions = st.lists(words, min_size=1, max_size=12).map(" ".join)
styles = st.sampled_from([None, "'", '"', "|", ">"])


@given(expressions, styles, st.integers(8, 30))
def test_every_character_knows_its_place(text: str, style: str | None, width: int) -> None:
    """Behind folding, quotes and escapes, a character's place is where it stands in the file."""
    dumped = yaml.safe_dump(
        {"before": "b", "k": {"n": text}}, default_style=style, width=width, allow_unicode=True
    )
    node, faults = read_yaml(dumped, "f.yaml")
    assert not faults
    scalar = _find(node, "n")
    assert scalar.text == text
    lines = dumped.split("\n")
    source = scalar.source()
    for offset, character in enumerate(text):
        if character != " ":
            place = source.place_at(offset)
            met = lines[place.line - 1][place.column - 1 :]
            # In double quotes YAML writes `\"` for `"`; the place is that of the backslash.
            assert met.startswith((character, f"\\{character}"))


def _find(node: YamlNode | None, name: str) -> YamlScalar:
    assert isinstance(node, YamlMap)
    for key, value in node.entries:
        if key.text == name and isinstance(value, YamlScalar):
            return value
        if isinstance(value, YamlMap):
            return _find(value, name)
    raise AssertionError(name)
