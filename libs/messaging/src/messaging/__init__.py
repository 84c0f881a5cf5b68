"""Kafka: publish, consume, settle, outbox relay, dead letters, topic admin.

The only importer of FastStream and aiokafka. `application` (FastStream's life cycle) and `asyncapi` (its document)
are imported from their modules, since not every process needs what they load.

Kill points (`telemetry.points`) lie between any two effects: messaging.handled, messaging.commit,
messaging.dead_letter.written, messaging.relay.published, messaging.redrive.marked, messaging.redrive.published.
"""

from messaging.audit import audited
from messaging.catalogue import Catalogue, Stream, catalogue, event_class
from messaging.dead_letters import DeadLetters
from messaging.envelope import Delivery, caused_by, fact
from messaging.follower import Follower
from messaging.identity import new_id
from messaging.kafka import Kafka, from_environment
from messaging.letter import Letter, State
from messaging.past import published
from messaging.producer import Producer
from messaging.relay import Relay
from messaging.security import Sasl, Tls, Told
from messaging.settle import Consumer, Handler, Limit, Patience
from messaging.topics import ensure_topics

__all__ = [
    "Catalogue",
    "Consumer",
    "DeadLetters",
    "Delivery",
    "Follower",
    "Handler",
    "Kafka",
    "Letter",
    "Limit",
    "Patience",
    "Producer",
    "Relay",
    "Sasl",
    "State",
    "Stream",
    "Tls",
    "Told",
    "audited",
    "catalogue",
    "caused_by",
    "ensure_topics",
    "event_class",
    "fact",
    "from_environment",
    "new_id",
    "published",
]
