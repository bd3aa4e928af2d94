"""The installed command `interlock`: makes sure that the packages are ours, then runs them.

The monitor's packages have common names (`monitor`, `replay`). If another module with such a name
comes first on the path, Python imports that one. This module compares places before anything is
imported, and refuses in one line (decision 0043). It is outside the packages, because inside one it
could be hidden itself.

It does not find two packages that were installed into one folder: that is why the monitor belongs
in an environment of its own.
"""

from __future__ import annotations

import os
import sys
from typing import Final

PACKAGES: Final = ("invariants", "detectors", "monitor", "replay")
"""The packages beside this file."""

CLIENTS_FILE: Final = "control_record.py"
"""A file of the package `interlock`, which is a distribution of its own and may be elsewhere."""

EXIT_USAGE: Final = 2


def entry_point() -> None:
    """Run the command line. If a package is hidden, print that and exit with 2."""
    refusal = hidden_package()
    if refusal is not None:
        # Names of folders may contain control characters.
        shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in refusal)
        print(shown, file=sys.stderr)
        sys.exit(EXIT_USAGE)
    from monitor.cli.__main__ import entry_point as run

    run()


def hidden_package() -> str | None:
    """The first package that another module hides, as one line with a correction.

    Cost: one look into each folder of the path, which the imports that follow use again.
    """
    home = os.path.dirname(os.path.realpath(__file__))
    for name in PACKAGES:
        found = _place(name)
        if found != os.path.join(home, name):
            return _refusal(name, found, f"Interlock's own is {os.path.join(home, name)}")
    found = _place("interlock")
    if found is None or not os.path.isfile(os.path.join(found, CLIENTS_FILE)):
        return _refusal("interlock", found, "it belongs to the distribution `interlock-client`")
    return None


def _place(name: str) -> str | None:
    """The folder or file that `import name` would load; None if there is none."""
    # As in `importlib.util.find_spec`, whose own imports take longer than all that is done here.
    specs = (finder.find_spec(name, None) for finder in sys.meta_path)
    spec = next(filter(None, specs), None)
    if spec is None:
        return None
    places = [*(spec.submodule_search_locations or ()), *filter(None, [spec.origin])]
    return os.path.realpath(places[0]) if places else None


def _refusal(name: str, found: str | None, own: str) -> str:
    if found is None:
        return f"interlock: the package `{name}` is missing; {own}: install Interlock again"
    folder = os.path.dirname(found)
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if folder in {os.path.realpath(path) for path in named if path}:
        mend = f"remove {folder} from PYTHONPATH"
    elif folder == os.path.realpath(os.getcwd()):
        mend = "start the command `interlock` instead of `python -m`, or in another folder"
    else:
        mend = "install Interlock in an environment of its own"
    return f"interlock: `{name}` is taken from {found}, and {own}; {mend}"


if __name__ == "__main__":
    entry_point()
