"""What is refused or warned of when a file is loaded, with its code and its place."""

from __future__ import annotations

from typing import Any

import pytest

from invariants.cel.functions import FIELD_TYPES, FUNCTIONS
from invariants.model.errors import Fault, Place, SpecError
from tests.support.cel import codes, compiled, faults, make_view

LISTS: dict[str, tuple[Any, ...]] = {
    "hosts": ("a.example", "*.b.example"),
    "ports": (80, 443),
    "mixed": ("a", 1, None, True, 2.5),
    "dates": ("a", object()),
    "huge": (2**63,),
}


def the_fault(text: str, **lists: tuple[Any, ...]) -> Fault:
    with pytest.raises(SpecError) as caught:
        compiled(text, **lists)
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("kindd == 'a'", "E102", 1),
        ("[1].all(x, y == 1)", "E102", 12),
        ("[1].all(x, true) && x", "E102", 21),
        ("[1].all(kind, true)", "E102", 4),
        ("[1].all(lists, true)", "E102", 4),
        ("args.x.frobnicate()", "E103", 8),
        ("frobnicate(args.x)", "E103", 1),
        ("contains(text, 'a')", "E103", 1),
        ("args.url.host()", "E103", 10),
        ("host()", "E103", 1),
        ("host(text, text)", "E103", 1),
        ("text.contains()", "E103", 6),
        ("type(text) == string", "E102", 15),
        ("time.getHours('+01:00') == 1", "E103", 6),
        ("kind == 3", "E104", 6),
        ("kind != null", "E104", 6),
        ("time == 3", "E104", 6),
        ("seq == '1'", "E104", 5),
        ("args == ''", "E104", 6),
        ("kind < 3", "E104", 6),
        ("args < args.x", "E104", 1),
        ("null < args.x", "E104", 1),
        ("kind in ['a', 1]", "E104", 9),
        ("kind in lists.ports", "E104", 14),
        ("seq in lists.hosts", "E104", 13),
        ("kind in 'abc'", "E104", 9),
        ("kind && true", "E104", 1),
        ("true || seq", "E104", 9),
        ("!seq", "E104", 2),
        ("-kind", "E104", 2),
        ("seq ? 1 : 2", "E104", 1),
        ("kind + 1", "E104", 6),
        ("1 + 1.0", "E104", 3),
        ("true + true", "E104", 6),
        ("kind - kind", "E104", 6),
        ("time + time", "E104", 6),
        ("kind.x", "E104", 1),
        ("has(kind.x)", "E104", 1),
        ("kind[0]", "E104", 5),
        ("args[0]", "E104", 6),
        ("lists.hosts['a']", "E104", 13),
        ("{1: 2}.size() > 0", "E104", 2),
        ("kind.all(x, true)", "E104", 1),
        ("[1].all(x, 'a')", "E104", 12),
        ("[1].filter(x, 1).size() == 1", "E104", 15),
        ("[1].map(x, 1, 1).size() == 1", "E104", 12),
        ("seq.contains('a')", "E104", 1),
        ("text.contains(1)", "E104", 15),
        ("host(seq)", "E104", 6),
        ("digest(time) == ''", "E104", 8),
        ("number(true) == 1", "E104", 8),
        ("string(1.5) == '1.5'", "E104", 8),
        ("glob_any(text, text)", "E104", 10),
        ("glob_any(lists.ports, text)", "E104", 15),
        ("glob_any(['a', 1], text)", "E104", 10),
        ("named_any(['a', 1], text)", "E104", 11),
        ("named_any(['a?'], text)", "E105", 11),
        ("text.matches(args.pattern)", "E105", 18),
        ("text.matches('a' + 'b')", "E105", 18),
        ("text.matches('(')", "E105", 14),
        ("text.matches('(?=a)')", "E105", 14),
        (r"text.matches('(a)\\1')", "E105", 14),
        ("text.matches('((a{100}){100}){100}')", "E105", 14),
        ("seen(args.to, 'user')", "E110", 15),
        ("only_from(args.to, 'user')", "E110", 20),
        ("seen(args.to, text)", "E110", 15),
        ("shell_commands(seq) == []", "E104", 16),
        ("kind in lists.none", "E108", 9),
        ('kind in lists["none"]', "E108", 9),
        ("kind in lists.dates", "E108", 14),
        ("seq in lists.huge", "E108", 13),
        ("timestamp('2024') < time", "E109", 1),
        ("host('example.com') == kind", "E109", 1),
        ("number('x') == 1", "E109", 1),
    ],
)
def test_faults(text: str, code: str, column: int) -> None:
    """What can only be a mistake is refused where it stands."""
    with pytest.raises(SpecError) as caught:
        compiled(text, **LISTS)
    met = [(fault.code, fault.place) for fault in caught.value.faults]
    assert (code, Place(1, column)) in met
    assert all(fault.severity == "error" for fault in caught.value.faults)


@pytest.mark.parametrize(
    "text",
    [
        "args.x == 3 && args.x == 'a'",
        "seq == 1.0",
        "1 < 1.5",
        "kind in lists.mixed",
        "seq in lists.mixed",
        "[1, 'a'] == [1.0]",
        "null == args.x",
        "args.x[0] == args['x']",
        "lists.hosts[0] == kind",
        "lists.hosts.exists(h, glob(h, tool))",
        "time - timestamp('2024-01-01T00:00:00Z') > duration('1h')",
        "result == 'a' || result == 1",
        "(seq > 1 ? 'a' : kind) == 'a'",
        "glob_any(lists.hosts, args.x) || glob_any(args.x, text)",
        "text + kind == 'ab'",
        "size(args) * 2 > 3",
        "text.size() + 1 > 3",
    ],
)
def test_no_fault_where_types_are_open(text: str) -> None:
    """What may be right for some event is neither refused nor warned of."""
    assert codes(text, **LISTS) == []


def test_all_faults_at_once() -> None:
    """One look shows every fault, in order of place."""
    assert codes("kindd == 1 && tool == 3 && frob(x)") == ["E102", "E104", "E103", "E102"]


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("double(args.x) > 1.0", ["E150"]),
        ("args.x + 1 > 2", ["E151"]),
        ("args.x * args.y > 2", ["E151"]),
        ("-args.x > 2", ["E151"]),
        ("seq + 1 > 2", ["E151"]),
        ("number(args.x) + 1 > 2", ["E151"]),
        ("args.l.exists(x, x + 1 > 2)", ["E151"]),
        ("int(args.x) % 2 == 0", ["E151"]),
        ("time.getHours() + 1 > 2", []),
        ("1 + 1 == 2", []),
        ("number(args.x) > 2", []),
    ],
)
def test_warnings(text: str, warned: list[str]) -> None:
    """`double(` and arithmetic on fields of events load, with a warning."""
    assert codes(text) == warned
    assert all(fault.severity == "warning" for fault in faults(text))


def test_a_fault_says_what_to_do() -> None:
    """The line names place, code, what was met and how to mend it."""
    assert str(the_fault("kind == 3")) == (
        "a.yaml:1:6: E104: `==` between string and int is always false; write the number in quotes"
    )
    assert "host(a)" in the_fault("args.url.host()").mend
    assert "hosts" in the_fault("kind in lists.x", hosts=()).mend


def test_lists_that_are_not_named_are_no_concern() -> None:
    """A faulty list makes faults only where it is used."""
    assert codes("kind == 'a'", **LISTS) == []


def test_lists_are_values() -> None:
    """Lists behave as literals do, by CEL's equality and nothing looser."""
    view = make_view(tool="a", seq=1)
    for text, value in (
        ("tool in lists.mixed", True),
        ("seq in lists.mixed", True),
        ("1.0 in lists.mixed", True),
        ("dyn(false) in lists.mixed", False),
        ("dyn(true) in lists.mixed", True),
        ("dyn(null) in lists.mixed", True),
        ("dyn(2.5) in lists.mixed", True),
        ("dyn([1]) in lists.mixed", False),
        ("lists.mixed.size()", 5),
        ('lists["ports"][1]', 443),
        ("lists[tool + ''] == 1", None),
        ("has(lists.ports) && !has(lists.none)", True),
        ("size(lists)", 5),
    ):
        met = compiled(text, **LISTS | {"dates": (), "huge": ()}).evaluate(view)
        if value is not None:
            assert met == value, text


def test_expressions_know_what_they_read() -> None:
    """`fields` are the event's names in an expression, without the variables of macros."""
    text = "kind == 'a' && args.l.all(x, x in lists.hosts || has(attributes.y))"
    assert compiled(text, **LISTS).checked.fields == {"kind", "args", "lists", "attributes"}


NAMES = ("tool", "call", "agent", "user", "tenant", "text")


def test_every_name_can_be_read() -> None:
    """Each documented name is known, and gives what it says or an error, never an exception."""
    for name, known in FIELD_TYPES.items():
        assert compiled(f"dyn({name})").checked.fields == {name}
        texts, standing = dict.fromkeys(NAMES, "x"), {"version": 1}
        view = make_view(**texts, principal="p", seq=1, args={}, attributes={}, standing=standing)
        value = compiled(name).evaluate(view)
        assert known == "any" or type(value).__name__.lower() in {
            "string": {"str"},
            "int": {"int"},
            "map": {"dict"},
            "list": {"list"},
            "timestamp": {"timestamp"},
        }.get(known, set())


def test_functions_have_distinct_forms() -> None:
    """The table is consistent: a method has a receiver, names are what they stand under."""
    for name, function in FUNCTIONS.items():
        assert function.name == name
        assert function.takes
