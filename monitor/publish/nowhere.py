"""A publisher for monitors that read a finished file: nobody listens, and nobody is stopped."""

from __future__ import annotations


class NowherePublisher:
    """Refuses every record with an OSError: what asks for an effect must not count it as done."""

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
