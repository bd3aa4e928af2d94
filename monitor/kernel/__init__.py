"""The kernel: scopes and their states behind one door (`kernel.py`)."""
