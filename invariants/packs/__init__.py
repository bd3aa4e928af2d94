"""Invariant files that ship with Interlock."""
