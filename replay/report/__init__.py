"""The incident report: one recording as one self-contained HTML page."""
