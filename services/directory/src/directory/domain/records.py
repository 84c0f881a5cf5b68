"""What the directory keeps: entities, units, people and groups, each as it is now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

MINISTRY_ADMIN: Final = "ministry.admin"


@dataclass(frozen=True, slots=True)
class Entity:
    entity_id: str
    name: str = ""
    kind: str = ""
    domains: tuple[str, ...] = ()
    """The primary one first; lower case."""
    catch_all_person_id: str = ""
    version: int = 0
    """Counts the changes; 0 is not kept yet."""

    @property
    def key(self) -> str:
        return f"entity/{self.entity_id}"

    @property
    def claims(self) -> frozenset[str]:
        """The names that no other record may have."""
        return frozenset(self.domains)


@dataclass(frozen=True, slots=True)
class Unit:
    unit_id: str
    entity_id: str = ""
    name: str = ""
    parent_unit_id: str = ""
    version: int = 0

    @property
    def key(self) -> str:
        return f"unit/{self.unit_id}"

    @property
    def claims(self) -> frozenset[str]:
        return frozenset()


@dataclass(frozen=True, slots=True)
class Person:
    person_id: str
    entity_id: str = ""
    unit_id: str = ""
    given_name: str = ""
    family_name: str = ""
    addresses: tuple[str, ...] = ()
    """The primary one first; lower case."""
    profession: str = ""
    locale: str = ""
    mobile: str = ""
    roles: tuple[str, ...] = ()
    """Sorted."""
    forward_to: tuple[str, ...] = ()
    """Addresses that the mail is sent on to."""
    forward_only: bool = False
    """What is sent on is not kept."""
    active: bool = True
    """False: has left. Keeps id, number and data, and gives the addresses free."""
    number: int = 0
    """The bit in audiences, from 1; 0 is not given yet."""
    version: int = 0

    @property
    def key(self) -> str:
        return f"person/{self.person_id}"

    @property
    def claims(self) -> frozenset[str]:
        return frozenset(self.addresses) if self.active else frozenset()


@dataclass(frozen=True, slots=True)
class Group:
    """A set of people. Members, senders and moderators are sorted."""

    group_id: str
    entity_id: str = ""
    name: str = ""
    addresses: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    """Addresses outside of the ministry."""
    expression: str = ""
    sender_group_ids: tuple[str, ...] = ()
    removed: bool = False
    mailbox: bool = False
    """Mail for its addresses lies in one mailbox."""
    moderators: tuple[str, ...] = ()
    """Who lets mail to it go on: "person:<id>" and "group:<id>"; nobody: it needs no approval."""
    unmoderated_senders: tuple[str, ...] = ()
    """Whose mail needs none, named in the same way."""
    version: int = 0

    @property
    def key(self) -> str:
        return f"group/{self.group_id}"

    @property
    def claims(self) -> frozenset[str]:
        return frozenset() if self.removed else frozenset(self.addresses)


Record = Entity | Unit | Person | Group


@dataclass(frozen=True, slots=True)
class Directory:
    """Records by their ids: all that are kept, or those that a question is about."""

    entities: dict[str, Entity] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Directory":
        directory = cls()
        for record in records:
            directory.put(record)
        return directory

    def put(self, record: Record) -> None:
        match record:
            case Entity():
                self.entities[record.entity_id] = record
            case Unit():
                self.units[record.unit_id] = record
            case Person():
                self.people[record.person_id] = record
            case Group():
                self.groups[record.group_id] = record

    def records(self) -> Iterator[Record]:
        yield from self.entities.values()
        yield from self.units.values()
        yield from self.people.values()
        yield from self.groups.values()

    def copy(self) -> "Directory":
        return Directory(dict(self.entities), dict(self.units), dict(self.people), dict(self.groups))
