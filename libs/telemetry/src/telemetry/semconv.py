"""Names of span and resource attributes: OpenTelemetry semantic conventions, and a few of our own.

This is the only place that spells one. An attribute that is not in ATTRIBUTES is not exported: none
of them may hold an address, a name, a subject or the id of a person.
"""

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.45.0"

SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
SERVICE_NAMESPACE: Final = "service.namespace"

ERROR_TYPE: Final = "error.type"

RPC_SYSTEM_NAME: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS_CODE: Final = "rpc.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
NETWORK_PROTOCOL_NAME: Final = "network.protocol.name"

MESSAGING_SYSTEM_NAME: Final = "messaging.system.name"
MESSAGING_DESTINATION_NAME: Final = "messaging.destination.name"
MESSAGING_DESTINATION_PARTITION_ID: Final = "messaging.destination.partition.id"
MESSAGING_CONSUMER_GROUP_NAME: Final = "messaging.consumer.group.name"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_BATCH_MESSAGE_COUNT: Final = "messaging.batch.message_count"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_MESSAGE_BODY_SIZE: Final = "messaging.message.body.size"
KAFKA_OFFSET: Final = "kafka.offset"
CLOUDEVENTS_EVENT_TYPE: Final = "cloudevents.event_type"

DB_SYSTEM_NAME: Final = "db.system.name"
DB_COLLECTION_NAME: Final = "db.collection.name"
DB_OPERATION_NAME: Final = "db.operation.name"
DB_OPERATION_BATCH_SIZE: Final = "db.operation.batch.size"

ENTITY: Final = "rossio.entity.id"
"""The entity (an organisation, not a person)."""
OUTCOME: Final = "rossio.outcome"
ATTEMPT: Final = "rossio.attempt"
COUNT: Final = "rossio.count"
"""How many things the operation is about, such as recipients."""
SIZE: Final = "rossio.size"
"""In bytes."""
LANE: Final = "rossio.lane"
CHANNEL: Final = "rossio.channel"
STAGE: Final = "rossio.stage"
MESSAGE_ID: Final = "rossio.mail.message_id"
"""The id that mail-routing gave to a mail, not the Message-ID header."""
NODE_ID: Final = "rossio.document.node_id"
POST_ID: Final = "rossio.news.post_id"
NOTIFICATION_ID: Final = "rossio.notification.id"

ATTRIBUTES: Final[frozenset[str]] = frozenset(
    value for name, value in list(globals().items()) if name.isupper() and name != "SCHEMA_URL"
)
