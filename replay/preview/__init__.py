"""A preview of enforcement: the calls that a gate would have refused in recordings."""
