"""Commands of `shell_commands` as tests write and compare them."""

from __future__ import annotations

from collections.abc import Sequence

from invariants.values.unknown_text import UnknownText, exactly

Words = Sequence[str | UnknownText]


def shown(word: str | UnknownText) -> str:
    """A word as text: gaps as `<kind>`, readings with `|` between, `*` for several words."""
    if isinstance(word, str):
        return word
    readings = (
        "".join(part if isinstance(part, str) else f"<{part.kind}>" for part in reading)
        for reading in word.readings
    )
    return "|".join(readings) + ("*" if word.is_many else "")


def may_be(word: UnknownText, text: str) -> bool:
    """Whether an unknown word could be exactly `text`."""
    return word.answer(exactly(text)) is not False


def could_be(listed: Words, ran: Sequence[str]) -> bool:
    """Whether a listed command says that `ran` may run."""
    if any(isinstance(word, UnknownText) and word.is_many for word in listed):
        return all(isinstance(word, UnknownText) or word in ran for word in listed)
    return len(listed) == len(ran) and all(
        may_be(word, other) if isinstance(word, UnknownText) else word == other
        for word, other in zip(listed, ran, strict=True)
    )
