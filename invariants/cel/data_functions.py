"""`seen(v, source)` and `only_from(v, source)`: queries of data memories in expressions.

    seen(args.to, "user_said")        every address in v was shown before, by the source
    only_from(args.to, "web")         some address in v was, and by no other source of the file

For a list, every text is tested, as if its addresses were in one text. A text without addresses is
tested as a whole. An empty list is seen, and never from only one source.

An unknown result is a failure, which CEL absorbs like any other: `&&` with false is false. The
source is resolved when the file is loaded. Source: docs/language.md, Data memories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from ..model.fact import Truth
from ..taint.event_view import EventView
from ..taint.tokens import characters_of
from ..values.value import Failure, text
from .ast import Call, Constant

SourcePlaces = Mapping[str, int]
"""The sources that may be queried, by name, with their index in `Shown.memories`."""

NO_SOURCES: Final[SourcePlaces] = {}
CHARACTERS_OF_STEP: Final = 4
"""Measured: splitting, decoding and fingerprinting this many characters costs one step."""
STEPS_OF_TEXT: Final = 16
"""Measured: the cost of a text besides its characters, 30 us for each querying function."""
FUNCTIONS_ASKING: Final = frozenset({"seen", "only_from"})


def source_name(node: Call) -> str | None:
    """The source that a call of `seen` or `only_from` names; None if it is not a literal."""
    last = node.arguments[-1]
    return last.value if isinstance(last, Constant) and isinstance(last.value, str) else None


Answer = Callable[[Any, EventView], bool]
"""The answer for a value; raises Failure if it is not known."""


def asking(node: Call, sources: SourcePlaces) -> Answer:
    """The function that a call asks. `check` has verified that the source is known."""
    name = source_name(node) or ""
    source = sources.get(name, -1)
    if node.function == "seen":
        return _seen(source)
    return _only_from(source, [place for place in sources.values() if place != source])


def _seen(source: int) -> Answer:
    def seen(value: Any, view: EventView) -> bool:
        shown = view.shown
        values = _texts(value, "seen", view)
        return _told([shown.seen(source, one) for one in values], "seen", min, Truth.TRUE)

    return seen


def _only_from(source: int, others: Sequence[int]) -> Answer:
    def only_from(value: Any, view: EventView) -> bool:
        shown = view.shown
        values = _texts(value, "only_from", view)
        told = [shown.only_from(source, others, one) for one in values]
        return _told(told, "only_from", max, Truth.FALSE)

    return only_from


def _texts(value: Any, function: str, view: EventView) -> list[str]:
    elements = value if type(value) is list else [value]
    texts = []
    for element in elements:
        texts.append(text(element, function))
        view.charge(STEPS_OF_TEXT + characters_of(element) // CHARACTERS_OF_STEP)
    return texts


def _told(
    answers: Sequence[Truth | None],
    function: str,
    combine: Callable[[Iterable[Truth]], Truth],
    nothing: Truth,
) -> bool:
    """The truth of all texts together; a text without a token is doubtful like any other doubt."""
    known = [Truth.UNKNOWN if answer is None else answer for answer in answers]
    answer = combine(known) if known else nothing
    if answer is not Truth.UNKNOWN:
        return answer is Truth.TRUE
    if None in answers:
        raise Failure(f"`{function}` needs a text with a letter or a digit in it")
    raise Failure("it is not known whether this session was shown that address or text")
