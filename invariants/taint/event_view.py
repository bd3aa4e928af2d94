"""One event as predicates read it, with the values that its session was shown before."""

from __future__ import annotations

from typing import Any, Final

from ..model.event import CARRIED_BY, Event
from ..model.limits import STEPS_MAX
from ..model.missing import MISSING, NOTHING_LEFT_OUT, LeftOut, read_attributes, read_json
from .memory import NOTHING_SHOWN, Shown


class SpentError(Exception):
    """The event has no steps left for evaluations; it propagates through the evaluation, like
    `Failure`.

    No operator absorbs it: the cost of one predicate must not decide the value of another.
    """


class EventView:
    """One event as predicates read it: plain fields, and JSON parts decoded at the first read.

    A JSON value is None, bool, int (any size: one beyond int64 is an error when it is read), float,
    str, list or dict. An unreadable value is represented by such a number too
    (`invariants/model/missing.py`), also in place of a whole part. `args` is `ABSENT_ARGS` if a
    call's event has none. `shown` contains the values that the session's sources had shown before
    the event. `steps_left` is the rest of the steps for all evaluations on it together (negative:
    they exceeded them). `derived` contains values derived from its texts, which are computed, and
    charged, once. `shared` and `of_call` contain the values of parts that several expressions have
    in common: at this event, and at every event of its kind and tool (`cel/common.py`).
    """

    __slots__ = (
        "_args",
        "_attributes",
        "_left_out",
        "_result",
        "derived",
        "event",
        "of_call",
        "record",
        "shared",
        "shown",
        "steps_left",
        "time_ns",
    )

    def __init__(self, event: Event, shown: Shown = NOTHING_SHOWN) -> None:
        self.event = event
        self.shown = shown
        self.record = event.record
        self.time_ns = event.time_ns
        self._args: Any = _UNREAD
        self._result: Any = _UNREAD
        self._attributes: Any = _UNREAD
        self._left_out: LeftOut = NOTHING_LEFT_OUT
        self.steps_left = STEPS_MAX
        self.derived: dict[Any, Any] | None = None
        self.shared: dict[int, Any] = {}
        self.of_call: dict[int, Any] = {}

    def allot(self, steps: int) -> None:
        """Set the number of steps that evaluations from now on may take together."""
        self.steps_left = steps
        self.derived = None

    def charge(self, steps: int) -> None:
        """Take `steps` from those that are left; raises SpentError if there are too few."""
        self.steps_left -= steps
        if self.steps_left < 0:
            raise SpentError

    @property
    def left_out(self) -> LeftOut:
        """The parts of the event that the client did not publish, by its own record."""
        if self._attributes is _UNREAD:
            raw = self.record.attributes
            if memoryview(raw):
                self._attributes, self._left_out = read_attributes(raw)
            else:
                self._attributes = {}
        return self._left_out

    @property
    def args(self) -> Any:
        if self._args is _UNREAD:
            raw = self.record.args
            if memoryview(raw):
                self._args = self._with_left_out(read_json(raw))
            else:
                is_carried = self.record.kind.startswith(CARRIED_BY["args"])
                self._args = ABSENT_ARGS if is_carried else {}
        return self._args

    def _with_left_out(self, args: Any) -> Any:
        """An argument that was not published was given nevertheless: its value is unknown."""
        names = self.left_out.args
        if names is None:
            return ABSENT_ARGS
        return {**dict.fromkeys(names, MISSING), **args} if names else args

    @property
    def result(self) -> Any:
        if self._result is _UNREAD:
            raw, left_out = self.record.result, self.left_out
            if left_out.result:
                self._result = MISSING
            elif memoryview(raw):
                self._result = read_json(raw, has_placeholders=left_out.has_placeholders)
            else:
                self._result = None
        return self._result

    @property
    def attributes(self) -> Any:
        assert self.left_out is not None, "reads them"
        return self._attributes


class _Marker:
    """A unique value that no JSON text can produce."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


_UNREAD: Final = _Marker("UNREAD")


ABSENT_ARGS: Final = _Marker("ABSENT_ARGS")
