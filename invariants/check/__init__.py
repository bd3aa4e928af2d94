"""`Spec` to `CheckedSpec`, or all faults of all files."""
