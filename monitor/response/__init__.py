"""Findings to planned actions, with a bound on stops; pure."""
