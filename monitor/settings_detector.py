"""The rows of the table of settings that speak of the detector."""

from __future__ import annotations

from dataclasses import dataclass

from .setting import row


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSettings:
    """Which model scores sessions, and how it is read."""

    model: str | None = row(
        "detector.model",
        "path",
        None,
        "A model that `interlock train` made: sessions unlike those that it was trained on become "
        "`anomaly` findings. Needs `interlock[detect]`.",
        unset_means="no session is scored",
    )
    key_file: str | None = row(
        "detector.key_file",
        "path",
        None,
        "The file with the key that the model was trained with (`interlock train --key-file`).",
        unset_means="the model holds its key itself",
    )
