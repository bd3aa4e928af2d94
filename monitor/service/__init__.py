"""The running service: assembly, the loop, effects, metrics, maintenance."""
