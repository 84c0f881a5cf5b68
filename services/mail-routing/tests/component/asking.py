"""What tests ask of the service over gRPC: mails and their traces, rules, the queue; and what the audit says of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import grpc
import messaging
from rossio.governance.v1.audit_pb2 import ActionAudited
from rossio.mail.v1 import queue_pb2, rules_pb2
from rossio.mail.v1 import service_pb2 as pb

from .conftest import As, address, until  # type: ignore[import-not-found]  # "mail-routing" is no module name

ANA, RUI = "mr-ana", "mr-rui"


def request(sender: str, to: list[str], mark: bytes, **more: Any) -> pb.SubmitRequest:
    content = b"From: " + sender.encode() + b"\r\nSubject: by gRPC\r\nX-Mark: " + mark + b"\r\n\r\nhello\r\n"
    said: dict[str, Any] = {"request_id": uuid4().hex, "content": content, **more}
    return pb.SubmitRequest(sender=sender, recipients=to, **said)


async def trace(stub: Any, **question: Any) -> list[pb.TraceResponse]:
    return [answer async for answer in stub.Trace(pb.TraceRequest(**question))]


async def found(stub: Any, message_id: str = "", **question: Any) -> list[pb.TraceResponse]:
    """The trace of a mail, once a worker has recorded it."""

    async def ask() -> list[pb.TraceResponse]:
        try:
            return await trace(stub, message_id=message_id, **question)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return []

    answers: list[pb.TraceResponse] = await until(ask)
    return answers


async def looks(bootstrap: str, resource: str) -> list[ActionAudited]:
    """The audit records about a mail, a rule or the like that are on the stream now, in the order of their time."""
    told: list[ActionAudited] = []

    async def take(deliveries: Sequence[messaging.Delivery]) -> None:
        records = [delivery.message for delivery in deliveries]
        told.extend(r for r in records if isinstance(r, ActionAudited) and r.resource == resource)

    follower = messaging.Follower(messaging.Kafka(bootstrap), ["audit.v1"], take)
    await follower.start()
    await follower.caught_up()
    await follower.stop()
    return sorted(told, key=lambda record: record.at.ToDatetime())


async def looks_after(bootstrap: str, resource: str, count: int) -> list[ActionAudited]:
    """The same once there are so many."""

    async def enough() -> list[ActionAudited]:
        told = await looks(bootstrap, resource)
        return told if len(told) >= count else []

    told: list[ActionAudited] = await until(enough)
    return told


def rule(name: str, conditions: dict[str, str], *actions: tuple[str, ...], **more: Any) -> rules_pb2.Rule:
    """Conditions by field, "header X-Tag" for a header's; actions as (verb, value, name)."""
    asked = [
        rules_pb2.RuleCondition(field=f.split()[0], name=f.partition(" ")[2], values=[v]) for f, v in conditions.items()
    ]
    done = [rules_pb2.RuleAction(**dict(zip(("verb", "value", "name"), action, strict=False))) for action in actions]
    return rules_pb2.Rule(name=name, conditions=asked, actions=done, **more)


async def put(stub: Any, wanted: rules_pb2.Rule, **more: Any) -> rules_pb2.Rule:
    made = await stub.PutRule(rules_pb2.PutRuleRequest(request_id=uuid4().hex, rule=wanted, **more))
    rule: rules_pb2.Rule = made.rule
    return rule


def admin(caller: As, entity: str = "mr-a", *roles: str) -> Any:
    return caller(f"admin-{entity}", entity=entity, roles=["mail.admin", *roles])


async def in_force(stub: Any, rule_id: str, there: bool = True) -> None:
    """Once a worker of this process asks the rule: Resolve reads the same books."""

    async def asked() -> bool:
        answer = await stub.Resolve(pb.ResolveRequest(sender=address(ANA), recipient=address(RUI)))
        names = " ".join(step.subject for step in answer.steps if step.kind == "rule")
        return (rule_id in names) is there

    await until(asked, 30)


@asynccontextmanager
async def ruled(caller: As, *wanted: rules_pb2.Rule, entity: str = "mr-a") -> AsyncIterator[list[rules_pb2.Rule]]:
    """The rules in force, and gone afterwards."""
    stub = admin(caller, entity)
    made = [await put(stub, each) for each in wanted]
    await in_force(stub, made[-1].name)
    yield made
    for each in made:
        await stub.RemoveRule(rules_pb2.RemoveRuleRequest(request_id=uuid4().hex, rule_id=each.rule_id))
    await in_force(stub, made[-1].name, there=False)


async def entries(stub: Any, page_size: int = 0, **wanted: Any) -> list[queue_pb2.QueueEntry]:
    found: list[queue_pb2.QueueEntry] = []
    token = ""
    while True:
        request = queue_pb2.ListQueueRequest(
            filter=queue_pb2.QueueFilter(**wanted), page_size=page_size, page_token=token
        )
        page = await stub.ListQueue(request)
        found += page.entries
        token = page.next_page_token
        if not token:
            return found


async def change(stub: Any, action: str, *ids: str, **wanted: Any) -> queue_pb2.ChangeQueueResponse:
    request = queue_pb2.ChangeQueueRequest(
        request_id=uuid4().hex,
        action=queue_pb2.QueueAction.Value(f"QUEUE_ACTION_{action}"),
        queue_ids=ids,
        filter=queue_pb2.QueueFilter(**wanted),
        reason="says the test",
    )
    answer: queue_pb2.ChangeQueueResponse = await stub.ChangeQueue(request)
    return answer
