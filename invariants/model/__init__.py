"""The shared types: events, facts, verdicts, faults, limits."""
