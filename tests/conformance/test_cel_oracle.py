"""Our CEL against Google's C++ engine, on generated expressions over good and bad events.

Both evaluate the same text on the same event without static checks: values must be equal with
their types, and failures must be failures in both. What is known to differ is listed in
docs/cel.md, pinned here and not generated. `INTERLOCK_LAWS_CASES` sets how many distinct
expressions are tried, `INTERLOCK_LAWS_SEED` which.
"""

from __future__ import annotations

import datetime
import math
import os
import random
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invariants.cel.check import check
from invariants.cel.checked import check_expression
from invariants.cel.compile import Expression, compile_expression
from invariants.cel.evaluate import prepare
from invariants.cel.fold import KindAndTool
from invariants.cel.parser import parse
from invariants.model.errors import Place
from invariants.model.source_text import SourceText
from invariants.taint.event_view import EventView
from invariants.values.value import CelError, Duration, Failure, Timestamp
from tests.conformance.cel_generator import FIELDS, KINDS, NAMES, TYPES, events, expression
from tests.support.cel import TIME_NS, make_view

try:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_strings
except ImportError:
    pytest.skip(
        "THE ORACLE IS MISSING: install cel-expr-python to hold our CEL against cel-cpp",
        allow_module_level=True,
    )

CASES_SHORT = 4000
CASES = int(os.environ.get("INTERLOCK_LAWS_CASES", CASES_SHORT))
IS_LONG = CASES > CASES_SHORT
SEED = int(os.environ.get("INTERLOCK_LAWS_SEED", secrets.randbits(48) if IS_LONG else 0))

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MICROSECOND = datetime.timedelta(microseconds=1)
TEXTS = ("kind", "tool", "text", "agent", "call")
MAPS = ("args", "attributes", "result", "seq")
ENVIRONMENT = cel.NewEnv(
    variables=dict.fromkeys((*TEXTS, *MAPS), cel.Type.DYN) | {"time": cel.Type.TIMESTAMP},
    extensions=[ext_strings.ExtStrings()],
)
TIME = EPOCH + TIME_NS // 1000 * MICROSECOND
EVENTS = events(200)
VIEWS = [make_view(**fields) for fields in EVENTS]
NOTHING: Final[dict[str, dict[str, Any]]] = {
    "tool.requested": {"text": ""},
    "message.user": {"tool": "", "call": "", "args": {}},
    "session.started": {"tool": "", "call": "", "text": "", "args": {}},
}
"""What each kind does not have, and so is empty and not missing where it is left out."""
ACTIVATIONS = [
    ENVIRONMENT.Activation(NOTHING[fields["kind"]] | fields | {"time": TIME}) for fields in EVENTS
]

FAILED: Final = "failed"
FAR: Final = "timestamp('2024-02-29T23:59:59.999999999Z')"
LONGEST: Final = "duration('9223372036854775807ns')"
SORTS: Final = {
    "missing": ("Key not found", "Index error: index", "No value with name"),
    "wrong type": (
        *("No matching overloads", "Applying SELECT to non-message", "Invalid map key type"),
        *("expected integer type", "Invalid container type"),
    ),
    "overflow": ("overflow", "out of int64 range", "maximum allowed", "minimum allowed"),
    "zero": ("divide by zero", "modulus by zero"),
    "text": ("onversion", "cannot convert"),
}
"""What cel-cpp says of an error, by what it is about."""


def ours(source: str, view: EventView) -> Any:
    """The value by this project, or FAILED."""
    try:
        return prepare(parse(SourceText(source, Place())), {}, b"").evaluator(view)
    except Failure:
        return FAILED


def told(source: str, activation: Any) -> tuple[Any, str]:
    """The value by cel-cpp, or FAILED and why. It raises for a key that stands twice in a map."""
    try:
        value = ENVIRONMENT.compile(source, disable_check=True).eval(activation)
    except RuntimeError as error:
        return FAILED, str(error)
    if value.type() == cel.Type.ERROR:
        return FAILED, str(value.plain_value())
    return value.plain_value(), ""


def theirs(source: str) -> Any:
    """The value by cel-cpp at the first event, or FAILED."""
    return told(source, ACTIVATIONS[0])[0]


def shown(value: Any) -> str:
    """A text that tells apart what CEL tells apart: 1 and 1.0, 0.0 and -0.0, 1 and true.

    Times are cut to microseconds, which is all that the bindings hand out.
    """
    match value:
        case float():
            return "nan" if math.isnan(value) else repr(value)
        case list():
            return f"[{', '.join(map(shown, value))}]"
        case dict():
            return f"{{{', '.join(f'{key!r}: {shown(value[key])}' for key in sorted(value))}}}"
        case Timestamp():
            return f"instant {value.ns // 1000}"
        case datetime.datetime():
            return f"instant {(value - EPOCH) // MICROSECOND}"
        case Duration():
            return f"span {abs(value.ns) // 1000 * (-1 if value.ns < 0 else 1)}"
        case datetime.timedelta():
            return f"span {value // MICROSECOND}"
        case _:
            return f"{type(value).__name__} {value!r}"


def exactly(value: Timestamp | Duration) -> str:
    """The expression of a time to the nanosecond."""
    if isinstance(value, Duration):
        return f"duration('{value.ns}ns')"
    moment = EPOCH + datetime.timedelta(seconds=value.ns // 10**9)
    return f"timestamp('{moment:%Y-%m-%dT%H:%M:%S}.{value.ns % 10**9:09}Z')".replace(
        f"'{moment.year}-", f"'{moment.year:04}-"
    )


def compiled(source: str) -> Expression | None:
    """As a file's loader compiles it; None where it is refused."""
    checked, _ = check_expression(SourceText(source, Place()), file="", lists={})
    return None if checked is None else compile_expression(checked, lists={}, digest_key=b"")


def always_fails(source: str) -> bool:
    """Whether some call in it fails for every event: that is refused, and not evaluated."""
    _, faults = check(parse(SourceText(source, Place())), file="", lists={})
    return any(fault.code == "E109" for fault in faults)


def assert_agreement(source: str, number: int = 0) -> str | None:
    """Compares both engines at one event; why it failed in both, "" for a value.

    What the loader accepts is compared as it compiles it, and so is what it folds away. None for
    an expression with a call that always fails.
    """
    view, fields = VIEWS[number], EVENTS[number]
    expression = compiled(source)
    if expression is None and always_fails(source):
        return None
    mine = ours(source, view)
    reference, reason = told(source, ACTIVATIONS[number])
    met = f"{source} at event {number}: {fields}"
    assert shown(mine) == shown(reference), met
    if isinstance(mine, Timestamp | Duration):
        assert told(f"({source}) == {exactly(mine)}", ACTIVATIONS[number])[0] is True, met
    if expression is not None:
        value = expression.evaluate(view)
        assert shown(FAILED if isinstance(value, CelError) else value) == shown(reference), met
        assert expression.fold(KindAndTool(fields["kind"], fields.get("tool", ""))) in (
            None,
            reference,
        ), met
    return reason


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Expressions by choices that Hypothesis can make simpler."""

    def pick(options: Sequence[Any]) -> Any:
        return draw(st.sampled_from(options))

    return expression(pick, pick(TYPES), 3)


@settings(
    max_examples=min(CASES // 20, 2000),
    deadline=None,
    derandomize=not IS_LONG,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(expressions(), st.integers(0, len(EVENTS) - 1))
def test_we_agree_with_cel_cpp(source: str, number: int) -> None:
    """Every generated expression has the same value, or none, in both engines."""
    assert_agreement(source, number)


def sort_of(reason: str) -> str:
    """What an error of cel-cpp is about; a reason that is not known fails."""
    sorts = [sort for sort, marks in SORTS.items() if any(mark in reason for mark in marks)]
    assert len(sorts) == 1, f"an error of no known sort, or of two: {reason}"
    return sorts[0]


def describe(sorts: Counter[str]) -> str:
    """The last result, as docs/cel.md has it."""
    failed = CASES - sorts["value"]
    parts = ", ".join(f"{sort} {count}" for sort, count in sorted(sorts.items()) if sort != "value")
    return f"cel: {CASES} distinct expressions, {failed} errors ({parts}); seed {SEED}"


def test_we_agree_with_cel_cpp_at_random() -> None:
    """Likewise for so many distinct expressions, of which 30 to 75 % fail."""
    choices = random.Random(SEED)
    seen: set[str] = set()
    sorts: Counter[str] = Counter()
    while len(seen) < CASES:
        source = expression(choices.choice, choices.choice(TYPES), choices.choice((1, 2, 3, 3)))
        number = choices.randrange(len(EVENTS))
        reason = assert_agreement(source, number) if source not in seen else None
        if reason is not None:
            seen.add(source)
            sorts[sort_of(reason) if reason else "value"] += 1
    print(f"\n{describe(sorts)}")
    # A generator that only fails, or never does, would prove nothing.
    assert 0.3 <= 1 - sorts["value"] / CASES <= 0.75, describe(sorts)
    for sort, share in (("missing", 0.08), ("wrong type", 0.08), ("overflow", 0.02)):
        assert sorts[sort] >= share * CASES, describe(sorts)


@pytest.mark.parametrize(
    ("source", "mine", "reference"),
    [
        ("9007199254740993 == 9007199254740992.0", False, True),
        ("9223372036854775807 < 9223372036854775808.0", True, False),
        ("double('NaN') < 1.0", FAILED, False),
        ("int(' 1')", FAILED, 1),
        ("string(1.5)", FAILED, "1.5"),
        ("string(duration('90s'))", FAILED, "90s"),
        ("{1: 2}[1]", FAILED, 2),
        ("timestamp('2024-01-01T00:00:60Z') == timestamp(0)", FAILED, False),
        ("duration('0.1ns') == duration('0')", FAILED, True),
        ("duration('2562048h') > duration('0')", FAILED, True),
        (f"{FAR} + {LONGEST} - {FAR} == {LONGEST}", True, FAILED),
    ],
)
def test_known_differences(source: str, mine: Any, reference: Any) -> None:
    """What docs/cel.md lists as different is different, and in the way that it says."""
    assert shown(ours(source, VIEWS[0])) == shown(mine)
    assert shown(theirs(source)) == shown(reference)


@pytest.mark.parametrize(
    ("source", "code", "reference"),
    [
        ("b'a' == b'a'", "E101", True),
        ("1u < 2u", "E101", True),
        ("uint(1) == uint(1)", "E103", True),
        ("type(1) == int", "E103", True),
        ("time.getHours('Europe/Berlin') == 23", "E103", True),
        ("'abc'.charAt(1) == 'b'", "E103", True),
        ("'abc'.indexOf('c') == 2", "E103", True),
        ("'abc'.substring(1) == 'bc'", "E103", True),
        ("['a', 'b'].join('') == 'ab'", "E103", True),
        ("text.matches(kind)", "E105", False),
    ],
)
def test_omissions(source: str, code: str, reference: Any) -> None:
    """What docs/cel.md lists as left out has a value in cel-cpp, and is refused here by name."""
    checked, faults = check_expression(SourceText(source, Place()), file="", lists={})
    assert checked is None
    assert code in [fault.code for fault in faults]
    assert theirs(source) is reference


def test_events_vary() -> None:
    """The first event is whole; of the others many miss a key, and some miss all arguments."""
    assert EVENTS[0] == FIELDS
    for name in NAMES:
        lacking = [fields["kind"] for fields in EVENTS if name not in fields]
        assert {*lacking} == {*KINDS}, name
    assert sum("args" not in fields for fields in EVENTS) >= 3
    assert sum("nul" not in fields.get("args", {"nul": 0}) for fields in EVENTS) >= 5
