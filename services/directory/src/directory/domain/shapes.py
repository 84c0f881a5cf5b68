"""What each field of a record must look like, whatever else is kept."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from directory_view.audience import parse
from errors import Invalid

from directory.domain.records import Entity, Group, Person, Record, Unit

PROFESSIONS: Final = ("nurse", "doctor", "operational-assistant", "technical-assistant", "other")

_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ATOM: Final = r"(?:[a-z0-9!#$%&'*+/=?^_`{|}~-]|[^\x00-\xa0\s])+"
_LOCAL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL: Final = r"(?:[a-z0-9]|[^\x00-\xa0\s])(?:(?:[a-z0-9-]|[^\x00-\xa0\s]){0,61}(?:[a-z0-9]|[^\x00-\xa0\s]))?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_LOCALE: Final = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_ROLE: Final = re.compile(r"[a-z][a-z-]*(?:\.[a-z][a-z-]*)?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_LONGEST_NAME: Final = 200
_MOST_NAMES: Final = 50
# A group travels whole in one record of a stream, which holds a megabyte.
_LARGEST_GROUP: Final = 900_000


class Problem(NamedTuple):
    """Why a record cannot be: the column, which is the field's name, and a few words that follow it."""

    column: str
    message: str


def problems(record: Record) -> Iterator[Problem]:
    """All that is wrong with the fields of one record by themselves."""
    match record:
        case Entity():
            yield from _entity(record)
        case Unit():
            yield from _id("unit_id", record.unit_id)
            yield from _id("entity_id", record.entity_id)
            yield from _name("name", record.name)
            yield from _id("parent_unit_id", record.parent_unit_id, optional=True)
        case Person():
            yield from _person(record)
        case Group():
            yield from _group(record)


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]


def _entity(entity: Entity) -> Iterator[Problem]:
    yield from _id("entity_id", entity.entity_id)
    yield from _name("name", entity.name)
    yield from _name("kind", entity.kind)
    yield from _id("catch_all_person_id", entity.catch_all_person_id, optional=True)
    yield from _distinct("domains", entity.domains)
    for domain in entity.domains:
        if not _is_domain(domain):
            yield Problem("domains", f"{domain!r} is not a domain")


def _person(person: Person) -> Iterator[Problem]:
    yield from _id("person_id", person.person_id)
    yield from _id("entity_id", person.entity_id)
    yield from _id("unit_id", person.unit_id, optional=True)
    yield from _name("given_name", person.given_name)
    yield from _name("family_name", person.family_name)
    yield from _addresses("addresses", person.addresses)
    yield from _addresses("forward_to", person.forward_to)
    if person.forward_only and not person.forward_to:
        yield Problem("forward_only", "keeps no mail, and none is sent on")
    if person.profession not in PROFESSIONS:
        yield Problem("profession", f"{person.profession!r} is none of {', '.join(PROFESSIONS)}")
    if person.locale and not _LOCALE.fullmatch(person.locale):
        yield Problem("locale", f"{person.locale!r} is not a language tag such as pt-PT")
    if person.mobile and not _E164.fullmatch(person.mobile):
        yield Problem("mobile", "is not a number as in E.164, for example +351912345678")
    yield from _distinct("roles", person.roles)
    for role in person.roles:
        if len(role) > 64 or not _ROLE.fullmatch(role):
            yield Problem("roles", f"{role!r} is not a role such as news.editor")


def _group(group: Group) -> Iterator[Problem]:
    yield from _id("group_id", group.group_id)
    yield from _id("entity_id", group.entity_id)
    yield from _name("name", group.name)
    yield from _addresses("addresses", group.addresses)
    yield from _distinct("sender_group_ids", group.sender_group_ids)
    if group.mailbox and not group.addresses:
        yield Problem("mailbox", "has no address")
    yield from _moderation(group)
    for ids in (group.people, group.groups):
        for member in ids:
            yield from _id("members", member)
    for address in group.external:
        if not _is_address(address):
            yield Problem("members", f"{address!r} is not an address")
    size = sum(len(member.encode()) + 6 for member in (*group.people, *group.groups, *group.external))
    if size > _LARGEST_GROUP:
        yield Problem("members", "are too many for one group; nest groups, or use an expression")
    if group.expression:
        try:
            parse(group.expression)
        except Invalid as error:
            yield Problem("expression", str(error))


def _moderation(group: Group) -> Iterator[Problem]:
    if group.moderators and not group.addresses:
        yield Problem("moderators", "have nothing to decide: there is no address")
    if group.unmoderated_senders and not group.moderators:
        yield Problem("unmoderated_senders", "are excepted from nothing: there are no moderators")
    for column, named in (("moderators", group.moderators), ("unmoderated_senders", group.unmoderated_senders)):
        yield from _distinct(column, named)
        for each in named:
            yield from _id(column, each.partition(":")[2])


def _id(column: str, value: str, *, optional: bool = False) -> Iterator[Problem]:
    if not value and not optional:
        yield Problem(column, "is missing")
    elif value and not _ID.fullmatch(value):
        yield Problem(column, f'{value[:64]!r} is not 1 to 64 of letters, digits, ".", "_", "-"')


def _name(column: str, value: str) -> Iterator[Problem]:
    if not value:
        yield Problem(column, "is missing")
    elif len(value) > _LONGEST_NAME or _CONTROL.search(value):
        yield Problem(column, f"is longer than {_LONGEST_NAME} characters or holds a control character")


def _addresses(column: str, addresses: tuple[str, ...]) -> Iterator[Problem]:
    yield from _distinct(column, addresses)
    for address in addresses:
        if not _is_address(address):
            yield Problem(column, f"{address!r} is not an address in lower case without quotes")


def _distinct(column: str, values: tuple[str, ...]) -> Iterator[Problem]:
    if len(values) > _MOST_NAMES:
        yield Problem(column, f"are more than {_MOST_NAMES}")
    if len(set(values)) < len(values):
        yield Problem(column, "hold one twice")


def _is_address(text: str) -> bool:
    """RFC 5321 and RFC 6531, without quoted local parts and address literals, in lower case."""
    local, _, domain = text.rpartition("@")
    octets = len(local.encode())
    return octets <= 64 and text == text.lower() and _LOCAL.fullmatch(local) is not None and _is_domain(domain)


def _is_domain(text: str) -> bool:
    return len(text.encode()) <= 253 and text == text.lower() and _DOMAIN.fullmatch(text) is not None
