"""How many cases each law is tested on, and from which seed they are drawn.

Few and always the same in `make test`, many and new ones in `make laws`.
"""

from __future__ import annotations

import os
import secrets

CASES_SHORT = 600  # Chosen: all laws together take less than two minutes of one core.
CASES = int(os.environ.get("INTERLOCK_LAWS_CASES", CASES_SHORT))
IS_LONG = CASES > CASES_SHORT
if IS_LONG:  # Other cases than the last time, and the same ones in every worker.
    os.environ.setdefault("INTERLOCK_LAWS_SEED", str(secrets.randbits(48)))
FIRST_SEED = int(os.environ.get("INTERLOCK_LAWS_SEED", 0))

# Hypothesis' own tests need fewer examples: it looks for the hard ones.
# Beyond the maximum it mostly repeats itself.
EXAMPLES = max(1, min(CASES // 6, 5000))
