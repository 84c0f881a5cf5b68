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

MESSAGING_SYSTEM_NAME: Final = "messaging.system.name"
MESSAGING_DESTINATION_NAME: Final = "messaging.destination.name"
MESSAGING_CONSUMER_GROUP_NAME: Final = "messaging.consumer.group.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_BATCH_MESSAGE_COUNT: Final = "messaging.batch.message_count"

DB_SYSTEM_NAME: Final = "db.system.name"
DB_COLLECTION_NAME: Final = "db.collection.name"
DB_OPERATION_NAME: Final = "db.operation.name"

ENTITY: Final = "rossio.entity.id"
"""The entity (an organisation, not a person)."""
COUNT: Final = "rossio.count"
"""How many things the operation is about, such as recipients."""
SIZE: Final = "rossio.size"
"""In bytes."""

ATTRIBUTES: Final[frozenset[str]] = frozenset(
    value for name, value in list(globals().items()) if name.isupper() and name != "SCHEMA_URL"
)
