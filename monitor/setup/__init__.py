"""The settings of other programs, as they are when they ask a gate. Pure."""
