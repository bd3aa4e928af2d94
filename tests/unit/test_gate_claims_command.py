"""`interlock gate list` and `retire` where there is no Kafka."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.cli.__main__ import main


@pytest.mark.parametrize("part", [["list"], ["retire", "1f0c22ab"]])
def test_claims_of_a_log_directory_are_files(
    part: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusal says where they are."""
    assert main(["gate", *part, "--publish", f"log:{tmp_path}"]) == 2
    assert "the files of `interlock.claims`" in capsys.readouterr().err
