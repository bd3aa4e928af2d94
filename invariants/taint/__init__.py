"""Data memories: the values that a session was shown, by source."""
