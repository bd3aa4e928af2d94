"""YAML text to nodes with their places, and its faults."""
