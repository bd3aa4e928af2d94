"""The detector that the settings name, read from its file; or none.

Nothing of numpy is imported unless a model is named: scoring is the extra `interlock[detect]`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from invariants.model.errors import ConfigError
from monitor.config.table import Settings
from monitor.detection.scoring import Scoring
from monitor.log import say
from monitor.secret import read_secret
from monitor.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from detectors.detector import ModelDetector
    from detectors.model import Model

KEY_BYTES: Final = 16


def open_scoring(settings: Settings, metrics: Metrics) -> Scoring | None:
    """The scorer of sessions for the engine; logs it if the model cannot raise alarms yet.

    Raises
    ------
    ConfigError
        The model or its key cannot be used, or numpy is not installed.
    """
    if settings.detector.model is None:
        if settings.detector.key_file is not None:
            raise ConfigError("`detector.key_file` has no effect without `detector.model`")
        return None
    detector = open_detector(settings.detector.model, settings.detector.key_file)
    missing = detector.model.calibration.missing_groups
    metrics.set_detector(detector.digest, "uncalibrated" if missing else "calibrated")
    if missing:
        say("warning", "detector_uncalibrated", text=uncalibrated_text(detector.model))
    return Scoring(detector, settings.severity.anomaly)


def open_detector(path: str, key_file: str | None) -> ModelDetector:
    """A detector of a model's file. Raises ConfigError."""
    try:
        from detectors.contract import ModelError
        from detectors.detector import ModelDetector
        from detectors.model_file import FILE_BYTES_MAX, decode_model, model_digest
    except ImportError:
        raise ConfigError(
            "`detector.model` needs one more package: pip install 'interlock[detect]'"
        ) from None
    data = _read(path, FILE_BYTES_MAX)
    try:
        model = decode_model(data)
    except ModelError as error:
        raise ConfigError(f"`detector.model`: `{path}`: {error}") from None
    key = model.key
    if key_file is not None:
        key = key_of(key_file)
    elif key is None:
        raise ConfigError(
            f"`detector.model`: `{path}` was trained with a key file; set it in `detector.key_file`"
        )
    if digest_of_key(key) != model.key_digest:
        raise ConfigError(f"`{path}` was trained with a different key")
    return ModelDetector(model, key, model_digest(data))


def key_of(path: str) -> bytes:
    """The key in a file, of any length above 16 characters, as the hashing wants it.

    Raises
    ------
    ConfigError
        The file cannot be read, or holds too little to be a key.
    """
    secret = read_secret("detector.key_file", path).reveal()
    if len(secret) < KEY_BYTES:
        raise ConfigError(f"`{path}` has {len(secret)} bytes; a key needs at least {KEY_BYTES}")
    return hashlib.blake2b(secret, digest_size=KEY_BYTES, person=b"detector-key").digest()


def digest_of_key(key: bytes) -> bytes:
    """Tells keys apart without giving them away."""
    return hashlib.blake2b(key, digest_size=KEY_BYTES, person=b"detector-key-id").digest()


def uncalibrated_text(model: Model) -> str:
    """How much is missing before this model may call anything an alarm."""
    calibration, training = model.calibration, model.training
    more = calibration.missing_groups
    # Half of the groups calibrate in a split.
    needed = 2 * more if training.calibration == "split" else more
    unit = "sessions" if training.grouped_by == "session" else f"groups (by {training.grouped_by})"
    return (
        f"uncalibrated: {needed} more {unit} needed before a rate of "
        f"{calibration.false_alarms:.3g} false alarms can be guaranteed; sessions are scored, "
        "but no alarm is raised"
    )


def _read(path: str, bytes_max: int) -> bytes:
    """The bytes of an ordinary file that is not too large to be a model."""
    try:
        with Path(path).open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(f"`detector.model`: `{path}` is not an ordinary file")
            return file.read(bytes_max + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is not a usable path"
        raise ConfigError(f"`detector.model`: `{path}` cannot be read: {reason}") from None
