"""The ministry as the directory's streams tell it: for tests and measurements without a directory service."""

from collections.abc import Iterator

from directory_view import Change, View
from rossio.directory.v1.directory_pb2 import PERSON_STATE_ACTIVE
from rossio.directory.v1.directory_pb2 import Entity as EntityMessage
from rossio.directory.v1.directory_pb2 import Group as GroupMessage
from rossio.directory.v1.directory_pb2 import Member as MemberMessage
from rossio.directory.v1.directory_pb2 import Person as PersonMessage
from rossio.directory.v1.directory_pb2 import Unit as UnitMessage
from rossio.directory.v1.events_pb2 import EntityChanged, GroupChanged, PersonChanged, UnitChanged

from testkit.ministry.groups import Group
from testkit.ministry.people import Person
from testkit.ministry.whole import Ministry


def changes(ministry: Ministry) -> Iterator[Change]:
    """Every entity, unit, person and group once, at version 1; people are numbered in their order from 1."""
    for entity in ministry.entities:
        yield EntityChanged(
            entity=EntityMessage(
                entity_id=entity.entity_id,
                name=entity.name,
                kind=entity.kind,
                domains=entity.domains,
                version=1,
                catch_all_person_id=ministry.catch_all(entity),
            )
        )
    for unit in ministry.units():
        yield UnitChanged(
            unit=UnitMessage(
                unit_id=unit.unit_id,
                entity_id=unit.entity_id,
                name=unit.name,
                parent_unit_id=unit.parent_unit_id,
                version=1,
            )
        )
    for number, person in enumerate(ministry.people(), start=1):
        yield PersonChanged(person=_person(person, number))
    for group in ministry.groups():
        yield GroupChanged(group=_group(group))


def view(people: int = 1200, seed: int = 1) -> View:
    """The view that a service holds of a whole ministry."""
    compiled = View()
    compiled.apply(changes(Ministry(people, seed)))
    return compiled


def _person(person: Person, number: int) -> PersonMessage:
    return PersonMessage(
        person_id=person.person_id,
        number=number,
        entity_id=person.entity_id,
        unit_id=person.unit_id,
        given_name=person.given_name,
        family_name=person.family_name,
        addresses=person.addresses,
        profession=person.profession,
        locale=person.locale,
        mobile=person.mobile,
        state=PERSON_STATE_ACTIVE,
        version=1,
        roles=person.roles,
    )


def _group(group: Group) -> GroupMessage:
    return GroupMessage(
        group_id=group.group_id,
        entity_id=group.entity_id,
        name=group.name,
        addresses=group.addresses,
        members=[_member(member) for member in group.members],
        expression=group.expression,
        sender_group_ids=group.sender_group_ids,
        version=1,
    )


def _member(member: str) -> MemberMessage:
    kind, _, name = member.partition(":")
    match kind:
        case "person":
            return MemberMessage(person_id=name)
        case "group":
            return MemberMessage(group_id=name)
        case _:
            return MemberMessage(address=name)
