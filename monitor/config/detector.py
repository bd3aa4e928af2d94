"""The rows of the table of settings for the detector."""

from __future__ import annotations

from dataclasses import dataclass

from .setting import row


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSettings:
    """The model that scores sessions, and its key."""

    model: str | None = row(
        "detector.model",
        "path",
        None,
        "A model from `interlock train`. Sessions that differ from those it was trained on become "
        "`anomaly` findings. Needs `interlock[detect]`.",
        unset_means="sessions are not scored",
    )
    key_file: str | None = row(
        "detector.key_file",
        "path",
        None,
        "The file with the key that the model was trained with (`interlock train --key-file`).",
        unset_means="the model contains its key",
    )
