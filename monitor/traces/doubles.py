"""Calls and messages that a trace tells more than once, each as one.

    once(steps, tree) -> the steps of a session without doubles, and how many those were

| told twice by | kept |
|---|---|
| steps without spans: the same call or message in the same words | the first |
| a message of a protocol within the span of its call | the outer, with what only the inner tells |
| two spans with one call id that overlap in time | the one that begins first, likewise |
| a message of a model about a call that a span tells, too | the one of the span, likewise |
| a message of the runtime in the words of a message of the user | the user's |
| spans of one trace: the same message in the same words | the first |
| a span that is there twice | the first |

A call with another tool or other arguments is another call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from monitor.traces.model import ABSENT, Step
from monitor.traces.tree import Tree

OUTCOMES: Final = ("tool.completed", "tool.failed")
REQUEST: Final = "tool.requested"
Timed = tuple[int, Step]
_TRIED_MAX: Final = 100
"""Chosen: spans of a tool that are compared with a call in a message."""


def once(steps: Sequence[Timed], tree: Tree) -> tuple[list[Timed], int]:
    """All steps of a session, in the order of their times, without second tellings."""
    distinct = list(_distinct(steps))
    calls = _Calls(distinct, tree)
    kept = [(time_ns, step) for time_ns, told in distinct if (step := calls.kept(told)) is not None]
    return kept, len(steps) - len(kept)


def _is_same(one: Step, other: Step) -> bool:
    """True if two requests can be of one call: what both tell is equal."""
    is_tool = not (one.tool and other.tool) or one.tool == other.tool
    return is_tool and (one.args is None or other.args is None or one.args == other.args)


def _distinct(steps: Sequence[Timed]) -> Iterator[Timed]:
    """Without repeated messages of spans, repeated spans, and repeated calls of other formats."""
    told: dict[tuple[str, str], Step] = {}
    texts: set[tuple[str, str, str]] = set()
    spans: dict[tuple[str, str], Step] = {}
    said = {step.text for _, step in steps if step.kind == "message.user"}
    for time_ns, step in _fuller(steps):
        if step.kind == "message.runtime" and step.text in said:
            continue
        if step.span is not None and step.kind.startswith("message."):
            text = (step.span.trace, step.kind, step.text)
            if text not in texts:
                texts.add(text)
                yield time_ns, step
        elif step.span is not None and not step.is_retold:
            first = spans.setdefault((step.kind, step.span.id), step)
            if first is step:
                yield time_ns, step
            elif replace(step, place=first.place) != first:
                # Another one with the same id: nothing that is told of the first is about it.
                yield time_ns, replace(step, span=None)
        elif not _is_told(told, step):
            yield time_ns, step


def _fuller(steps: Sequence[Timed]) -> Iterator[Timed]:
    """With the arguments of another telling of a call, for one without."""
    args = {
        (step.kind, step.call): step.args
        for _, step in reversed(steps)
        if step.call and _has_own_call(step) and step.args is not None
    }
    for time_ns, step in steps:
        if step.args is None and _has_own_call(step):
            step = replace(step, args=args.get((step.kind, step.call)))  # noqa: PLW2901
        yield time_ns, step


def _has_own_call(step: Step) -> bool:
    """True if all that has its id is about this call. Of spans, that depends on their times."""
    return step.has_lasting_call and step.span is None


def _is_told(told: dict[tuple[str, str], Step], step: Step) -> bool:
    """True for the second telling of a call or of a message; else `told` has it from now on."""
    id_ = step.call if step.kind.startswith("tool.") else step.message
    known = told.get((step.kind, id_)) if id_ else None
    if known is not None and _is_same_step(known, step):
        return True
    told[step.kind, id_] = step
    if not step.has_lasting_call:
        for kind in OUTCOMES if step.kind == REQUEST else (REQUEST,):
            told.pop((kind, id_), None)
    return False


def _is_same_step(one: Step, other: Step) -> bool:
    if not one.kind.startswith("tool."):
        return one.text == other.text
    return _is_same(one, other) and (one.result is ABSENT or one.result == other.result)


class _Calls:
    """The calls that spans tell. The request of a span is folded into another, its root, if both
    are of one call; the root's outcome is a failure if any of them tells one.
    """

    def __init__(self, steps: Sequence[Timed], tree: Tree) -> None:
        self._tree = tree
        self._roots: dict[str, str] = {}
        self._asked: dict[str, Step] = {}
        self._outcomes: dict[str, Step] = {}
        self._results: dict[tuple[str, str], Any] = {}
        self._end_ns: dict[str, int] = {}
        direct = [(t, one) for t, one in steps if one.span is not None and not one.is_retold]
        for time_ns, step in direct:
            assert step.span is not None, "just chosen"
            if step.kind == REQUEST:
                self._asked[step.span.id] = step
            elif step.kind in OUTCOMES:
                self._end_ns[step.span.id] = time_ns
        self._fold_carriers()
        self._fold_calls(direct)
        self._choose_outcomes(direct)
        self._by_call: dict[str, str] = {}
        self._nameless: dict[str, OrderedDict[str, None]] = {}
        for root in dict.fromkeys(self._roots.values()):
            asked = self._asked[root]
            if asked.call:
                self._by_call.setdefault(asked.call, root)
            else:
                self._nameless.setdefault(asked.tool, OrderedDict())[root] = None
        self._retold = {id(one) for _, one in steps if one.is_retold and self._is_retold(one)}

    def kept(self, step: Step) -> Step | None:
        """The step with all that is told of its call; None if another stands for it."""
        if step.is_retold:
            return self._kept_retold(step)
        if step.span is None or step.span.id not in self._roots:
            return step
        if step.kind != REQUEST and step.kind not in OUTCOMES:
            return step
        root = self._roots[step.span.id]
        asked = self._asked[root]
        call = asked.call or root
        if step.kind == REQUEST:
            return replace(asked, call=call) if root == step.span.id else None
        if step is not self._outcomes[root]:
            return None
        if step.result is ABSENT:
            step = replace(step, result=self._results.get((step.kind, root), ABSENT))
        return replace(step, call=call, tool=asked.tool, args=asked.args)

    def _kept_retold(self, step: Step) -> Step | None:
        if step.kind == REQUEST:
            return None if id(step) in self._retold else step
        return None if self._by_call.get(step.call, "") in self._outcomes else step

    def _is_retold(self, step: Step) -> bool:
        """True for a request that a span tells, too; a span without the id of its call gets it."""
        if step.kind != REQUEST:
            return False
        root = self._by_call.get(step.call) if step.call else None
        if root is None:
            left = self._nameless.get(step.tool, OrderedDict())
            tried = islice(left, _TRIED_MAX)
            root = next((one for one in tried if _is_same(self._asked[one], step)), None)
            if root is None:
                return False
            del left[root]
        self._merge(root, step)
        if step.call:
            self._by_call[step.call] = root
        return True

    def _fold_carriers(self) -> None:
        """Each message of a protocol into the call around it, the outermost first."""
        for begin in self._asked:
            path: dict[str, str] = {}
            at = begin
            while at in self._asked and at not in self._roots and at not in path:
                span = self._asked[at].span
                path[at] = self._tree.outer_tool(span) if span and span.is_carrier else ""
                at = path[at]
            for id_, outer in reversed(path.items()):
                root = self._roots.get(outer, id_)
                is_part = root != id_ and _is_same(self._asked[root], self._asked[id_])
                self._put(id_, root if is_part else id_)

    def _fold_calls(self, direct: Sequence[Timed]) -> None:
        """Spans with one call id, of which one begins before the other has ended."""
        open_: dict[str, str] = {}
        for time_ns, step in direct:
            if step.kind != REQUEST or step.span is None or not step.call:
                continue
            root = self._roots[step.span.id]
            known = open_.get(step.call, root)
            is_open = time_ns < self._end_ns.get(known, 0)
            if known != root and is_open and _is_same(self._asked[known], self._asked[root]):
                self._put(root, known)
            else:
                open_[step.call] = root
        for id_, root in self._roots.items():
            self._roots[id_] = self._roots[root]

    def _choose_outcomes(self, direct: Sequence[Timed]) -> None:
        """Of the tellings of a call: a failure before a success, the root's before another's."""
        for _, step in direct:
            if step.kind not in OUTCOMES or step.span is None or step.span.id not in self._roots:
                continue
            root = self._roots[step.span.id]
            chosen = self._outcomes.setdefault(root, step)
            rank = (step.kind == "tool.failed", step.span.id == root)
            if chosen.span and rank > (chosen.kind == "tool.failed", chosen.span.id == root):
                self._outcomes[root] = step
            if step.result is not ABSENT:
                self._results.setdefault((step.kind, root), step.result)

    def _put(self, id_: str, root: str) -> None:
        self._roots[id_] = root
        if root != id_:
            self._merge(root, self._asked[id_])

    def _merge(self, root: str, other: Step) -> None:
        """Into the request that stands for a call, what only another telling of it has."""
        asked = self._asked[root]
        args = other.args if asked.args is None else asked.args
        call, tool = asked.call or other.call, asked.tool or other.tool
        self._asked[root] = replace(asked, call=call, tool=tool, args=args)
