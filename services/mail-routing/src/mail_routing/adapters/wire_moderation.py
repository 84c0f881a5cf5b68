"""Mail that waits for moderators, as contracts say it."""

from rossio.mail.v1 import moderation_pb2 as pb

from mail_routing.application.decide_moderated import Waiting
from mail_routing.domain.route import Kind


def moderated(waiting: Waiting) -> pb.ModeratedMail:
    message, first = waiting.shard.message, waiting.deliveries[0]
    of_list = first.destination.kind is Kind.LIST
    wire = pb.ModeratedMail(
        moderation_id=waiting.moderation_id,
        message_id=message.message_id,
        sender=message.sender,
        waits_for=first.destination.address if of_list else waiting.shard.treatment.kept_back,
        size=message.size,
        recipients=len(waiting.deliveries),
    )
    wire.accepted_at.FromDatetime(message.accepted_at)
    if first.until is not None:
        wire.expires_at.FromDatetime(first.until)
    return wire
