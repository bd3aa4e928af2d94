"""The pages as a site: built as `make site` builds it, where any warning is an error."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")]
LOADED = re.compile(r'<(?:link|script|img|iframe|source)\b[^>]*?(?:href|src)="(?:[a-z]+:)?//')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once; a link that leads nowhere ends the build."""
    place = tmp_path_factory.mktemp("site")
    recipe = re.search(
        r"^\t\$\(BIN\)/python (-m sphinx .*)$", (ROOT / "Makefile").read_text(), re.M
    )
    assert recipe is not None
    words = recipe[1].replace("build/", f"{place}/").split()
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return place / "site"


def test_every_page_is_reached_from_every_page(site: Path) -> None:
    """The contents beside each page list all of them, and the first page is the folder's."""
    first = (site / "index.html").read_text()
    for page in PAGES:
        name = page.relative_to(ROOT).with_suffix(".html")
        assert (site / name).exists(), name
        assert f'href="{name}"' in first or name == Path("README.html"), name


def test_a_title_stands_in_the_place_of_a_file_name(site: Path) -> None:
    """A reader of the site has no files: a link shows where it leads."""
    text = (site / "docs" / "running.html").read_text()
    assert 'href="events.html"' in text
    assert ">events.md<" not in text


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """Fonts, scripts and pictures are the site's own: it can be read without a network."""
    for page in site.rglob("*.html"):
        assert not LOADED.search(page.read_text()), page
