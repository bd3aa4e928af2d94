"""Checked files -> the program that watches them."""

from __future__ import annotations

from collections.abc import Sequence

from ..check.checked import CheckedSpec
from ..model.limits import DEFAULT_LIMITS, Limits
from ..runtime.program import Program
from .load import load_program
from .make import image_of


def compile_program(
    specs: Sequence[CheckedSpec],
    *,
    limits: Limits = DEFAULT_LIMITS,
    digest_key: bytes = b"",
    fingerprint_keys: Sequence[bytes] = (),
) -> Program:
    """The program of checked files; the keys are as `load_program` takes them.

    Warnings are kept in the program.
    """
    image = image_of(specs, limits)
    return load_program(image, digest_key=digest_key, fingerprint_keys=fingerprint_keys)
