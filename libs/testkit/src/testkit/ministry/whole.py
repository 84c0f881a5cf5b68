"""The ministry as a whole: how many people each entity and each profession has."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import Final

from testkit.ministry.groups import Group, entity_groups, ministry_groups
from testkit.ministry.people import OFFICERS, Person, people
from testkit.ministry.structure import Entity, Unit, entities, units

# How many people of each profession the ministry has.
PROFESSIONS: Final = {
    "nurse": 43_241,
    "doctor": 27_567,
    "operational-assistant": 25_677,
    "technical-assistant": 15_350,
    "other": 14_848,
}
FULL_SIZE: Final = 126_683
# Entities without patients have mostly office staff; in the order of PROFESSIONS.
_OFFICE_SHARES: Final = (5, 10, 5, 30, 50)
_FEWEST: Final = len(OFFICERS)
# So many entities have a mailbox for whatever nobody else takes.
_CATCH_ALL_EVERY: Final = 10


class Ministry:
    """The ministry with `size` people, made as it is read: no table is held whole.

    Raises:
        ValueError: `size` is more than the real ministry has, or leaves an entity without its officers.
    """

    def __init__(self, size: int = 1200, seed: int = 1) -> None:
        self.entities: Final = entities()
        if not _FEWEST * len(self.entities) <= size <= FULL_SIZE:
            raise ValueError(f"size is {size}; it must be {_FEWEST * len(self.entities)} to {FULL_SIZE}")
        self.size: Final = size
        self._seed: Final = seed
        spread = apportion(size - _FEWEST * len(self.entities), [entity.staff - _FEWEST for entity in self.entities])
        self._staff: Final = [_FEWEST + extra for extra in spread]
        self._first: Final = [1, *accumulate(self._staff, initial=1)][1:]

    def units(self) -> Iterator[Unit]:
        for entity, staff in zip(self.entities, self._staff, strict=True):
            yield from units(entity, staff)

    def people(self) -> Iterator[Person]:
        """Everybody, entity by entity; the first three of each entity are its officers."""
        professions = self._professions()
        for entity, staff, first in zip(self.entities, self._staff, self._first, strict=False):
            yield from people(entity, tuple(units(entity, staff)), professions[entity.entity_id], first, self._seed)

    def groups(self) -> Iterator[Group]:
        for entity, staff, first in zip(self.entities, self._staff, self._first, strict=False):
            members = [f"p{number:06}" for number in range(first, first + staff)]
            yield from entity_groups(entity, tuple(units(entity, staff)), members)
        yield from ministry_groups(self.entities)

    def catch_all(self, entity: Entity) -> str:
        """The id of the person whose mailbox takes the entity's mail for unknown local parts, or ""."""
        index = self.entities.index(entity)
        return f"p{self._first[index]:06}" if index % _CATCH_ALL_EVERY == 0 else ""

    def _professions(self) -> dict[str, list[str]]:
        """Who does what: one profession for each person of each entity, exact in both sums."""
        random = Random(self._seed)
        left = apportion(self.size, list(PROFESSIONS.values()))
        office = {}
        for entity, staff in zip(self.entities, self._staff, strict=True):
            if not entity.clinical:
                office[entity.entity_id] = _deal(apportion(staff, _OFFICE_SHARES), left, random)
        clinical = _deal(left.copy(), left, random)
        dealt = {}
        start = 0
        for entity, staff in zip(self.entities, self._staff, strict=True):
            if entity.clinical:
                dealt[entity.entity_id] = clinical[start : start + staff]
                start += staff
        return office | dealt


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in whole parts in proportion to `weights`, by the largest remainder."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-(total * weights[index] % whole), index))
    for index in by_remainder[: total - sum(parts)]:
        parts[index] += 1
    return parts


def _deal(wanted: Sequence[int], left: list[int], random: Random) -> list[str]:
    """A shuffled hand with so many of each profession, taken out of `left`; what is short is made up from the most."""
    hand: list[str] = []
    for index, profession in enumerate(PROFESSIONS):
        count = min(wanted[index], left[index])
        left[index] -= count
        hand += [profession] * count
    for _ in range(sum(wanted) - len(hand)):
        most = left.index(max(left))
        left[most] -= 1
        hand.append(list(PROFESSIONS)[most])
    random.shuffle(hand)
    return hand
