"""Kafka: consumer, producer, and the watch over topics and rights."""
