"""Audit records between messages and the chain."""

from collections.abc import Sequence
from typing import cast

from errors import Invalid
from messaging import Delivery
from rossio.governance.v1 import dead_letters_pb2
from rossio.governance.v1.audit_pb2 import ActionAudited, ChainedRecord

from governance.domain.chain import Entry, Link
from governance.domain.dead_letter import DeadLetter


def read_entries(deliveries: Sequence[Delivery]) -> list[Entry]:
    """Raises:
    Invalid: one says not who did what and when, or has no id of its own.
    """
    return [_entry(delivery) for delivery in deliveries]


def _entry(delivery: Delivery) -> Entry:
    action = cast("ActionAudited", delivery.message)
    said = {"audit_id": action.audit_id, "actor": action.actor, "action": action.action, "at": action.HasField("at")}
    missing = ", ".join(name for name, value in said.items() if not value)
    if missing:
        raise Invalid(f"an audit record without {missing}", reason="AUDIT_INCOMPLETE")
    return Entry(action.audit_id, action.entity_id, delivery.payload)


def to_record(link: Link) -> ChainedRecord:
    return ChainedRecord(sequence=link.sequence, record=link.entry.record, hash=link.hash)


def to_dead_letter(letter: DeadLetter) -> dead_letters_pb2.DeadLetter:
    """What a letter is, without what it says."""
    told = dead_letters_pb2.DeadLetter(
        stream=letter.queue.stream,
        consumer=letter.queue.consumer,
        number=letter.number,
        state=dead_letters_pb2.DeadLetterState.Value(f"DEAD_LETTER_STATE_{letter.state.name}"),
        reason=letter.reason,
        attempts=letter.attempts,
        origin=letter.origin,
        event_type=letter.event_type,
    )
    told.at.FromDatetime(letter.at)
    return told
