"""Contracts of the queue to domain and back."""

from typing import Final

import errors
from rossio.mail.v1 import queue_pb2

from mail_routing.adapters import wire
from mail_routing.domain import queue
from mail_routing.domain.delivery import Shard
from mail_routing.domain.queue import Filter, QueueAction

_SHOWN = 5
_ACTIONS: Final = {
    queue_pb2.QUEUE_ACTION_HOLD: QueueAction.HOLD,
    queue_pb2.QUEUE_ACTION_RELEASE: QueueAction.RELEASE,
    queue_pb2.QUEUE_ACTION_RETRY: QueueAction.RETRY,
    queue_pb2.QUEUE_ACTION_DROP: QueueAction.DROP,
}


def action(wanted: queue_pb2.QueueAction.ValueType) -> QueueAction:
    """`Invalid` for one that is not known."""
    found = _ACTIONS.get(wanted)
    if found is None:
        raise errors.Invalid("the action is not known", reason="ACTION_UNKNOWN")
    return found


def filter_(wanted: queue_pb2.QueueFilter) -> Filter:
    kind = getattr(wanted, "class")
    return Filter(wanted.site, wanted.held, wire.message_class(kind) if kind else None, wanted.sender)


def entry(shard: Shard) -> queue_pb2.QueueEntry:
    message, waiting = shard.message, shard.waiting
    last = max(waiting, key=lambda delivery: delivery.attempts)
    made = queue_pb2.QueueEntry(
        queue_id=shard.id,
        message_id=message.message_id,
        entity_id=message.entity_id,
        sender=message.sender,
        size=message.size,
        held=shard.held,
        waiting=len(waiting),
        attempts=last.attempts,
        sites=queue.sites(shard),
        status=last.status,
        reply=last.reply,
        recipients=[delivery.destination.address for delivery in waiting[:_SHOWN]],
    )
    setattr(made, "class", wire.WIRE_CLASSES[message.message_class])  # a word of Python's own
    made.accepted_at.FromDatetime(message.accepted_at)
    if shard.due is not None:
        made.due_at.FromDatetime(shard.due)
    return made
