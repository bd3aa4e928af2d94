"""The times of the events of an example.

    ts: 2026-01-31T12:00:00Z     a time, or whole nanoseconds since 1970
    at: 301s                     the time since the beginning; `ts: 301s` is the same
    after: 5m                    the time since the previous event

Without any of them the time is one second after the previous event, and 0 for the first event. The
beginning is the time of the first event if it is given, else 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from ..formula.durations import DURATION_MEND, meant_duration
from ..formula.leaves import DURATION_DAYS_MAX
from ..formula.parser import parse_span
from ..model.errors import Place, SpecError
from ..model.event import SECOND_NS
from ..yaml.faults import E_EXAMPLE
from ..yaml.nodes import YamlNode, YamlScalar
from .typed_yaml import Shape, sort_of

TIME_KEYS: Final = ("ts", "at", "after")
TIME_NS_MAX: Final = 2**63 - 1  # Times are int64 nanoseconds.

_SPAN_LIKE = re.compile(r"-?[0-9][0-9.]*[ \t]*[A-Za-z]", re.ASCII)


class Times:
    """Gives the events of one example their times, in their order."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._beginning_ns: int | None = None
        self._last_ns: int | None = None

    def next(self, when: Mapping[str, YamlNode], place: Place) -> int | str:
        """The time of the next event as it is written, or in nanoseconds; faults are reported."""
        stated, time_ns = self._stated(when)
        if self._beginning_ns is None:
            self._beginning_ns = 0 if stated is None else time_ns
        if time_ns > TIME_NS_MAX:
            message = "the time of this event is too large for int64 nanoseconds"
            self._shape.add(place, E_EXAMPLE, message, "write a shorter duration")
            time_ns = 0
        self._last_ns = time_ns
        return time_ns if stated is None else stated

    def _stated(self, when: Mapping[str, YamlNode]) -> tuple[int | str | None, int]:
        """The time as `ts` states it, if it does, and in nanoseconds."""
        default_ns = 0 if self._last_ns is None else self._last_ns + SECOND_NS
        if len(when) > 1:
            keys = " and ".join(f"`{key}`" for key in TIME_KEYS if key in when)
            place = [node.place for node in when.values()][1]
            message = f"{keys} both give the time of this event"
            self._shape.add(place, E_EXAMPLE, message, "keep one of them")
            return None, default_ns
        for key, node in when.items():
            if key == "ts" and not _is_span(node):
                return self._read_ts(node, default_ns)
            span_ns = self._read_span(key, node)
            from_ns = self._last_ns if key == "after" else self._beginning_ns
            return None, default_ns if span_ns is None else (from_ns or 0) + span_ns
        return None, default_ns

    def _read_ts(self, node: YamlNode, default_ns: int) -> tuple[int | str | None, int]:
        value = node.value if isinstance(node, YamlScalar) else None
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TIME_NS_MAX:
            return value, value
        if isinstance(value, str) and (time_ns := parse_rfc3339_ns(value)) is not None:
            return value, time_ns
        expected = "an RFC 3339 time, whole nanoseconds or a duration"
        message = f"`ts` of an event must be {expected}, not {sort_of(node)}"
        mend = "write `2026-01-31T12:00:00Z`, or the time since the beginning: `301s`"
        self._shape.add(node.place, E_EXAMPLE, message, mend)
        return None, default_ns

    def _read_span(self, key: str, node: YamlNode) -> int | None:
        what = f"`{key}` of an event"
        if not self._shape.has_value(node, what):
            return None
        text = node.text.strip() if isinstance(node, YamlScalar) else ""
        try:
            return parse_span(text, file=self._shape.file, locate=lambda offset: node.place)
        except SpecError:
            message = f"{what} must be a duration, not {sort_of(node)}"
            self._shape.add(node.place, E_EXAMPLE, message, _mend_of_span(text))
            return None


def _is_span(node: YamlNode) -> bool:
    """True if the value looks like a duration."""
    return (
        isinstance(node, YamlScalar)
        and isinstance(node.value, str)
        and _SPAN_LIKE.match(node.value) is not None
    )


_RFC_3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def _mend_of_span(text: str) -> str:
    if parse_rfc3339_ns(text) is not None:
        return f"write `ts: {text}`"
    if text.isascii() and text.isdigit():
        return f"write its unit: `{text[:40]}s`, `{text[:40]}m` or `{text[:40]}h`"
    meant = meant_duration(text)
    if meant and meant != text:
        return f"write `{meant}`"
    return f"{DURATION_MEND}, at most `{DURATION_DAYS_MAX}d`"


def parse_rfc3339_ns(text: str) -> int | None:
    """RFC 3339 as nanoseconds since 1970, exactly; None where it is none, or before 1970."""
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    try:
        zone = "+00:00" if match[3] in "Zz" else match[3]
        moment = datetime.fromisoformat(match[1].upper() + zone)
        elapsed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    seconds = elapsed.days * 86_400 + elapsed.seconds
    time_ns = seconds * SECOND_NS + int((match[2] or "").ljust(9, "0"))
    return time_ns if 0 <= time_ns <= TIME_NS_MAX else None


def read_time_ns(ts: int | str) -> int:
    """Nanoseconds of a time as an example has it."""
    if isinstance(ts, int):
        return ts
    time_ns = parse_rfc3339_ns(ts)
    assert time_ns is not None, "only times that were read are kept"
    return time_ns
