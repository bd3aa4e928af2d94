"""Up to when what arrived was judged: what the monitor's sign of life may vouch for.

A monitor that lives and is an hour behind watches nobody. Its heartbeat therefore carries the time
up to which it has seen and judged everything, and guards take the age of that for the age of their
view. Pure: the loop says what each poll brought and what still waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.sources.base import Frontier, Stream


class Watch:
    """How far each stream was seen, by the monitor's clock or by the arrivals of its records."""

    def __init__(self) -> None:
        self._seen_ns: dict[Stream, int] = {}
        self._is_whole = False
        self._looked_ns = 0

    def look(
        self,
        frontiers: Mapping[Stream, Frontier],
        lost: Iterable[Stream],
        begin_ns: int,
        *,
        is_whole: bool,
    ) -> None:
        """Take in a poll that began at `begin_ns`: what was at its end was known up to then."""
        before = self._seen_ns
        for stream in lost:
            before.pop(stream, None)
        self._seen_ns = {
            stream: begin_ns
            if frontier.is_at_end
            else max(before.get(stream, 0), frontier.seen_to_ns or 0)
            for stream, frontier in frontiers.items()
        }
        self._is_whole = is_whole
        self._looked_ns = begin_ns

    def judged_to_ns(self, held: Iterable[int | None]) -> int | None:
        """Everything that arrived before this was judged; None where that cannot be told.

        `held` are the arrivals of records that were read and wait for their turn.
        """
        if not self._seen_ns and not self._is_whole:
            return None
        times = [self._looked_ns, *self._seen_ns.values(), *(ns or 0 for ns in held)]
        return min(times) or None
