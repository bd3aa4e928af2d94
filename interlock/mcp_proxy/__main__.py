"""`python -m interlock.mcp_proxy --gate unix:gate.sock -- COMMAND`."""

from __future__ import annotations

import sys

from .command import main

sys.exit(main())
