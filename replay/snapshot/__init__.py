"""The state of everything at one event."""
