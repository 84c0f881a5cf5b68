"""governance as a program on a real Kafka and store, and audit records as the other services publish them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import messaging
import pytest
from cli.audit_chain import ChainVerifier
from devstack.services import ServiceProgram
from messaging import Producer
from rossio.governance.v1.audit_pb2 import ActionAudited
from rossio.governance.v1.service_pb2 import ListAuditRecordsRequest
from rossio.governance.v1.service_pb2_grpc import GovernanceServiceStub
from store import OutboxRecord
from testkit.plugin import Dial

AT = datetime(2026, 1, 1, tzinfo=UTC)

Publish = Callable[[Sequence[OutboxRecord]], Awaitable[None]]


@pytest.fixture
async def publish(streams: str) -> AsyncIterator[Publish]:
    """Publishes records and returns when all are durable."""
    producer = Producer(messaging.Kafka(streams))
    await producer.start()
    yield producer.publish
    await producer.stop()


Audit = Callable[..., OutboxRecord]


@pytest.fixture
def audit() -> Audit:
    """A record of audit.v1: `audit(entity_id, audit_id)`; keyword arguments replace what it says."""

    def build(entity_id: str, audit_id: str = "", action: str = "document.node.share", **said: Any) -> OutboxRecord:
        audit_id = audit_id or messaging.new_id()
        fields = {"actor": "p-1", "actor_entity_id": entity_id, "resource": "n-1", "details": {"b": "2", "a": "1"}}
        return messaging.audited(action, id=audit_id, at=AT, entity_id=entity_id, **{**fields, **said})

    return build


@pytest.fixture
def entities() -> Sequence[str]:
    """Six entities that no other test has, in the order of their ids."""
    prefix = uuid4().hex[:8]
    return [f"{prefix}-{number}" for number in range(6)]


class Auditor:
    """Somebody who reads chains, and believes only what they have computed."""

    def __init__(self, stub: GovernanceServiceStub) -> None:
        self.stub = stub

    async def chain(self, entity_id: str) -> tuple[list[ActionAudited], ChainVerifier]:
        """What a chain says, verified."""
        verifier, actions = ChainVerifier(), []
        async for page in self.stub.ListAuditRecords(ListAuditRecordsRequest(entity_id=entity_id)):
            for record in page.records:
                verifier.take(record)
                actions.append(ActionAudited.FromString(record.record))
        return actions, verifier


As = Callable[..., Auditor]


@pytest.fixture
def auditor(dial: Dial) -> As:
    """`auditor(program, role, entity_id)`."""

    def speak(program: ServiceProgram, role: str = "ministry.admin", entity: str = "e00") -> Auditor:
        return Auditor(GovernanceServiceStub(dial(program, "p-auditor", entity=entity, roles=[role] if role else [])))

    return speak
