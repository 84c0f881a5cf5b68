"""Kafka: publish, consume, settle, outbox relay, dead letters, topic admin."""
