"""Records as messages of rossio.directory.v1, and the facts about them."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import messaging
from messaging import fact, new_id
from rossio.directory.v1 import directory_pb2 as pb
from rossio.directory.v1 import events_pb2
from store import OutboxRecord

from directory.application.ports import Begun, Deed
from directory.domain.records import Entity, Group, Person, Record, Unit


def changed(record: Record, at: datetime) -> OutboxRecord:
    """The event that carries the whole record as it is now."""
    event: events_pb2.EntityChanged | events_pb2.UnitChanged | events_pb2.PersonChanged | events_pb2.GroupChanged
    match record:
        case Entity():
            event = events_pb2.EntityChanged(entity=to_entity(record))
        case Unit():
            event = events_pb2.UnitChanged(unit=_to_unit(record))
        case Person():
            event = events_pb2.PersonChanged(person=to_person(record))
        case Group():
            event = events_pb2.GroupChanged(group=to_group(record))
    return fact(event, id=new_id(), at=at)


def audited(record: Record, deed: Deed) -> OutboxRecord:
    """The audit record of a deed; it stands in the chain of the record's entity."""
    kind, _, record_id = record.key.partition("/")
    return messaging.audited(
        f"directory.{kind}.{deed.verb}",
        at=deed.at,
        entity_id=record.entity_id,
        actor=deed.by.subject,
        actor_entity_id=deed.by.entity_id,
        resource=record_id,
        details={"version": str(record.version)},
    )


def import_audited(begun: Begun) -> Iterator[OutboxRecord]:
    """An audit record for each entity that an import changes."""
    for entity_id, counts in sorted(begun.changes.items()):
        files = {f"sha256_{table}": digest for table, digest in begun.digests.items()}
        yield messaging.audited(
            "directory.entity.import",
            at=begun.at,
            entity_id=entity_id,
            actor=begun.by.subject,
            actor_entity_id=begun.by.entity_id,
            resource=begun.import_id,
            details={**{kind: str(count) for kind, count in counts.items()}, **files},
        )


def to_entity(entity: Entity) -> pb.Entity:
    return pb.Entity(
        entity_id=entity.entity_id,
        name=entity.name,
        kind=entity.kind,
        domains=entity.domains,
        version=entity.version,
        catch_all_person_id=entity.catch_all_person_id,
    )


def to_person(person: Person) -> pb.Person:
    return pb.Person(
        person_id=person.person_id,
        number=person.number,
        entity_id=person.entity_id,
        unit_id=person.unit_id,
        given_name=person.given_name,
        family_name=person.family_name,
        addresses=person.addresses,
        profession=person.profession,
        locale=person.locale,
        mobile=person.mobile,
        state=pb.PERSON_STATE_ACTIVE if person.active else pb.PERSON_STATE_LEFT,
        version=person.version,
        roles=person.roles,
        forward_to=person.forward_to,
        forward_only=person.forward_only,
    )


def from_person(message: pb.Person) -> Person:
    """The person that a request says; the number is not theirs to say. Without a state they work here."""
    return Person(
        person_id=message.person_id,
        entity_id=message.entity_id,
        unit_id=message.unit_id,
        given_name=message.given_name,
        family_name=message.family_name,
        addresses=tuple(address.lower() for address in message.addresses),
        profession=message.profession,
        locale=message.locale,
        mobile=message.mobile,
        roles=tuple(sorted(set(message.roles))),
        forward_to=tuple(address.lower() for address in message.forward_to),
        forward_only=message.forward_only,
        active=message.state != pb.PERSON_STATE_LEFT,
        version=message.version,
    )


def to_group(group: Group) -> pb.Group:
    members = [pb.Member(person_id=person_id) for person_id in group.people]
    members += [pb.Member(group_id=group_id) for group_id in group.groups]
    members += [pb.Member(address=address) for address in group.external]
    return pb.Group(
        group_id=group.group_id,
        entity_id=group.entity_id,
        name=group.name,
        addresses=group.addresses,
        members=members,
        expression=group.expression,
        sender_group_ids=group.sender_group_ids,
        removed=group.removed,
        mailbox=group.mailbox,
        moderators=map(_member, group.moderators),
        unmoderated_senders=map(_member, group.unmoderated_senders),
        version=group.version,
    )


def from_group(message: pb.Group) -> Group:
    """The group that a request says; members come in the order of their ids, and each once."""
    return Group(
        group_id=message.group_id,
        entity_id=message.entity_id,
        name=message.name,
        addresses=tuple(address.lower() for address in message.addresses),
        people=tuple(sorted({member.person_id for member in message.members if member.person_id})),
        groups=tuple(sorted({member.group_id for member in message.members if member.group_id})),
        external=tuple(sorted({member.address.lower() for member in message.members if member.address})),
        expression=message.expression,
        sender_group_ids=tuple(sorted(set(message.sender_group_ids))),
        removed=message.removed,
        mailbox=message.mailbox,
        moderators=_named(message.moderators),
        unmoderated_senders=_named(message.unmoderated_senders),
        version=message.version,
    )


def _member(named: str) -> pb.Member:
    kind, _, record_id = named.partition(":")
    return pb.Member(person_id=record_id) if kind == "person" else pb.Member(group_id=record_id)


def _named(members: Iterable[pb.Member]) -> tuple[str, ...]:
    """Whom they name, each once and sorted; somebody outside of the ministry by an id that is none."""
    kinds = (("person", member.person_id) if member.person_id else ("group", member.group_id) for member in members)
    return tuple(sorted({f"{kind}:{record_id}" for kind, record_id in kinds}))


def _to_unit(unit: Unit) -> pb.Unit:
    return pb.Unit(
        unit_id=unit.unit_id,
        entity_id=unit.entity_id,
        name=unit.name,
        parent_unit_id=unit.parent_unit_id,
        version=unit.version,
    )
