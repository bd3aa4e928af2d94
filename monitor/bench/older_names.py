"""Names that modules had in older checkouts, beside which the benches of this one run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Final

OLDER: Final[Mapping[str, str]] = {
    "invariants.check.checked": "invariants.checked",
    "invariants.image.compile": "invariants.program",
    "invariants.model.errors": "invariants.errors",
    "invariants.model.event": "invariants.event",
    "invariants.runtime.plan": "invariants.plan",
    "invariants.runtime.program": "invariants.program",
    "monitor.authoring.files": "monitor.invariant_files",
    "monitor.config.table": "monitor.settings",
    "monitor.detection.load_model": "monitor.detector_opening",
    "monitor.detection.scoring": "monitor.scoring",
    "monitor.findings.grouping": "monitor.grouping",
    "monitor.ingest.decode": "monitor.decode.native",
    "monitor.ingest.merge": "monitor.merge",
    "monitor.kernel.kernel": "monitor.engine",
    "monitor.kernel.settings": "monitor.engine_settings",
    "monitor.kernel.wider": "monitor.wider",
    "monitor.presentation": "monitor.finding_text",
    "monitor.service.assemble": "monitor.service",
    "monitor.service.batch": "monitor.batch",
    "monitor.service.batch_metrics": "monitor.telling",
    "monitor.service.loop": "monitor.loop",
    "monitor.service.outbox": "monitor.effects",
    "monitor.service.program_image": "monitor.program_image",
    "monitor.service.responder": "monitor.responder",
    "monitor.store.records": "monitor.store_records",
    "monitor.store.store": "monitor.store",
    "monitor.transport.file.reader": "monitor.sources.files",
}
"""The name of a module, and the one that it had before."""
OLDER_CLASSES: Final[Mapping[str, Mapping[str, str]]] = {
    "monitor.kernel.kernel": {"Kernel": "Engine"},
    "monitor.kernel.settings": {"KernelSettings": "EngineSettings"},
}
"""Likewise of the classes in a module."""


def stand_in(older: Mapping[str, str]) -> None:
    """Let each module that is missing be the one that had its place before, if that is there."""
    for name, before in older.items():
        if not _is_there(name) and _is_there(before):
            module = import_module(before)
            parent, _, last = name.rpartition(".")
            if not _is_there(parent):
                sys.modules[parent] = ModuleType(parent)
            setattr(sys.modules[parent], last, module)
            sys.modules[name] = module
            for class_, class_before in OLDER_CLASSES.get(name, {}).items():
                setattr(module, class_, getattr(module, class_before))


def _is_there(name: str) -> bool:
    try:
        return name in sys.modules or find_spec(name) is not None
    except ModuleNotFoundError:  # Its parent is missing, or is no package.
        return False
