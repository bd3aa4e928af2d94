"""Builds the innermost modules of the engine as extension modules, where that is asked for.

`INTERLOCK_COMPILE=1 pip install --no-build-isolation .` (with mypy and a C compiler at hand)
compiles the same files that run otherwise: nothing is written twice. See `make compiled` and
docs/decisions/0019-an-engine-that-may-be-compiled.md. All else stands in pyproject.toml.
"""

import os

from setuptools import setup

# Pure modules of plain classes. Those with records that msgspec reads need their annotations as
# they are written, which a compiled module does not keep.
COMPILED = [
    f"invariants/{name}.py"
    for name in (
        "aggregates",
        "core",
        "fifo",
        "folding",
        "keys",
        "machine",
        "memory_aggregate",
        "memory_previous",
        "memory_since",
        "pending",
        "predicate",
        "program",
        "slices",
        "witness",
    )
]


def extensions() -> list[object]:
    """What is to be compiled: nothing, unless the environment asks for it."""
    if os.environ.get("INTERLOCK_COMPILE") != "1":
        return []
    from mypyc.build import mypycify

    return list(mypycify(["--strict", *COMPILED]))


setup(ext_modules=extensions())
