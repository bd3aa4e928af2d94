"""The samples of foreign traces: files under fixtures/foreign, with the name of their format."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOREIGN = Path(__file__).resolve().parents[2] / "fixtures" / "foreign"


class Sample(NamedTuple):
    """One file."""

    name: str
    format: str

    @property
    def content(self) -> bytes:
        return (FOREIGN / self.name).read_bytes()


SAMPLES = tuple(
    Sample(*one)
    for one in (
        ("claude_code_transcript.jsonl", "claude-code"),
        ("claude_code_recorded.jsonl", "claude-code"),
        ("codex_rollout.jsonl", "codex"),
        ("codex_rollout_fork.jsonl", "codex"),
    )
)
