"""The table of past operators names every memory: without a name an image cannot hold it."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from invariants import operators
from invariants.operators.table import KINDS


def test_every_memory_has_a_name_in_images() -> None:
    """A class `...Memory` in `invariants/operators/` is an operator's memory."""
    modules = [
        import_module(f"{operators.__name__}.{m.name}") for m in iter_modules(operators.__path__)
    ]
    memories = {
        found
        for module in modules
        for name, found in vars(module).items()
        if isinstance(found, type) and name.endswith("Memory") and name != "Memory"
    }
    lost = sorted(memory.__name__ for memory in memories - set(KINDS.values()))
    assert not lost, f"add to `KINDS` in `invariants/operators/table.py`: {', '.join(lost)}"
    assert memories == set(KINDS.values())
