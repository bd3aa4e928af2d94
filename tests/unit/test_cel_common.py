"""Parts that expressions have in common: the same values and the same steps, evaluated once."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random
from typing import Any

import pytest

from invariants.cel.checked import CheckedExpression, check_expression
from invariants.cel.common import CommonParts
from invariants.cel.compile import compile_expression
from invariants.check.checked import CheckedSpec
from invariants.model.errors import Place
from invariants.model.event import Origin
from invariants.model.limits import STEPS_MAX
from invariants.model.source_text import SourceText
from invariants.runtime.predicate import Predicate, compile_predicate
from invariants.taint.event_view import EventView
from invariants.values.value import CelError
from monitor.authoring.files import default_pack_specs
from monitor.ingest.decode import decode_event
from tests.conformance.cel_generator import TYPES, events, expression
from tests.support.cel import KEY, make_view
from tests.support.recorded import session_files

EVENTS_COUNT = 400
RANDOM_COUNT = 1_500


def checked(text: str, **lists: tuple[Any, ...]) -> CheckedExpression:
    found, faults = check_expression(SourceText(text, Place()), file="a.yaml", lists=lists)
    assert found is not None, faults
    return found


def common_parts(specs: Sequence[CheckedSpec]) -> CommonParts:
    common = CommonParts()
    for spec in specs:
        for predicate in spec.predicates:
            for part in predicate.expressions:
                common.take(part.node, spec.lists)
    return common


def common_of(*texts: str, **lists: tuple[Any, ...]) -> CommonParts:
    common = CommonParts()
    for text in texts:
        common.take(checked(text, **lists).node, lists)
    return common


def is_shared(part: str, *texts: str, **lists: tuple[Any, ...]) -> bool:
    return common_of(*texts, **lists).shared(checked(part, **lists).node, lists) is not None


def test_equal_parts_are_shared_whatever_their_layout() -> None:
    """Method or function, spaces, places; not where a literal's type or a list differs."""
    part = "size(args.x)"
    assert is_shared(part, "size( args.x ) > 1", "args.x.size() == 2")
    assert not is_shared(part, "size(args.x) > 1", "size(args.y) > 1")
    one, other = "args.l.exists(x, x == 1)", "args.l.exists(x, x == 1.0)"
    assert is_shared(one, one, f"!{one}")
    assert not is_shared(one, one, other)
    named = "named_any(lists.a, tool)"
    assert is_shared(named, named, f"!{named}", a=("x",))
    common = CommonParts()
    common.take(checked(named, a=("x",)).node, {"a": ("x",)})
    common.take(checked(named, a=("y",)).node, {"a": ("y",)})
    assert common.shared(checked(named, a=("x",)).node, {"a": ("x",)}) is None


def test_what_a_file_decides_is_not_shared() -> None:
    """`lists` of which one is chosen at the event, and what sources have shown."""
    chosen = "lists[tool].exists(x, x == kind)"
    common = CommonParts()
    for items in (("x",), ("y",)):
        common.take(checked(chosen, a=items).node, {"a": items})
    assert common.shared(checked(chosen, a=("x",)).node, {"a": ("x",)}) is None
    seen, places = SourceText("seen(args.x, 's')", Place()), {"s": 0}
    found, _ = check_expression(seen, file="a.yaml", lists={}, sources=places)
    assert found is not None
    common.take(found.node, {})
    common.take(found.node, {})
    assert common.shared(found.node, {}) is None


@pytest.mark.parametrize(
    "text",
    [
        "size(urls(args.x)) == 1 || size(urls(args.x)) == 2",
        "args.x.exists(e, e > 1 / e) && args.x.exists(e, e > 1 / e)",
        "args.x.exists(e, e == 1 && args.x.exists(f, f == 0)) || args.x.exists(f, f == 0)",
        "args.l.exists(e, named_any(['a*'], tool) && e == 'b') || named_any(['a*'], tool)",
        "digest(args) == digest(args)",
        "int(args.none) == 1 || int(args.none) == 2",
    ],
)
def test_a_failure_is_shared_too(text: str) -> None:
    """With and without sharing: the same value or reason, and the same steps, time after time."""
    found, common = checked(text), common_of(text)
    alone = compile_expression(found, lists={}, digest_key=KEY)
    together = compile_expression(found, lists={}, digest_key=KEY, common=common)
    for fields in ({"x": [0, 1, 2]}, {"x": [0]}, {"x": "http://a.example"}, {}, {"l": ["b", 1]}):
        one, other = make_view(args=fields, tool="abc"), make_view(args=fields, tool="abc")
        for _ in range(2):
            assert _shown(alone.evaluate(one)) == _shown(together.evaluate(other))
            assert one.steps_left == other.steps_left


@pytest.mark.parametrize(
    ("text", "is_small"),
    [
        ("size(tool.replace('x', 'xxxxxxxxxx')) == 1", True),
        ("tool.replace('x', 'xxxxxxxxxx') == 'a'", False),
        ("[tool].map(t, t + kind) == ['a']", False),
        ("tool.split('x') == ['a']", False),
    ],
)
def test_only_small_values_are_remembered_for_later_events(text: str, is_small: bool) -> None:
    """Agents choose the names of tools, so that thousands of plans remember values."""
    both = f"{text} || {text}"
    common = common_of(both)
    together = compile_expression(checked(both), lists={}, digest_key=KEY, common=common)
    view = make_view(tool="x" * 100)
    assert together.evaluate(view) is False
    assert view.shared or is_small
    assert bool(view.of_call) == is_small


def test_random_expressions_keep_their_values_and_steps() -> None:
    """Each beside itself, so that all its calls and macros are shared, at several events."""
    views = events(12)
    shared_count = 0
    for number in range(RANDOM_COUNT):
        choose = Random(number).choice
        text = expression(choose, choose(TYPES), 4)
        found, _ = check_expression(SourceText(text, Place()), file="a.yaml", lists={})
        if found is None:
            continue
        common = CommonParts()
        common.take(found.node, {})
        common.take(found.node, {})
        alone = compile_expression(found, lists={}, digest_key=KEY)
        together = compile_expression(found, lists={}, digest_key=KEY, common=common)
        for fields in views:
            one, other = make_view(**fields), make_view(**fields)
            for _ in range(2):
                assert repr(_shown(alone.evaluate(one))) == repr(_shown(together.evaluate(other)))
                assert one.steps_left == other.steps_left, text
            shared_count += len(other.shared) + len(other.of_call)
    assert shared_count > RANDOM_COUNT


def _shown(value: Any) -> Any:
    return ("error", value.reason) if isinstance(value, CelError) else value


def recorded() -> Iterator[bytes]:
    for path in session_files():
        with gzip.open(path, "rb") as lines:
            yield from islice((line.rstrip(b"\n") for line in lines), EVENTS_COUNT // 4)


def predicates(*, is_shared: bool) -> Sequence[Predicate]:
    specs = default_pack_specs()
    common = common_parts(specs) if is_shared else None
    return [
        compile_predicate(
            predicate,
            lists={n: list(of) for n, of in spec.lists.items()},
            digest_key=KEY,
            common=common,
        )
        for spec in specs
        for predicate in spec.predicates
    ]


@pytest.mark.data
def test_the_facts_of_recorded_events_are_the_same() -> None:
    """Of all predicates of the packs, with a whole budget and with one that is soon exhausted."""
    alone, together = predicates(is_shared=False), predicates(is_shared=True)
    saved = 0
    for number, line in enumerate(recorded()):
        event = decode_event(line, Origin("t", "0", number))
        for budget in (STEPS_MAX, 7):
            one, other = EventView(event), EventView(event)  # type: ignore[arg-type]
            one.allot(budget)
            other.allot(budget)
            for predicate, same in zip(alone, together, strict=True):
                assert predicate.fact(one) == same.fact(other), (predicate.name, line)
                assert max(one.steps_left, -1) == max(other.steps_left, -1)
                if one.steps_left < 0:
                    break
            saved += len(other.shared) + len(other.of_call)
    assert saved, "nothing was shared"
