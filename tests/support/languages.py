"""The compilers for the clients in other languages: found, or fetched at a pinned version.

TypeScript is installed by `npm` into `.cache/typescript` of the checkout. A test that needs a
program ends, with the reason, if there is none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import require_or_skip

CHECKOUT = Path(__file__).resolve().parents[2]
TYPESCRIPT = "typescript@5.9.3"
CACHE = CHECKOUT / ".cache" / TYPESCRIPT
NODE_MIN = 20
FETCH_SECONDS_MAX = 180


def typescript_compiler() -> list[str]:
    """The command of the TypeScript compiler; Node is there if it is."""
    node = shutil.which("node")
    if node is None:
        require_or_skip("node", "`node` is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)\.", version)
    if found is None or int(found[1]) < NODE_MIN:
        require_or_skip("node", f"`node` is {version.strip()}, and {NODE_MIN} is needed")
    compiler = CACHE / "node_modules" / "typescript" / "bin" / "tsc"
    if not compiler.is_file():
        _fetch()
    return [node, str(compiler)]


def _fetch() -> None:
    npm = shutil.which("npm")
    if npm is None:
        require_or_skip("node", f"`npm` is not installed; it fetches {TYPESCRIPT}")
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        done = subprocess.run(
            [*command, "--prefix", str(CACHE), TYPESCRIPT],
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        require_or_skip("node", f"fetching {TYPESCRIPT} took more than {FETCH_SECONDS_MAX} s")
    if done.returncode:
        require_or_skip("node", f"`npm` could not fetch {TYPESCRIPT}: {done.stderr[-300:]}")


def go() -> str:
    """The path of `go`."""
    path = shutil.which("go")
    if path is None:
        require_or_skip("go", "`go` is not installed")
    return path
