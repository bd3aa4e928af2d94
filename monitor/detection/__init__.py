"""The detector in the stream, its model and its training data."""
