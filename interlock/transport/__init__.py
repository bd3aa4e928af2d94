"""Where events leave the agent: Kafka, or append-only files in a log directory."""
