"""Hostile requests against a real gate: `make gate-fuzz`."""
