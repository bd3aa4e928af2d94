"""What `/-/ready` and `/metrics` of a gate say about trouble."""

from __future__ import annotations

from monitor.gate_server.telemetry import Published, Telemetry
from monitor.telemetry.build import own_version
from tests.support.gate import HandClock

KAFKA = "Kafka does not take the gate's records: no broker"


def answer(path: str, trouble: str = "", published: Published = Published()) -> tuple[int, str]:  # noqa: B008
    telemetry = Telemetry(HandClock(), lambda: trouble, lambda: published, program_digest="p-1")
    made = telemetry.pages.answer(path)
    return int(made.status), made.body.decode()


def test_trouble_with_kafka_is_told_and_changes_no_status() -> None:
    """Calls are answered all the same."""
    status, text = answer("/-/ready", published=Published(3, 900, KAFKA))
    assert status == 200 and KAFKA in text and "900 bytes" in text
    _, metrics = answer("/metrics", published=Published(3, 900, KAFKA))
    for line in (
        "interlock_gate_unpublished_records 3.0",
        "interlock_gate_unpublished_bytes 900.0",
        "interlock_gate_publish_trouble 1.0",
        "interlock_gate_ready 1.0",
        f'interlock_gate_build_info{{program="p-1",version="{own_version()}"}} 1.0',
    ):
        assert f"\n{line}\n" in metrics


def test_a_gate_that_cannot_record_is_not_ready() -> None:
    """This is the trouble that is told, whatever Kafka does."""
    assert answer("/-/ready", "the disk is full", Published(3, 9, KAFKA)) == (
        503,
        "the disk is full\n",
    )
    assert answer("/-/ready") == (200, "answering\n")
    assert "\ninterlock_gate_publish_trouble 0.0\n" in answer("/metrics")[1]
