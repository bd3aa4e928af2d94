"""Invariant files: YAML to `Spec`, and a file's text in canonical form."""
