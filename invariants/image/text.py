"""The image of one invariant as lines for people: the numbered parts that a kernel steps by.

    formula      #4 and members=(#1, #3)
    expression   #12 call function=matches, arguments=(#10, #11)

Fields that are empty or false are left out, and texts for explanations are cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..formula.durations import format_duration
from .alphabets import EXPRESSIONS, FORMULAS, LIMITS
from .flat import MAPPING, NUMBER, TUPLE, Alphabet
from .model import InvariantImage, Parts, PredicateImage, ProgramImage

TEXT_CHARACTERS_MAX: Final = 60
"""Chosen: longer texts in a part are cut."""
_NOTHING: Final = (None, False, "", [TUPLE], [MAPPING], [LIMITS])


def plan_of(image: ProgramImage, invariant: InvariantImage) -> list[str]:
    """The plan of one invariant of an image, with the predicates that it reads."""
    tables = dict(invariant.tables)
    names = tables["predicates"][1:]
    predicates = [
        one for one in image.predicates if one.file == invariant.file and one.name in names
    ]
    lines = [f"{invariant.declared.id}, digest {invariant.declared.digest}", "  tables"]
    lines += [f"    {name}: {_shown(of)}" for name, of in tables.items() if of not in _NOTHING]
    lines.append("  formula")
    lines += [f"    {_part(number, part, FORMULAS)}" for number, part in enumerate(invariant.parts)]
    lines.append("  predicates")
    lines += [f"    {_predicate(one)}" for one in predicates]
    lines.append("  expressions")
    used = sorted(set(_reached(image.expressions, predicates)))
    lines += [f"    {_part(one, image.expressions[one], EXPRESSIONS)}" for one in used]
    return lines


def _predicate(predicate: PredicateImage) -> str:
    values = "".join(f", {name} #{number}" for name, number in predicate.values)
    return f"{predicate.name}: when #{predicate.when}{values}"


def _part(number: int, part: list[Any], alphabet: Alphabet) -> str:
    kind, *content = part
    named = zip(alphabet.field_names[kind], content, strict=True)
    shown = ", ".join(f"{name}={_shown(of)}" for name, of in named if of not in _NOTHING)
    return f"#{number} {kind} {shown}".rstrip()


def _shown(content: Any) -> str:
    if isinstance(content, str):
        is_long = len(content) > TEXT_CHARACTERS_MAX
        return repr(content[:TEXT_CHARACTERS_MAX] + "..." if is_long else content)
    if not isinstance(content, list):
        return str(content)
    kind, *rest = content
    if kind == NUMBER:
        return f"#{rest[0]}"
    if kind == "window":
        low_ns, high_ns = rest
        return f"[{_time(low_ns)}, {'...' if high_ns is None else _time(high_ns)}]"
    items = ", ".join(map(_shown, rest))
    return f"({items})" if kind == TUPLE else f"{kind}({items})"


def _time(time_ns: int) -> str:
    return format_duration(time_ns) if time_ns else "0"


def _reached(parts: Parts, predicates: list[PredicateImage]) -> Iterator[int]:
    """The numbers of all parts of some predicates."""
    waiting = [n for one in predicates for n in (one.when, *(value for _, value in one.values))]
    known: set[int] = set()
    while waiting:
        number = waiting.pop()
        if number not in known:
            known.add(number)
            yield number
            waiting += _numbers(parts[number][1:])


def _numbers(content: Any) -> Iterator[int]:
    if isinstance(content, list):
        if content[:1] == [NUMBER]:
            yield content[1]
        else:
            for item in content:
                yield from _numbers(item)
