"""Static analysis of invariants: never violated, contained, contradicting."""
