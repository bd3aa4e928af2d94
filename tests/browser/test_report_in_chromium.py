"""The incident report in a real browser: hostile text does nothing, even where escaping failed."""

from __future__ import annotations

from pathlib import Path

from monitor.cli.__main__ import main
from tests.support.chromium import dump_page, picture_of
from tests.support.hostile import PAYLOADS, TITLE, write_incident

CALM = "What the report is called"


def _report(folder: Path) -> Path:
    recording, invariants = write_incident(folder)
    out = folder / "incident.html"
    arguments = ["report", str(recording), "--invariants", str(invariants), "-o", str(out)]
    assert main([*arguments, "--title", CALM]) == 0
    return out


def _title(document: str) -> str:
    return document.partition("<title>")[2].partition("</title>")[0]


def test_hostile_text_does_nothing(tmp_path: Path) -> None:
    """The title is still ours, and nothing that the texts spell became an element."""
    document = dump_page(_report(tmp_path), tmp_path / "profile")
    assert _title(document) == CALM
    assert document.count("<script") == 1, "our own"
    for element in ("<iframe", "<img", "<base", "<link", "onerror=&quot;"):
        assert element not in document.replace("&lt;", "\\u003c"), element


def test_the_policy_stops_what_escaping_let_through(tmp_path: Path) -> None:
    """The same texts put into the page as markup run without the policy, and not with it.

    What a policy cannot stop, a `meta` that leads elsewhere, is left to escaping alone.
    """
    page = _report(tmp_path).read_text()
    place = '<main id="top">'
    armed = tmp_path / "armed.html"
    armed.write_text(page.replace(place, place + " ".join(PAYLOADS[:5])))
    assert _title(dump_page(armed, tmp_path / "one")) == CALM
    head, _, rest = page.partition("<meta http-equiv")
    bare = tmp_path / "bare.html"
    bare.write_text((head + rest.partition(">")[2]).replace(place, place + PAYLOADS[0]))
    assert _title(dump_page(bare, tmp_path / "two")) == TITLE, "the test could not have failed"


def test_it_is_drawn_in_the_light_and_in_the_dark(tmp_path: Path) -> None:
    """Two pictures that are not one: the style is applied, by the digest that the policy names."""
    out = _report(tmp_path)
    pictures = []
    for is_dark in (False, True):
        picture = tmp_path / f"{is_dark}.png"
        picture_of(out, picture, tmp_path / f"profile-{is_dark}", is_dark=is_dark)
        pictures.append(picture.read_bytes())
    assert all(data.startswith(b"\x89PNG") and len(data) > 20_000 for data in pictures)
    assert pictures[0] != pictures[1]
