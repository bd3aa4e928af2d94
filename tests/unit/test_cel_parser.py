"""CEL's grammar: what is read, what is refused, and where the fault is said to be."""

from __future__ import annotations

import pytest

from invariants.cel.ast import Calculation, Comparison, Constant, Logical, Unary
from invariants.cel.lexer import SyntaxFault
from invariants.cel.parser import DEPTH_MAX, SOURCE_LENGTH_MAX, parse
from invariants.model.errors import Place, SpecError
from invariants.model.source_text import SourceText
from tests.support.cel import codes, compiled, evaluate

START = Place()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x1F", 31),
        ("-0x8000000000000000", -(2**63)),
        ("- 9223372036854775808", -(2**63)),
        ("9223372036854775807", 2**63 - 1),
        ("007", 7),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.5E-3", 0.0015),
        ("-.5", -0.5),
        ("true", True),
        ("null", None),
        ('"a"', "a"),
        ("'a\"b'", 'a"b'),
        ('"""a"b\nc"""', 'a"b\nc'),
        ("'''it's'''", "it's"),
        (r'r"\d\"', None),
        (r"r'\d'", r"\d"),
        (r"R'\d'", r"\d"),
        (r"'\a\b\f\n\r\t\v\\\?\"\'\`'", "\a\b\f\n\r\t\v\\?\"'`"),
        (r'"\x41\X42\u00e9\U0001F600\101"', "ABé\U0001f600A"),
        (r'"\000"', "\0"),
        ("'tab\tin'", "tab\tin"),
        ("1 // a comment", 1),
        ("// first\n2", 2),
    ],
)
def test_literals(text: str, value: object) -> None:
    """Every literal of CEL means what its specification says."""
    if text == r'r"\d\"':
        assert evaluate(text) == "\\d\\"
        return
    met = evaluate(text)
    assert (type(met), met) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("  ", 3),
        ("1 +", 4),
        ("1 2", 3),
        ("(1", 3),
        ("()", 2),
        ("(1, 2)", 3),
        ("[1 2]", 4),
        ("[,]", 2),
        ("{1 2}", 4),
        ("a[", 3),
        ("a[]", 3),
        ("args.", 6),
        ("args.0", 5),
        ("args.in", 6),
        ("args.true", 6),
        ("args[0, 1]", 7),
        ("1.", 3),
        ("1e", 2),
        ("1_000", 2),
        ("0xg", 2),
        ("9223372036854775808", 1),
        ("-9223372036854775809", 2),
        ("1e400", 1),
        ("1u", 1),
        ('b"a"', 1),
        ('rr"a"', 1),
        ("'a", 1),
        ("'a\nb'", 1),
        ('"""a', 1),
        (r'"\q"', 2),
        (r'"\ud800"', 2),
        (r'"\U00110000"', 2),
        (r'"\400"', 2),
        (r'"\x4"', 2),
        ("a = 1", 3),
        ("a & b", 3),
        ("a | b", 3),
        ("a ? b", 6),
        ("true ? false ? 1 : 2 : 3", 14),
        ("-!true", 2),
        ("in", 1),
        ("1 in", 5),
        ("if", 1),
        ("args{a: 1}", 5),
        ("kind == 'a' &&", 15),
        ("`kind`", 1),
        ("size(1,)", 8),
        ("a.b.(c)", 5),
        ("#", 1),
        ("kind == “a”", 9),
    ],
)
def test_faults_of_syntax_have_their_place(text: str, column: int) -> None:
    """What is no CEL is refused at the character where it stops being CEL."""
    with pytest.raises(SpecError) as caught:
        compiled(text)
    (fault,) = caught.value.faults
    assert (fault.code, fault.place) == ("E101", Place(1, column))


def test_places_count_from_where_the_expression_begins() -> None:
    """Later lines are taken to be indented like the first, as in a block of YAML."""
    with pytest.raises(SyntaxFault) as caught:
        parse(SourceText("kind == 'a' &&\n  ?", Place(10, 5)))
    assert caught.value.offset == 17
    node = parse(SourceText("kind ==\n  'a'", Place(10, 5)))
    assert isinstance(node, Comparison)
    assert (node.place, node.right.place) == (Place(10, 10), Place(11, 7))
    folded = SourceText("kind == 'a'", Place(10, 5), ((0, Place(10, 5)), (8, Place(12, 3))))
    node = parse(folded)
    assert isinstance(node, Comparison)
    assert (node.left.place, node.right.place) == (Place(10, 5), Place(12, 3))


def test_precedence() -> None:
    """`||` is loosest, then `&&`, relations, sums, products, signs; all lean to the left."""
    assert evaluate("true || false && false") is True
    assert evaluate("1 + 2 * 3 == 7 && 10 - 2 - 3 == 5") is True
    assert evaluate("-2 * 3 == -6 && 7 / 2 * 2 == 6") is True
    assert evaluate("5 in [5] == true") is True
    assert evaluate("true ? 1 : true ? 2 : 3") == 1
    assert evaluate("false ? 1 : false ? 2 : 3") == 3


def test_chains_of_and_are_one_node() -> None:
    """A long chain of `&&` is flat, so that it is no nesting."""
    node = parse(SourceText(" && ".join(["true"] * 500), START))
    assert isinstance(node, Logical)
    assert len(node.operands) == 500
    assert evaluate(" && ".join(["true"] * 500)) is True


def test_signs() -> None:
    """The last minus before a number belongs to the number; all others are operators."""
    assert parse(SourceText("-1", START)) == Constant(-1, START)
    node = parse(SourceText("--1", START))
    assert isinstance(node, Unary)
    assert node.operand == Constant(-1, Place(1, 2))
    difference = parse(SourceText("2 -1", START))
    assert isinstance(difference, Calculation)
    assert evaluate("--1") == 1
    assert evaluate("- - 5") == 5
    assert evaluate("!!!true") is False
    with pytest.raises(SyntaxFault):
        parse(SourceText('-"-"-', START))


def test_quoted_names_reach_any_key() -> None:
    """Backticks name keys that are no identifiers."""
    assert evaluate("args.`content-type` == 'x'", args={"content-type": "x"}) is True
    assert evaluate('args["content-type"] == "x"', args={"content-type": "x"}) is True
    assert evaluate("args.as", args={"as": 1}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "(" * 60 + "1" + ")" * 60,
        "[" * 60 + "]" * 60,
        "!" * 60 + "true",
        "-" * 60 + "seq",
        "+".join(["1"] * 60),
        "args" + ".a" * 60,
        "args" + "[0]" * 60,
        "true ? 1 : " * 60 + "1",
        "size(" * 60 + "text" + ")" * 60,
        "[1].map(x, " * 60 + "1" + ")" * 60,
        "(" * 4999,
        "!" * 9999,
        "+".join(["1"] * 4999),
        "args" + ".a" * 4900,
    ],
)
def test_depth_is_bounded(text: str) -> None:
    """Nesting beyond the bound is refused and never overflows the stack."""
    assert DEPTH_MAX == 50
    assert codes(text) == ["E107"]


def test_length_is_bounded() -> None:
    """The longest expression is read, one character more is refused."""
    longest = "true" + " " * (SOURCE_LENGTH_MAX - 4)
    assert evaluate(longest) is True
    assert codes(longest + " ") == ["E107"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("has(args)", "E103"),
        ('has(args["a"])', "E103"),
        ("has(args.a, 1)", "E103"),
        ("has()", "E103"),
        ("args.l.all(x)", "E103"),
        ("args.l.all(1, true)", "E103"),
        ("args.l.map(x.y, 1)", "E103"),
        ("args.l.map(x, true, 1, 1)", "E103"),
        ("args.l.exists(x, true, 1)", "E103"),
    ],
)
def test_macros_have_their_form(text: str, code: str) -> None:
    """A macro with other arguments than its form says is refused."""
    assert codes(text) == [code]


@pytest.mark.parametrize("text", ["[1, 2,].size() == 2", '{"a": 1,}.size() == 1', ".kind != ''"])
def test_odd_but_allowed(text: str) -> None:
    """Commas may follow the last element, and a dot may stand before the first name."""
    assert evaluate(text) is True
