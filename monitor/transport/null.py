"""A publisher for monitors that read a finished file: nothing is published or stopped."""

from __future__ import annotations


class NowherePublisher:
    """Refuses every record with an OSError: callers must not count the effect as done."""

    def publish(
        self,
        topic: str,
        key: str,
        value: bytes,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        raise OSError(f"a finished file has no topic `{topic}` to publish to")

    def flush(self, timeout_s: float) -> None:
        """Nothing was handed over."""

    def close(self) -> None:
        """Nothing is held."""
