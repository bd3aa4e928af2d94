"""Checked invariants to nodes, memories and digests."""
