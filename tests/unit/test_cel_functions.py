"""Functions of text, patterns, paths, digests and times against input that would get round them."""

from __future__ import annotations

import hmac
import json
import math
import shlex
from typing import Any

import pytest
import re2
from hypothesis import example, given
from hypothesis import strategies as st

from invariants.cel import digests, globs, numbers, paths, strings, times
from invariants.model.limits import STEPS_MAX
from invariants.shell import split as words
from invariants.values.value import STRING_BYTES_MAX, CelError, Failure
from tests.support.cel import KEY, codes, compiled, evaluate, fails, make_view

GLOBS = [
    ("a", "a", True),
    ("a", "ab", False),
    ("a", "A", False),
    ("", "", True),
    ("", "a", False),
    ("*", "", True),
    ("*", "a.b", True),
    ("*", "a/b", False),
    ("*", "/", False),
    ("**", "a/b\nc", True),
    ("*.example", "a.b.example", True),
    ("*.example", ".example", True),
    ("*.example", "example", False),
    ("*.example", "a/b.example", False),
    ("*.example", "a.example.evil", False),
    ("*.example", "a.example\n", False),
    ("*.example", "a\n.example", True),
    ("**.example", "a/b.example", True),
    ("a*", "ab", True),
    ("a*", "a/b", False),
    ("/data/**", "/data/x/y", True),
    ("/data/**", "/data", False),
    ("/data/*/y", "/data/x/y", True),
    ("/data/*/y", "/data/x/x/y", False),
    ("/data/**/y", "/data/x/x/y", True),
    ("?", "é", True),
    ("?", "\U0001f600", True),
    ("?", "", False),
    ("?", "/", True),
    ("a?c", "a\nc", True),
    ("***", "a/b", True),
    ("a.c", "abc", False),
    ("a+", "aa", False),
    ("[ab]", "a", False),
    ("[ab]", "[ab]", True),
    ("{a,b}", "a", False),
    ("a\\*", "a*", False),
    ("a\\*", "a\\x", True),
    ("^a$", "a", False),
    ("a|b", "a", False),
    ("(?i)a", "A", False),
    ("a\0b*", "a\0bc", True),
    ("a\0b*", "a", False),
    ("é*", "éx", True),
]


@pytest.mark.parametrize(("pattern", "string", "is_match"), GLOBS)
def test_glob(pattern: str, string: str, is_match: bool) -> None:
    """Only `*`, `**` and `?` are special, the whole string counts, prepared or not."""
    args = {"p": pattern, "s": string}
    assert evaluate("glob(args.p, args.s)", args=args) is is_match
    assert evaluate("glob_any([args.p], args.s)", args=args) is is_match
    assert globs.glob_matcher(pattern)(string) is is_match
    expression = compiled("glob_any(lists.x, args.s)", x=(pattern, "zzz", "z*z"))
    assert expression.evaluate(make_view(args=args)) is is_match


def naive_glob(pattern: str, string: str) -> bool:
    """The definition, read off one piece after the other."""
    if not pattern:
        return not string
    if pattern.startswith("**"):
        return any(naive_glob(pattern[2:], string[i:]) for i in range(len(string) + 1))
    if pattern[0] == "*":
        end = (string + "/").index("/")
        return any(naive_glob(pattern[1:], string[i:]) for i in range(end + 1))
    is_alike = bool(string) and pattern[0] in ("?", string[0])
    return is_alike and naive_glob(pattern[1:], string[1:])


@given(st.text("ab/.*?\n", max_size=6), st.text("ab/.*?\n", max_size=6))
def test_glob_is_its_definition(pattern: str, string: str) -> None:
    """Every way to match, prepared or not, is the naive one."""
    expected = naive_glob(pattern, string)
    assert globs.glob_matcher(pattern)(string) is expected
    assert globs.any_matcher([pattern])(string) is expected
    assert globs.glob(pattern, string) is expected


TEXTS = st.text("ab/.*?\n\0é\u2028\U0001f600", max_size=12)
PATTERNS = st.lists(
    st.sampled_from(["**", "**", "**", "*", "?", "a", "b", "ab", "/", ".", "é", "\n", "aa", "***"]),
    max_size=7,
).map("".join)


@given(PATTERNS, TEXTS)
@example("**", "")
@example("a**a", "a")
@example("**aa**aa", "aaa")
@example("**aa**aa**", "aaa")
@example("**a**b**", "ba")
@example("a/**/b", "a/b")
def test_a_prepared_glob_is_its_expression(pattern: str, string: str) -> None:
    """Tests of substrings mean what the regular expression means, for one pattern and for many."""
    expression = re2.compile(rf"\A(?:{globs.pattern_of(pattern)})\z".encode(), globs.options())
    expected = expression.search(string.encode()) is not None
    assert globs.glob_matcher(pattern)(string) is expected
    assert globs.any_matcher([pattern])(string) is expected
    assert globs.any_matcher([pattern, "zz**", "**zz", "**zz**"])(string) is expected


def test_long_patterns_are_still_refused() -> None:
    """A pattern that RE2 refuses is not accepted because its parts could be searched."""
    with pytest.raises(re2.error):
        globs.glob_matcher("**" + "x" * 1_000_000 + "**")


@pytest.mark.parametrize("pattern", ["**a", "**a**", "a**b", "**a**b", "**", "*a*", "?"])
def test_half_of_a_surrogate_pair_fails_in_every_prepared_glob(pattern: str) -> None:
    """Also in those that could tell; patterns that compare a beginning alone never did."""
    for string in ("\ud800", "a\ud800", "\ud800a"):
        with pytest.raises(Failure):
            globs.glob_matcher(pattern)(string)
        with pytest.raises(Failure):
            globs.any_matcher(["b", pattern, "a**"])(string)
    assert globs.any_matcher(["a**", pattern])("a\ud800") is True


def test_globs_out_of_events_are_bounded() -> None:
    """Long patterns, many patterns and patterns that are no strings are errors."""
    assert fails("glob(args.p, 'a')", args={"p": "*" * 1001})
    assert fails("glob_any(args.p, 'a')", args={"p": ["a"] * 101})
    assert fails("glob_any(args.p, 'a')", args={"p": ["a", 1]})
    assert fails("glob_any(args.p, 'a')", args={"p": "a"})
    assert fails("glob('a', args.p)", args={"p": 1})
    assert evaluate("glob(args.p, args.s)", args={"p": "*a" * 400, "s": "a" * 5000}) is True


@pytest.mark.parametrize(
    ("path", "root", "is_within"),
    [
        ("/a/b", "/a", True),
        ("/a", "/a", True),
        ("/a/", "/a", True),
        ("/a", "/a/", True),
        ("/ab", "/a", False),
        ("/a/../b", "/a", False),
        ("/a/b/../../a/c", "/a", True),
        ("/a/./b//c", "/a/b", True),
        ("/../../a", "/a", True),
        ("/a/..", "/a", False),
        ("/a/...", "/a", True),
        ("/a/b", "/a/c/..", True),
        ("/anything", "/", True),
        ("//a/b", "/a", True),
        ("/A", "/a", False),
        ("/a/%2e%2e/b", "/a", True),
        ("a/b", "/a", None),
        ("./a", "/a", None),
        ("~/a", "/a", None),
        ("", "/a", None),
        ("/a", "a", None),
        ("/a", "", None),
        ("C:\\a", "/a", None),
        ("/a\\..\\..\\b", "/a", None),
        ("/a/b\0/../..", "/a", None),
        ("/a", "/\\", None),
    ],
)
def test_path_within(path: str, root: str, is_within: bool | None) -> None:
    """Lexical containment by whole names; what is not an absolute plain path is an error."""
    if is_within is not None:
        assert paths.path_within(path, root) is is_within
        return
    with pytest.raises(Failure):
        paths.path_within(path, root)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3),
        (2.5, 2.5),
        ("3", 3),
        ("+3", 3),
        ("-0", 0),
        ("007", 7),
        ("0" * 500 + "7", 7),
        ("3.0", 3.0),
        ("-3.25", -3.25),
        ("0.1", 0.1),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808.0", 2.0**63),
    ],
)
def test_number(value: Any, number: float) -> None:
    """Text without a point is an int, all other the nearest double."""
    met = numbers.number(value)
    assert (type(met), met) == (type(number), number)


@pytest.mark.parametrize(
    "value",
    [
        *("", "+", "-", ".", "1.", ".5", "1e3", "0x10", " 1", "1 ", "1\n", "1_0", "1,0", "++1"),
        *("NaN", "inf", "Infinity", "-inf", "١", "１", "1.٥", "²", "1.2.3", "9223372036854775808"),
        *("1" * 5000, "1" * 400 + ".0", True, None, [1], {}, math.nan, math.inf),
    ],
)
def test_no_number(value: Any) -> None:
    """Anything else is an error: no spaces, signs of other scripts, exponents, infinities."""
    with pytest.raises(Failure):
        numbers.number(value)


def expected_digest(text: str) -> str:
    return hmac.new(KEY, text.encode(), "sha256").hexdigest()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, False, None]}, '{"a":[true,false,null],"b":1}'),
        ([], "[]"),
        ({}, "{}"),
        ([{}, [], ""], '[{},[],""]'),
        (1.0, "1"),
        (-0.0, "0"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1.5e300, "1.5e+300"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (5e-324, "5e-324"),
        (123456789.125, "123456789.125"),
        (333333333.33333329, "333333333.3333333"),
        (-0.1, "-0.1"),
        (2**53 + 1, "9007199254740993"),
        (2.0**62, "4611686018427387904"),
        ('€$\u000f\nA\'B"\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\"/"'),
        ("\u007f\u2028", '"\u007f\u2028"'),
        (
            {"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "ö": 7},
            '{"\\r":2,"1":4,"\x80":6,"ö":7,"€":1,"\U0001f600":5,"\ufb33":3}',
        ),
    ],
)
def test_digest_is_of_canonical_json(value: Any, text: str) -> None:
    """The digest is the keyed hash of RFC 8785's text; the samples are the RFC's where it has."""
    assert evaluate("digest(result)", result=value) == expected_digest(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_text_reads_back(value: float) -> None:
    """The text of a double is that double's and nobody else's, and JSON."""
    assert float(json.loads(digests.number_text(value))) == value


def test_digest_tells_values_apart() -> None:
    """Equal values have equal digests, different ones different, whatever their types."""
    values = [1, 2, "1", True, None, "", [], {}, [1], ["1"], {"a": 1}, {"a": [1]}, 0.5, "a\0"]
    digested = [evaluate("digest(result)", result=value) for value in values]
    assert len(set(digested)) == len(values)
    assert evaluate("digest(args.a) == digest(args.b)", args={"a": {"x": 1}, "b": {"x": 1.0}})
    assert fails("digest(time == time ? dyn(time) : dyn(1))")
    assert fails("digest([0.0 / 0.0])")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("  \t\n ", []),
        ("a  b\tc\nd", ["a", "b", "c", "d"]),
        ("'a b' c", ["a b", "c"]),
        ("''", [""]),
        ('a""b', ["ab"]),
        ('"a\\"b\\\\c\\$d\\`e\\f"', ['a"b\\c$d`e\\f']),
        ("a\\ b", ["a b"]),
        ("a\\\nb", ["ab"]),
        ("\\\n", []),
        ('"a\\\nb"', ["ab"]),
        ("'a\\'b", ["a\\b"]),
        ("r''m -rf", ["rm", "-rf"]),
        ("r\\m", ["rm"]),
        ("a;b|c # d", ["a;b|c", "#", "d"]),
        ("$(x) `y`", ["$(x)", "`y`"]),
        ("a\rb\x0bc\u00a0d", ["a\rb\x0bc\u00a0d"]),
        ("'a", None),
        ('"a', None),
        ('"a\\"', None),
        ("a\\", None),
        ("a'b'c\"d", None),
    ],
)
def test_shell_words(line: str, expected: list[str] | None) -> None:
    """Words as a POSIX shell splits them, quotes gone; what is open is an error."""
    if expected is not None:
        assert words.shell_words(line) == expected
        return
    with pytest.raises(Failure):
        words.shell_words(line)


@given(st.text("ab '\\\"\n\t", max_size=12))
def test_shell_words_agree_with_another_reader(line: str) -> None:
    """Where the standard library's reader and POSIX do not differ, both give the same words."""
    if "\\\n" in line:
        return
    try:
        expected: list[str] | None = shlex.split(line)
    except ValueError:
        expected = None
    try:
        assert words.shell_words(line) == expected
    except Failure:
        assert expected is None


def test_long_strings_fail_in_string_functions() -> None:
    """One byte over the bound is an error in each string function, and nothing is cut."""
    fitting, ascii_long = "a" * STRING_BYTES_MAX, "a" * (STRING_BYTES_MAX + 1)
    wide_long = "é" * (STRING_BYTES_MAX // 2) + "a"
    calls = [
        *("size(args.s)", "args.s.contains('b')", "'b'.contains(args.s)", "args.s.trim()"),
        *("args.s.startsWith('b')", "args.s.endsWith('b')", "args.s.matches('b')"),
        *("args.s.lowerAscii()", "args.s.upperAscii()", "args.s.split('b')", "int(args.s)"),
        *("args.s.replace('b', 'c')", "host(args.s)", "domain(args.s)", "entropy(args.s)"),
        *("glob('b*', args.s)", "glob('b', args.s)", "glob_any(['b'], args.s)", "number(args.s)"),
        *("path_within(args.s, '/')", "shell_words(args.s)", "string(args.s)", "args.s + ''"),
    ]
    for call in calls:
        for long in (ascii_long, wide_long):
            met = evaluate(call, args={"s": long})
            assert isinstance(met, CelError), call
            assert str(STRING_BYTES_MAX) in met.reason, call
    assert evaluate("size(args.s)", args={"s": fitting}) == STRING_BYTES_MAX
    assert evaluate("args.s == args.s && args.s != 'b'", args={"s": ascii_long}) is True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("size('hé\U0001f600')", 3),
        ("'a'.size()", 1),
        ("size({'a': 1})", 1),
        ("'ÀA'.lowerAscii()", "Àa"),
        ("'àa'.upperAscii()", "àA"),
        ("'\\u0085 \\t\\u00a0a\\u200b\\u001c\\u2003'.trim()", "a\u200b\x1c"),
        ("'a,b,'.split(',')", ["a", "b", ""]),
        ("''.split(',')", [""]),
        ("'ab'.split('')", ["a", "b"]),
        ("''.split('')", [""]),
        ("'abab'.replace('a', 'x')", "xbxb"),
        ("'ab'.replace('', 'x')", "xaxbx"),
        ("'a\\nb'.matches('a.b')", False),
        ("matches('xay', 'a')", True),
        ("'a'.matches('^a$') && !'a\\n'.matches('^a$')", True),
        ("'\\u0000x'.matches('x')", True),
        ("int('+12') + int('-0') + int(1.9) + int(true)", 14),
        ("int(-1.9)", -1),
        ("int(timestamp('1969-12-31T23:59:59.5Z'))", -1),
        ("double('1e2') + double(1) + double('.5')", 101.5),
        ("string(5) + string(true) + string('x')", "5truex"),
        ("bool('t') && !bool('FALSE')", True),
        ("entropy('')", 0.0),
        ("entropy('aaaa')", 0.0),
        ("entropy('aabb')", 1.0),
        ("entropy('abcdefgh')", 3.0),
    ],
)
def test_string_functions(text: str, value: Any) -> None:
    """CEL's functions of text, by code points; conversions are exact or errors."""
    met = evaluate(text)
    assert (type(met), met) == (type(value), value)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("int", [" 1", "1.0", "", "+", "1_0", "１", "1" * 5000, None, [], 1e19, -(2.0**63)]),
        ("double", ["NaN", "inf", "0x1p3", " 1", "1_0", "1e999", "1e", ".", "", "1e1000000", True]),
        ("bool", ["yes", "F", "T", "TrUe", "", 1, None]),
        ("string", [1.5, None, [], {}]),
        ("timestamp", ["2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01", "", 1.5]),
        ("timestamp", ["2024-01-01T00:00:00", "2024-01-01T00:00:60Z", "2024-01-01 00:00:00Z"]),
        ("timestamp", ["0001-01-01T00:00:00+01:00", "2024-01-01T00:00:00.1234567890Z", 10**12]),
        (
            "timestamp",
            ["2024-01-01T00:00:00+24:00", "٢024-01-01T00:00:00Z", "0000-01-01T00:00:00Z"],
        ),
        (
            "duration",
            ["", "1", "1d", "1h-1m", ".s", "0.1ns", "9223372036854775808ns", "-", "1s ", "1µs"],
        ),
        ("duration", ["+-1s", "1S", "١s", "1" * 100 + "s", 1]),
    ],
)
def test_conversions_that_fail(function: str, arguments: list[Any]) -> None:
    """Text that is not wholly of the wanted form is an error."""
    for argument in arguments:
        assert fails(f"{function}(args.x)", args={"x": argument}), argument


def test_calls_of_the_wrong_type_fail() -> None:
    """A method of text fails on a number, and a sum of times out of range fails too."""
    for text in ("'a'.contains(args.n)", "args.n.startsWith('1')", "args.n.matches('a')"):
        assert fails(text, args={"n": 1.5})
    for text in ("args.n.getHours()", "args.n.getMilliseconds()"):
        assert fails(text, args={"n": "2024-01-01T00:00:00Z"})
    args = {"s": "1s"}
    assert fails("timestamp('9999-12-31T23:59:59Z') + duration(args.s)", args=args)
    assert fails("duration('9223372036s') + duration(args.s)", args=args)
    assert fails("timestamp('9999-12-31T23:59:59Z') - timestamp(args.n)", args={"n": 0})


def test_times_are_exact() -> None:
    """Offsets, fractions and parts of a date, to the nanosecond."""
    assert times.to_timestamp("2024-01-01T01:00:00.000000001+01:00").ns == 1704067200 * 10**9 + 1
    assert times.to_timestamp("2024-02-29t00:00:00z") == times.to_timestamp(1709164800)
    assert times.to_duration("-1h1.5m2us").ns == -(3690 * 10**9 + 2000)
    assert times.to_duration("0").ns == 0
    readers = {**times.PARTS_OF_DATE, **times.PARTS_OF_SPAN}
    parts = {name: read(times.to_timestamp(1709164800)) for name, read in readers.items()}
    assert parts["getFullYear"] == 2024
    assert (parts["getMonth"], parts["getDate"], parts["getDayOfMonth"]) == (1, 29, 28)
    assert (parts["getDayOfWeek"], parts["getDayOfYear"], parts["getMilliseconds"]) == (4, 59, 0)


@pytest.mark.parametrize(
    ("span", "parts"),
    [
        ("90m59.321456789s", (1, 90, 5459, 321)),
        ("-90m59.321456789s", (-1, -90, -5459, -321)),
        ("-999999ns", (0, 0, 0, 0)),
        ("0", (0, 0, 0, 0)),
        ("9223372036854775807ns", (2562047, 153722867, 9223372036, 854)),
        ("-9223372036854775808ns", (-2562047, -153722867, -9223372036, -854)),
    ],
)
def test_parts_of_a_span(span: str, parts: tuple[int, ...]) -> None:
    """Whole hours, minutes and seconds of a span, toward zero; milliseconds beyond its seconds."""
    met = [read(times.to_duration(span)) for read in times.PARTS_OF_SPAN.values()]
    assert tuple(met) == parts
    assert evaluate(f"duration(args.x).getSeconds() == {parts[2]}", args={"x": span}) is True
    assert codes("duration(args.x).getDate() == 1") == ["E104"]


def test_replacement_is_measured_before_it_is_made() -> None:
    """A replacement that would explode is an error, not an allocation."""
    args = {"s": "a" * 100_000, "new": "b" * 100_000}
    assert fails("args.s.replace('a', args.new)", args=args)
    assert fails("args.s.replace('', args.new)", args=args)


def test_steps_are_the_event_s() -> None:
    """Evaluations of one event share its steps."""
    expression = compiled("args.l.all(x, x >= 0)")
    view = make_view(args={"l": list(range(20_000))})
    assert expression.evaluate(view) is True
    assert view.steps_left == STEPS_MAX - 20_000 * 3
    assert isinstance(expression.evaluate(view), CelError)
    assert view.steps_left < 0


def test_surrogates_are_no_text() -> None:
    """Half of a surrogate pair, should one come in, is an error and no crash."""
    with pytest.raises(Failure):
        strings.matcher(lambda _: None, "a")("\ud800")
    with pytest.raises(Failure):
        globs.glob("a*b", "\ud800")
    with pytest.raises(Failure):
        digests.digest("\ud800", KEY, make_view())
