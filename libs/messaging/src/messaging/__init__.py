"""Kafka: publish, consume, settle, outbox relay, dead letters, topic admin."""

from messaging.catalogue import Catalogue, Stream, catalogue, event_class
from messaging.envelope import Delivery, caused_by, fact
from messaging.follower import Follower
from messaging.identity import new_id
from messaging.kafka import Kafka
from messaging.producer import Producer
from messaging.relay import Relay
from messaging.settle import Consumer, Handler
from messaging.topics import ensure_topics

__all__ = [
    "Catalogue",
    "Consumer",
    "Delivery",
    "Follower",
    "Handler",
    "Kafka",
    "Producer",
    "Relay",
    "Stream",
    "catalogue",
    "caused_by",
    "ensure_topics",
    "event_class",
    "fact",
    "new_id",
]
