"""What a record must be to the others."""

from collections.abc import Container, Iterable, Iterator, Mapping

from directory_view.audience import And, Expression, Match, Not, Or, parse

from directory.domain.records import Directory, Entity, Group, Person, Record, Unit
from directory.domain.shapes import Problem, domain_of


def problems(record: Record, directory: Directory) -> Iterator[Problem]:
    """All that is wrong between a record and the others of the directory, which holds it too.

    Its fields are right by themselves. That names are given once is not looked at here.
    """
    if isinstance(record, Entity):
        yield from _catch_all(record, directory)
        return
    entity = directory.entities.get(record.entity_id)
    if entity is None:
        yield Problem("entity_id", f"there is no entity {record.entity_id}")
        return
    match record:
        case Unit():
            yield from _parent(record, directory)
        case Person():
            unit = directory.units.get(record.unit_id)
            if record.unit_id and (unit is None or unit.entity_id != record.entity_id):
                yield Problem("unit_id", f"there is no unit {record.unit_id} in {record.entity_id}")
            if record.active:
                yield from _in_domains(record.addresses, entity)
        case Group() if not record.removed:
            yield from _in_domains(record.addresses, entity)
            yield from _members(record, directory)
            if record.expression:
                yield from _named(parse(record.expression), directory)


def asked(record: Person | Group) -> tuple[set[str], set[str]]:
    """The keys of the records that `problems` looks at, and names of which it wants the holders."""
    keys = {f"entity/{record.entity_id}"}
    if isinstance(record, Person):
        return keys | {f"unit/{record.unit_id}"}, set()
    keys |= {f"person/{person_id}" for person_id in record.people}
    keys |= {f"group/{group_id}" for group_id in (*record.groups, *record.sender_group_ids)}
    keys |= {named.replace(":", "/", 1) for named in (*record.moderators, *record.unmoderated_senders)}
    if record.expression:
        keys |= {f"{attribute}/{value}" for attribute, value in references(parse(record.expression))}
    return keys, {domain_of(address) for address in record.external}


def references(expression: Expression) -> Iterator[tuple[str, str]]:
    """The (attribute, value) pairs that an expression names."""
    match expression:
        case Match(attribute, values):
            yield from ((attribute, value) for value in values)
        case Not(operand):
            yield from references(operand)
        case And(operands) | Or(operands):
            for operand in operands:
                yield from references(operand)


def _catch_all(entity: Entity, directory: Directory) -> Iterator[Problem]:
    person_id = entity.catch_all_person_id
    person = directory.people.get(person_id)
    if person_id and (person is None or person.entity_id != entity.entity_id):
        yield Problem("catch_all_person_id", f"there is no person {person_id} in {entity.entity_id}")


def _parent(unit: Unit, directory: Directory) -> Iterator[Problem]:
    seen = {unit.unit_id}
    parent_id = unit.parent_unit_id
    while parent_id:
        parent = directory.units.get(parent_id)
        if parent is None or parent.entity_id != unit.entity_id:
            yield Problem("parent_unit_id", f"there is no unit {parent_id} in {unit.entity_id}")
            return
        if parent_id in seen:
            yield Problem("parent_unit_id", "the units above come back to this one")
            return
        seen.add(parent_id)
        parent_id = parent.parent_unit_id


def _in_domains(addresses: Iterable[str], entity: Entity) -> Iterator[Problem]:
    for address in addresses:
        if domain_of(address) not in entity.domains:
            yield Problem("addresses", f"{address} is in no domain of {entity.entity_id}")


def _members(group: Group, directory: Directory) -> Iterator[Problem]:
    for person_id in group.people:
        yield from _person("members", person_id, directory)
    for group_id in group.groups:
        yield from _group("members", group_id, directory)
    for address in group.external:
        if any(domain_of(address) in entity.domains for entity in directory.entities.values()):
            yield Problem("members", f"{address} is in the ministry: name the person or the group")
    for group_id in group.sender_group_ids:
        yield from _group("sender_group_ids", group_id, directory)
    for column, named in (("moderators", group.moderators), ("unmoderated_senders", group.unmoderated_senders)):
        for each in named:
            kind, _, record_id = each.partition(":")
            yield from (_person if kind == "person" else _group)(column, record_id, directory)


def _person(column: str, person_id: str, directory: Directory) -> Iterator[Problem]:
    if person_id not in directory.people:
        yield Problem(column, f"there is no person {person_id}")


def _group(column: str, group_id: str, directory: Directory) -> Iterator[Problem]:
    group = directory.groups.get(group_id)
    if group is None or group.removed:
        yield Problem(column, f"there is no group {group_id}")


def _named(expression: Expression, directory: Directory) -> Iterator[Problem]:
    kept: Mapping[str, Container[str]]
    kept = {"entity": directory.entities, "unit": directory.units, "person": directory.people}
    for attribute, value in references(expression):
        if attribute == "group":
            yield from _group("expression", value, directory)
        elif attribute in kept and value not in kept[attribute]:
            yield Problem("expression", f"there is no {attribute} {value}")
