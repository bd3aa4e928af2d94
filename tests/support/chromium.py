"""A real browser for tests: Debian's Chromium, headless, found and never fetched.

Input: a page. Output: what its document became once it had loaded, or a picture of it.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.conftest import require_or_skip

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS_MAX = 240
FLAGS = (
    # Without its sandbox only because containers often run as root; it opens nothing but our page.
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    # Nor does it look for updates, or for anything else that was not asked for.
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--hide-scrollbars"),
)


def dump_page(page: Path, profile: Path) -> str:
    """The document after it has loaded and its scripts, if it had any, have run."""
    return _run(["--virtual-time-budget=2000", "--dump-dom", page.as_uri()], profile)


def picture_of(page: Path, picture: Path, profile: Path, *, is_dark: bool = False) -> None:
    """A PNG of the page, as its reader sees it in the light or in the dark."""
    scheme = "--blink-settings=preferredColorScheme=" + ("0" if is_dark else "1")
    _run(["--window-size=1200,1600", scheme, f"--screenshot={picture}", page.as_uri()], profile)


def found_chromium() -> str:
    """Where the browser is; the test is skipped, or fails, if there is none."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        require_or_skip("browser", "there is no Chromium (`apt install chromium`)")
    return found


def _run(arguments: list[str], profile: Path) -> str:
    command = [found_chromium(), *FLAGS, f"--user-data-dir={profile}", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=SECONDS_MAX, check=True)
    return done.stdout.decode(errors="replace")
