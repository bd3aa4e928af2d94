"""The spans of a file: which of them surround another, and what follows from that.

    Tree(items)    the spans of all items
    settled(step)  the step with its session, and with the one who said a message

Batches split a trace, and a span is written when it ends, before the spans around it. So a span is
placed only after all of the file is read.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace

from monitor.traces.model import Item, Passed, Span, Step


class Tree:
    """All spans of a file by their ids; of two with one id, the first."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._spans: dict[str, Span] = {}
        self.tools: set[str] = set()
        for item in items:
            if isinstance(item, Step | Passed) and item.span is not None:
                self._spans.setdefault(item.span.id, item.span)
                if isinstance(item, Step) and item.kind == "tool.requested" and not item.is_retold:
                    self.tools.add(item.span.id)
        self._agents = {id_ for id_, span in self._spans.items() if span.is_agent}
        self._named = {id_ for id_, span in self._spans.items() if span.session}
        self._sessions_of_trace: dict[str, set[str]] = {}
        for id_ in self._named:
            span = self._spans[id_]
            self._sessions_of_trace.setdefault(span.trace, set()).add(span.session)
        self._known: dict[int, dict[str, str]] = {}

    def settled(self, step: Step) -> Step:
        """Without a span, the step itself."""
        if step.span is None:
            return step
        kind = step.kind
        if kind == "message.user" and self._is_made_by_a_program(step.span):
            kind = "message.runtime"
        return replace(step, kind=kind, session=step.session or self._session(step.span))

    def outer_tool(self, span: Span) -> str:
        """The nearest span of a tool around another; `""` if there is none."""
        return self._outer(span.id, self.tools)

    def _session(self, span: Span) -> str:
        """The session that is named around a span, or in all of its trace; `""` for none."""
        outer = self._outer(span.id, self._named)
        if outer:
            return self._spans[outer].session
        named = self._sessions_of_trace.get(span.trace, set())
        return next(iter(named)) if len(named) == 1 else ""

    def _is_made_by_a_program(self, span: Span) -> bool:
        """The prompt of a tool, or of an agent that another agent has started."""
        if self._outer(span.id, self.tools):
            return True
        agent = span.id if span.is_agent else self._outer(span.id, self._agents)
        return bool(agent and self._outer(agent, self._agents))

    def _outer(self, id_: str, among: Container[str]) -> str:
        """The nearest span around another that is among some; `""` if there is none.

        Cost: linear in the number of spans, for all questions about the same ones together. Ids
        may form a circle: their author chooses them.
        """
        known = self._known.setdefault(id(among), {})
        path: dict[str, None] = {}
        at = self._within(id_)
        while at and at not in among and at not in known and at not in path:
            path[at] = None
            at = self._within(at)
        found = at if at in among else known.get(at, "")
        known.update(dict.fromkeys(path, found))
        return found

    def _within(self, id_: str) -> str:
        span = self._spans.get(id_)
        return span.within if span is not None else ""
