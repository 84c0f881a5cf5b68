"""The composition root of governance."""

import service
from rossio.governance.v1.audit_pb2 import ActionAudited
from rossio.governance.v1.dead_letters_pb2_grpc import add_DeadLetterServiceServicer_to_server
from rossio.governance.v1.service_pb2_grpc import add_GovernanceServiceServicer_to_server

from governance.adapters.dead_letters import KafkaDeadLetters, PublishedAudit
from governance.adapters.store import INDEXES, ChainStore
from governance.entrypoints.consumers import AUDIT_STREAM, AuditConsumer
from governance.entrypoints.grpc import SERVICE, GovernanceApi
from governance.entrypoints.grpc_dead_letters import SERVICE as DEAD_LETTERS
from governance.entrypoints.grpc_dead_letters import DeadLetterApi
from governance.settings import Settings

_BATCH = 500


def build(app: service.App[Settings]) -> None:
    """Wires one process."""
    chains = ChainStore(app.collection("records", INDEXES))
    if app.plays("consumer"):
        app.consumer(AUDIT_STREAM, {ActionAudited: AuditConsumer(chains).handle}, batch=_BATCH)
    if app.plays("api"):
        app.grpc(GovernanceApi(chains), add_GovernanceServiceServicer_to_server, SERVICE)
        audit = PublishedAudit(app.producer, now=service.now)
        dead_letters = DeadLetterApi(KafkaDeadLetters(app.kafka), audit)
        app.grpc(dead_letters, add_DeadLetterServiceServicer_to_server, DEAD_LETTERS)


def main() -> None:
    service.run("governance", Settings, build, roles=("consumer", "api"))


if __name__ == "__main__":
    main()
