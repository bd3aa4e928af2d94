"""Recorded findings and control records, compared with replayed ones."""
