"""What can be said of invariants before any event: never violated, contained, contradicting."""
