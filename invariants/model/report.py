"""The words of `report:`: which verdicts of an invariant become findings."""

from __future__ import annotations

from typing import Literal

Report = Literal["every", "first", "edge"]
