"""Contracts to domain and back."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import errors
from google.protobuf.timestamp_pb2 import Timestamp
from rossio.mail.v1 import access_pb2, events_pb2, rules_pb2, service_pb2

from mail_routing.domain.app_password import AppPassword
from mail_routing.domain.delivery import Delivery, Shard, State, with_last
from mail_routing.domain.message import BlobContent, Message, MessageClass, Origin, Recipient
from mail_routing.domain.route import Destination, Step
from mail_routing.domain.rules import Decision
from mail_routing.domain.sending import Delegation, Right

STREAMS: Final = {
    MessageClass.NORMAL: "mail.message.v1",
    MessageClass.URGENT: "mail.message.urgent.v1",
    MessageClass.BULK: "mail.message.bulk.v1",
}
"""The stream of accepted mail of each class."""

_CLASSES: Final[Mapping[int, MessageClass]] = {
    events_pb2.MESSAGE_CLASS_UNSPECIFIED: MessageClass.NORMAL,
    events_pb2.MESSAGE_CLASS_NORMAL: MessageClass.NORMAL,
    events_pb2.MESSAGE_CLASS_URGENT: MessageClass.URGENT,
    events_pb2.MESSAGE_CLASS_BULK: MessageClass.BULK,
}
WIRE_CLASSES: Final = {
    MessageClass.NORMAL: events_pb2.MESSAGE_CLASS_NORMAL,
    MessageClass.URGENT: events_pb2.MESSAGE_CLASS_URGENT,
    MessageClass.BULK: events_pb2.MESSAGE_CLASS_BULK,
}
_STATES: Final = {
    State.DEFERRED: events_pb2.DELIVERY_STATE_DEFERRED,
    State.DELIVERED: events_pb2.DELIVERY_STATE_DELIVERED,
    State.BOUNCED: events_pb2.DELIVERY_STATE_BOUNCED,
    State.QUARANTINED: events_pb2.DELIVERY_STATE_QUARANTINED,
    State.PENDING: events_pb2.DELIVERY_STATE_PENDING,
    State.DROPPED: events_pb2.DELIVERY_STATE_DROPPED,
}

_RIGHTS: Final = {
    Right.SEND_AS: access_pb2.SENDING_RIGHT_SEND_AS,
    Right.ON_BEHALF: access_pb2.SENDING_RIGHT_ON_BEHALF,
}
_WIRE_RIGHTS: Final[Mapping[int, Right]] = {number: right for right, number in _RIGHTS.items()}


def message_class(wire: int) -> MessageClass:
    found = _CLASSES.get(wire)
    if found is None:
        raise errors.Invalid("the class of the mail is not known", reason="CLASS_UNKNOWN")
    return found


def accepted(message: Message) -> events_pb2.MessageAccepted:
    wire = events_pb2.MessageAccepted(
        message_id=message.message_id,
        entity_id=message.entity_id,
        sender=message.sender,
        recipients=[
            events_pb2.Recipient(address=r.address, original=r.original, notify=r.notify) for r in message.recipients
        ],
        size=message.size,
        origin=message.origin.value,
        client=message.client,
        smtputf8=message.smtputf8,
        principal=message.principal,
        envelope_id=message.envelope_id,
        dsn_return=message.dsn_return,
        require_tls=message.require_tls,
        protocol=message.protocol,
        internet_message_id=message.internet_message_id,
    )
    setattr(wire, "class", WIRE_CLASSES[message.message_class])  # a word of Python's own
    wire.accepted_at.FromDatetime(message.accepted_at)
    if isinstance(message.content, BlobContent):
        wire.blob = message.content.ref
    else:
        wire.inline = message.content
    return wire


def message(wire: events_pb2.MessageAccepted) -> Message:
    """`Invalid` for a record that says of itself what cannot be."""
    try:
        origin = Origin(wire.origin)
    except ValueError:
        raise errors.Invalid("the origin of the mail is not known", reason="ORIGIN_UNKNOWN") from None
    return Message(
        message_id=wire.message_id,
        entity_id=wire.entity_id,
        sender=wire.sender,
        recipients=tuple(Recipient(r.address, r.original, tuple(r.notify)) for r in wire.recipients),
        content=BlobContent(wire.blob) if wire.WhichOneof("content") == "blob" else wire.inline,
        size=wire.size,
        message_class=message_class(getattr(wire, "class")),
        accepted_at=wire.accepted_at.ToDatetime(UTC),
        origin=origin,
        client=wire.client,
        smtputf8=wire.smtputf8,
        principal=wire.principal,
        envelope_id=wire.envelope_id,
        dsn_return=wire.dsn_return,
        require_tls=wire.require_tls,
        protocol=wire.protocol,
        internet_message_id=wire.internet_message_id,
    )


def reported(message: Message, changed: Iterable[Delivery]) -> events_pb2.DeliveryReported:
    wire = events_pb2.DeliveryReported(
        message_id=message.message_id,
        entity_id=message.entity_id,
        outcomes=map(_outcome, changed),
        principal=message.principal,
    )
    setattr(wire, "class", WIRE_CLASSES[message.message_class])
    return wire


def traced(shard: Shard) -> service_pb2.TraceResponse:
    wire = service_pb2.TraceResponse(
        message_id=shard.message.message_id,
        sender=shard.message.sender,
        size=shard.message.size,
        origin=shard.message.origin.value,
        internet_message_id=shard.message.internet_message_id,
        outcomes=(_with_history(delivery) for delivery in shard.deliveries),
        decisions=map(decision, shard.treatment.decisions),
    )
    setattr(wire, "class", WIRE_CLASSES[shard.message.message_class])
    wire.accepted_at.FromDatetime(shard.message.accepted_at)
    return wire


def kept_back(shard: Shard) -> rules_pb2.QuarantinedMail:
    held = (delivery for delivery in shard.deliveries if delivery.state is State.QUARANTINED)
    wire = rules_pb2.QuarantinedMail(
        quarantine_id=shard.id,
        message_id=shard.message.message_id,
        sender=shard.message.sender,
        size=shard.message.size,
        reason=shard.treatment.kept_back,
        outcomes=map(_outcome, held),
        decisions=map(decision, shard.treatment.decisions),
    )
    wire.accepted_at.FromDatetime(shard.message.accepted_at)
    return wire


def decision(decision: Decision) -> rules_pb2.RuleDecision:
    return rules_pb2.RuleDecision(
        scope=decision.scope,
        rule_id=decision.rule_id,
        version=decision.version,
        name=decision.name,
        actions=decision.actions,
    )


def step(step: Step) -> service_pb2.ResolveStep:
    return service_pb2.ResolveStep(kind=step.kind, subject=step.subject, result=step.result)


def destination(destination: Destination) -> service_pb2.Destination:
    return service_pb2.Destination(address=destination.address, kind=destination.kind.value, target=destination.target)


def app_password(password: AppPassword) -> access_pb2.AppPassword:
    wire = access_pb2.AppPassword(password_id=password.password_id, name=password.name)
    wire.created_at.FromDatetime(password.created_at)
    if password.expires_at is not None:
        wire.expires_at.FromDatetime(password.expires_at)
    if password.revoked_at is not None:
        wire.revoked_at.FromDatetime(password.revoked_at)
    return wire


def right(wire: int) -> Right:
    found = _WIRE_RIGHTS.get(wire)
    if found is None:
        raise errors.Invalid("the right is not known", reason="RIGHT_UNKNOWN")
    return found


def delegation(delegation: Delegation) -> access_pb2.Delegation:
    return access_pb2.Delegation(
        owner=delegation.owner,
        right=_RIGHTS[delegation.right],
        person_id=delegation.person_id,
        group_id=delegation.group_id,
    )


def _outcome(delivery: Delivery) -> events_pb2.Outcome:
    to = delivery.destination
    return events_pb2.Outcome(
        address=to.address,
        original=to.original,
        person_id=to.person_id,
        entity_id=to.entity_id,
        state=_STATES[delivery.state],
        status=delivery.status,
        reply=delivery.reply,
        attempts=delivery.attempts,
        remote=delivery.remote,
        decided_by=delivery.by,
        at=None if delivery.at is None else _timestamp(delivery.at),
    )


@lru_cache(maxsize=16)
def _timestamp(at: datetime) -> Timestamp:
    """The recipients of one attempt have one time."""
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def _with_history(delivery: Delivery) -> events_pb2.Outcome:
    """An outcome with each attempt that led to it, the last one too."""
    wire = _outcome(delivery)
    if delivery.at is None:
        return wire
    for attempt in with_last(delivery):
        said = wire.history.add(
            state=_STATES[attempt.state],
            status=attempt.status,
            reply=attempt.reply,
            target=delivery.destination.target,
            decided_by=attempt.by,
        )
        said.at.FromDatetime(attempt.at)
    return wire
