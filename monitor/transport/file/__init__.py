"""Finished files, pipes, and the records of other programs."""
