"""Proposals for the lists of the packs, from what is known of the tools of an agent."""
