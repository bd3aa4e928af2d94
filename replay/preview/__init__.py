"""Recordings as a gate would have answered them."""
