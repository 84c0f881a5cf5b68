"""The directory as one service holds it: every look-up local, every audience a bitmap."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from typing import Final

from errors import Invalid
from pyroaring import BitMap
from rossio.directory.v1.directory_pb2 import PERSON_STATE_ACTIVE, Entity, Group, Member, Person, Unit
from rossio.directory.v1.events_pb2 import EntityChanged, GroupChanged, PersonChanged, UnitChanged

from directory_view.audience import parse
from directory_view.expansion import Expansion, GroupParts
from directory_view.hash_index import HashIndex
from directory_view.memberships import Memberships
from directory_view.units import Units

Change = EntityChanged | UnitChanged | PersonChanged | GroupChanged

DEFAULT_LOCALE: Final = "pt-PT"
# The attributes that have a bitmap for each value.
_INDEXED: Final = ("entity", "unit", "profession", "locale", "role")
# A number beyond it is a broken record: the view keeps a slot for every number up to the highest.
_HIGHEST_NUMBER: Final = 2**23


class View:
    """What the directory's streams have said so far; changed by `apply` alone, on one thread.

    The streams may be read in any interleaving that keeps the order per key: the same records give the
    same view. A record older than the one held is passed over. People who have left keep their id and
    number, and are in no bitmap and behind no address. Messages returned are the caller's own copies.
    """

    def __init__(self) -> None:
        self.version: int = 0
        self._entities: dict[str, bytes] = {}
        self._entity_of_domain: dict[str, str] = {}
        self._units = Units()
        self._people: list[bytes | None] = []
        self._numbers = HashIndex()
        self._people_by_address = HashIndex()
        self._groups: dict[str, bytes] = {}
        self._groups_by_address: defaultdict[str, set[str]] = defaultdict(set)
        self._memberships = Memberships()
        self._moderated: set[str] = set()
        self._moderated_within: dict[str, frozenset[str]] = {}
        self._everybody = BitMap()
        self._holders: dict[str, defaultdict[str, BitMap]] = {name: defaultdict(BitMap) for name in _INDEXED}
        self._expansion: Expansion | None = None

    # Look-ups

    @property
    def people_count(self) -> int:
        """How many people work in the ministry."""
        return len(self._everybody)

    def person(self, person_id: str) -> Person | None:
        """The person, who may have left."""
        number = self._number(person_id)
        return None if number is None else self.by_number(number)

    def by_number(self, number: int) -> Person | None:
        """The person with that bit in an audience, who may have left."""
        raw = self._people[number] if 0 <= number < len(self._people) else None
        return None if raw is None else Person.FromString(raw)

    def people(self, numbers: Iterable[int]) -> Iterator[Person]:
        """The people with those numbers, for example those of an audience; unknown numbers are passed over."""
        return (person for number in numbers if (person := self.by_number(number)) is not None)

    def by_address(self, address: str) -> Person | Group | None:
        """Whose address it is, whatever its case: somebody who works here, or a group.

        Plus-tags and catch-alls are not looked at. If the streams name several owners for a while, it is
        the person with the lowest number, else the group with the lowest id.
        """
        address = address.lower()
        for number in sorted(self._people_by_address.candidates(address)):
            person = self.by_number(number)
            if person is not None and address in person.addresses:
                return person
        owners = self._groups_by_address.get(address)
        return self.group(min(owners)) if owners else None

    def entity(self, entity_id: str) -> Entity | None:
        raw = self._entities.get(entity_id)
        return None if raw is None else Entity.FromString(raw)

    def entities(self) -> list[Entity]:
        """All entities, in the order of their ids."""
        return [Entity.FromString(self._entities[entity_id]) for entity_id in sorted(self._entities)]

    def entity_of_domain(self, domain: str) -> Entity | None:
        """The entity that accepts mail for the domain, whatever its case."""
        return self.entity(self._entity_of_domain.get(domain.lower(), ""))

    def entity_id_of_domain(self, domain: str) -> str:
        """Its id alone, which is there without reading the entity; empty: none accepts mail for the domain."""
        return self._entity_of_domain.get(domain.lower(), "")

    def catch_all(self, entity_id: str) -> Person | None:
        """Who takes the entity's mail for unknown local parts, unless they no longer work there."""
        entity = self.entity(entity_id)
        person = self.person(entity.catch_all_person_id) if entity else None
        works = person is not None and person.number in self._everybody and person.entity_id == entity_id
        return person if works else None

    def unit(self, unit_id: str) -> Unit | None:
        return self._units.get(unit_id)

    def group(self, group_id: str) -> Group | None:
        raw = self._groups.get(group_id)
        group = None if raw is None else Group.FromString(raw)
        return None if group is None or group.removed else group

    # Audiences

    def members(self, group_id: str, apart: Container[str] = ()) -> BitMap:
        """The numbers of the people in the group: static, nested and dynamic; empty for an unknown group.

        Without those who are in it through the nested groups `apart` alone.
        """
        if not apart:
            return self._expanded().members(group_id).copy()
        expanded = self._expanded()
        inside = (self._parts(each.group_id) for each in self._nesting(group_id, apart))
        found = (
            parts.people | expanded.audience(parts.expression) if parts.expression else parts.people
            for parts in inside
            if parts is not None
        )
        return BitMap.union(BitMap(), *found)

    def is_member(self, number: int, group_id: str) -> bool:
        """Whether the person with that number is in the group; `members` without the copy."""
        return number in self._expanded().members(group_id)

    def groups_of(self, person_id: str) -> list[str]:
        """The ids, sorted, of the groups that the person is in: directly, by nesting or by an expression."""
        person = self.person(person_id)
        if person is None or person.number not in self._everybody:
            return []
        expanded = self._expanded()
        candidates = self._memberships.candidates(self._attributes(person))
        return sorted(group_id for group_id in candidates if person.number in expanded.members(group_id))

    def external_members(self, group_id: str, apart: Container[str] = ()) -> tuple[str, ...]:
        """The addresses outside of the ministry in the group and the groups nested in it, sorted.

        Without those of the nested groups `apart`.
        """
        inside = self._nesting(group_id, apart)
        return tuple(sorted({member.address for group in inside for member in group.members if member.address}))

    def audience(self, expression: str) -> BitMap:
        """The numbers of the people whom an audience expression means.

        Raises:
            Invalid: the expression cannot be read; see `audience.parse`.
        """
        return self._expanded().audience(parse(expression))

    def counts(self, attribute: str, people: BitMap) -> dict[str, int]:
        """How many of the people have each value of an attribute; values that none of them has are left out.

        `attribute` is "entity", "unit" (without the units below it), "profession", "locale" or "role".
        """
        found = ((value, have.intersection_cardinality(people)) for value, have in self._holders[attribute].items())
        return {value: count for value, count in found if count}

    def divided(self, attribute: str, people: BitMap) -> dict[str, BitMap]:
        """Which of the people have each value of an attribute: `counts`, with the people themselves."""
        found = ((value, have & people) for value, have in self._holders[attribute].items())
        return {value: those for value, those in found if those}

    def may_send(self, group: Group, sender: Person | None) -> bool:
        """Whether the person, or somebody unknown (None), may write to the list."""
        if not group.sender_group_ids:
            return True
        return sender is not None and any(
            sender.number in self._expanded().members(group_id) for group_id in group.sender_group_ids
        )

    # Moderation

    def moderators(self, group_id: str) -> BitMap:
        """The numbers of those who let mail to the list go on; nobody for an unknown group."""
        group = self.group(group_id)
        return self._named(group.moderators) if group else BitMap()

    def is_moderator(self, number: int, group_id: str) -> bool:
        return number in self.moderators(group_id)

    def moderated_by(self, person: Person) -> list[str]:
        """The ids, sorted, of the groups of which the person is a moderator."""
        return [group_id for group_id in sorted(self._moderated) if self.is_moderator(person.number, group_id)]

    def needs_approval(self, group: Group, sender: Person | None) -> bool:
        """Whether mail to the list from the person, or from somebody unknown (None), waits for its moderators."""
        if not group.moderators:
            return False
        excepted = (*group.moderators, *group.unmoderated_senders)
        return sender is None or sender.number not in self._named(excepted)

    def moderated_within(self, group_id: str) -> frozenset[str]:
        """The ids of the moderated groups nested in the group, to any depth; looked for once in each state."""
        if not self._moderated:
            return frozenset()
        found = self._moderated_within.get(group_id)
        if found is None:
            inside = {each.group_id for each in self._nesting(group_id, ())} - {group_id}
            found = self._moderated_within[group_id] = frozenset(inside & self._moderated)
        return found

    def first_of(self, group_id: str, apart: Container[str]) -> list[str]:
        """The ids, sorted, of those of the groups `apart` that are met in the group before any other of them."""
        inside = self._nesting(group_id, apart)
        return sorted({each.group_id for group in inside for each in group.members if each.group_id in apart})

    # Changes

    def apply(self, changes: Iterable[Change]) -> None:
        """Takes in what the streams say, in their order.

        Raises:
            Invalid: a person's number is another person's, or beyond all reason; what came before is taken in.
        """
        for change in changes:
            match change:
                case PersonChanged(person=person):
                    self._put_person(person)
                case GroupChanged(group=group):
                    self._put_group(group)
                case UnitChanged(unit=unit):
                    if self._units.put(unit):
                        self._changed()
                case EntityChanged(entity=entity):
                    self._put_entity(entity)

    def _put_person(self, person: Person) -> None:
        number = person.number
        held = self.by_number(number)
        if held is None:
            self._make_room(person.person_id, number)
        elif held.person_id != person.person_id:
            raise Invalid("two people have one number", reason="NUMBER_TAKEN", number=str(number))
        elif held.version >= person.version:
            return
        elif held.state == PERSON_STATE_ACTIVE:
            for bitmap in self._bitmaps(held):
                bitmap.discard(number)
            for address in set(held.addresses):
                self._people_by_address.remove(address, number)
        self._people[number] = person.SerializeToString()
        if person.state == PERSON_STATE_ACTIVE:
            for bitmap in self._bitmaps(person):
                bitmap.add(number)
            for address in set(person.addresses):
                self._people_by_address.add(address, number)
        self._changed()

    def _make_room(self, person_id: str, number: int) -> None:
        """Room for somebody new."""
        if number > _HIGHEST_NUMBER or (person_id in self._numbers and self._number(person_id) is not None):
            raise Invalid("a person's number is none that the directory gives", reason="NUMBER_WRONG")
        missing = number + 1 - len(self._people)
        if missing > 0:
            self._people += [None] * missing
        self._numbers.add(person_id, number)

    def _bitmaps(self, person: Person) -> Iterator[BitMap]:
        """Those that hold the person while they work here."""
        holders = self._holders
        yield self._everybody
        yield holders["entity"][person.entity_id]
        yield holders["unit"][person.unit_id]
        yield holders["profession"][person.profession]
        yield holders["locale"][person.locale or DEFAULT_LOCALE]
        for role in person.roles:
            yield holders["role"][role]

    def _put_group(self, group: Group) -> None:
        raw = self._groups.get(group.group_id)
        held = None if raw is None else Group.FromString(raw)
        if held is not None:
            if held.version >= group.version:
                return
            for address in held.addresses:
                self._groups_by_address[address].discard(group.group_id)
                if not self._groups_by_address[address]:
                    del self._groups_by_address[address]
        self._groups[group.group_id] = group.SerializeToString()
        if group.moderators and not group.removed:
            self._moderated.add(group.group_id)
        else:
            self._moderated.discard(group.group_id)
        if not group.removed:
            for address in group.addresses:
                self._groups_by_address[address].add(group.group_id)
        self._memberships.put(group, held)
        self._changed()

    def _put_entity(self, entity: Entity) -> None:
        held = self.entity(entity.entity_id)
        if held is not None and held.version >= entity.version:
            return
        self._entities[entity.entity_id] = entity.SerializeToString()
        # From the last to the first, so that a domain that two name for a while is the first one's.
        self._entity_of_domain = {
            domain: entity.entity_id for entity in reversed(self.entities()) for domain in entity.domains
        }
        self._changed()

    def _changed(self) -> None:
        self.version += 1
        self._expansion = None
        self._moderated_within.clear()

    # Inside

    def _number(self, person_id: str) -> int | None:
        for number in self._numbers.candidates(person_id):
            person = self.by_number(number)
            if person is not None and person.person_id == person_id:
                return number
        return None

    def _named(self, named: Iterable[Member]) -> BitMap:
        """The people whom a list of people and groups names."""
        found = (
            self._have("person", each.person_id) if each.person_id else self._expanded().members(each.group_id)
            for each in named
        )
        return BitMap.union(BitMap(), *found)

    def _nesting(self, group_id: str, apart: Container[str]) -> Iterator[Group]:
        """The group and those nested in it, each once, without what is `apart` and nested in that alone."""
        seen = {group_id}
        waiting = [group_id]
        while waiting:
            group = self.group(waiting.pop())
            if group is None:
                continue
            yield group
            for member in group.members:
                if member.group_id and member.group_id not in seen and member.group_id not in apart:
                    seen.add(member.group_id)
                    waiting.append(member.group_id)

    def _expanded(self) -> Expansion:
        if self._expansion is None:
            self._expansion = Expansion(self._parts, self._have, self._everybody)
        return self._expansion

    def _have(self, attribute: str, value: str) -> BitMap:
        """Who has that value of an attribute, for all but `group`."""
        if attribute == "person":
            number = self._number(value)
            return BitMap() if number is None else BitMap([number]) & self._everybody
        if attribute == "unit":
            return BitMap.union(*(self._holders["unit"].get(unit, BitMap()) for unit in self._units.below(value)))
        return self._holders[attribute].get(value, BitMap())

    def _attributes(self, person: Person) -> Iterator[tuple[str, str]]:
        """What an expression can ask of the person, groups aside, with the units above theirs."""
        yield from (
            ("person", person.person_id),
            ("entity", person.entity_id),
            ("profession", person.profession),
            ("locale", person.locale or DEFAULT_LOCALE),
        )
        yield from (("role", role) for role in person.roles)
        yield from (("unit", unit_id) for unit_id in self._units.above(person.unit_id))

    def _parts(self, group_id: str) -> GroupParts | None:
        """What the group is made of; an expression that this release cannot read means nobody."""
        group = self.group(group_id)
        if group is None:
            return None
        numbers = (self._number(member.person_id) for member in group.members if member.person_id)
        people = BitMap(number for number in numbers if number is not None) & self._everybody
        nested = tuple(member.group_id for member in group.members if member.group_id)
        try:
            expression = parse(group.expression) if group.expression else None
        except Invalid:
            expression = None
        return GroupParts(people, nested, expression)
