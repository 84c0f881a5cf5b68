"""Mail that rules keep back, as those who decide about it see it."""

from dataclasses import replace
from datetime import datetime

from mail_routing.domain.delivery import Delivery, Progress, Shard, State, with_last


def owner(shard: Shard) -> str:
    """The entity whose administrators decide: the sender's, else that of the first recipient in the ministry."""
    entities = (each.destination.entity_id for each in shard.deliveries)
    return shard.message.entity_id or next(filter(None, entities), "")


def released(shard: Shard, now: datetime) -> Progress:
    """All that is kept back waits again, and is tried at once."""
    return _turned(shard, State.DEFERRED, "Released", now)


def dropped(shard: Shard, now: datetime) -> Progress:
    """All that is kept back is given up, and its sender is not told."""
    return _turned(shard, State.DROPPED, "Dropped", now)


def _turned(shard: Shard, state: State, said: str, now: datetime) -> Progress:
    def turned(delivery: Delivery) -> Delivery:
        if delivery.state is not State.QUARANTINED:
            return delivery
        return replace(delivery, state=state, reply=f"{said}: {delivery.reply}", at=now, tries=with_last(delivery))

    deliveries = tuple(map(turned, shard.deliveries))
    changed = tuple(new for old, new in zip(shard.deliveries, deliveries, strict=True) if new is not old)
    if state is State.DEFERRED:
        shard = replace(shard, due=now, since=now)
    return Progress(replace(shard, deliveries=deliveries), changed)
