"""Exceptions of operators: signed statements about an invariant, or about a whole gate."""
