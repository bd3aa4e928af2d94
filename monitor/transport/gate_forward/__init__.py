"""Sends the log of a gate to Kafka."""
