"""The gate: asks the kernel before a call runs, and records what it answered."""
