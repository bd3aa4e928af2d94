"""Log directories: files that are read as they grow, and written."""
