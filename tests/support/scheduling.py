"""Which tests run in the same process, one after the other, when workers run side by side."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

# They use topics by their own names on the shared broker, where each would read the others'.
ONE_AFTER_THE_OTHER = frozenset(
    {
        "tests/integration/test_bench_kill_switch.py",
        "tests/integration/test_client_kafka.py",
        "tests/integration/test_gate_forward_kafka.py",
        "tests/integration/test_replay.py",
    }
)


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """A unit of work is a file, but for those that exclude each other, which are one together.

    Units begin in the order in which tests were collected.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "topics by their own names" if file in ONE_AFTER_THE_OTHER else file
