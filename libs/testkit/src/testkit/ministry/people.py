"""The people of one entity, made from a seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from testkit.ministry.names import FAMILY, GIVEN, MAIL_FORM, SECOND
from testkit.ministry.structure import Entity, Unit

# What the first people of every entity may do, so that each entity can run itself.
OFFICERS: Final = (
    ("directory.admin", "news.editor"),
    ("news.approver", "mail.admin"),
    ("governance.auditor",),
)
# The entity that runs the suite for all others, and those of its people who may act for all.
OPERATOR: Final = "e53"
_MINISTRY_ADMINS: Final = (0, 2)


@dataclass(frozen=True, slots=True)
class Person:
    """A row of people.csv."""

    person_id: str
    entity_id: str
    unit_id: str
    given_name: str
    family_name: str
    addresses: tuple[str, ...]
    profession: str
    locale: str
    mobile: str
    roles: tuple[str, ...]


def people(
    entity: Entity, units: Sequence[Unit], professions: Sequence[str], first_number: int, seed: int
) -> Iterator[Person]:
    """One person for each of `professions`, numbered from `first_number`.

    Mobiles begin with +351 90, which no operator has been given.
    """
    random = Random(f"{seed}:{entity.entity_id}")
    parents = {unit.parent_unit_id for unit in units}
    services = [unit for unit in units if unit.unit_id not in parents]
    taken: dict[str, int] = {}
    for index, profession in enumerate(professions):
        number = first_number + index
        given, families = random.choice(GIVEN), random.sample(FAMILY, 2)
        local = f"{MAIL_FORM[given]}.{MAIL_FORM[families[1]]}"
        taken[local] = namesakes = taken.get(local, 0) + 1
        yield Person(
            person_id=f"p{number:06}",
            entity_id=entity.entity_id,
            unit_id=services[random.randrange(len(services))].unit_id,
            given_name=given + random.choice(SECOND),
            family_name=" ".join(families),
            addresses=_addresses(entity, local if namesakes == 1 else f"{local}{namesakes}", number),
            profession=profession,
            locale="en-GB" if random.random() < 0.02 else "",
            mobile=f"+35190{random.randrange(10**7):07}" if random.random() < 0.9 else "",
            roles=_roles(entity, index, profession),
        )


def _addresses(entity: Entity, local: str, number: int) -> tuple[str, ...]:
    """The primary address, the same at the entity's second domain, and for one in five the staff number."""
    primary, second = entity.domains
    addresses = (f"{local}@{primary}", f"{local}@{second}")
    return (*addresses, f"n{number:06}@{primary}") if number % 5 == 0 else addresses


def _roles(entity: Entity, index: int, profession: str) -> tuple[str, ...]:
    roles = OFFICERS[index] if index < len(OFFICERS) else ()
    if entity.entity_id == OPERATOR and index in _MINISTRY_ADMINS:
        roles = (*roles, "ministry.admin")
    if entity.clinical and profession == "doctor":
        roles = (*roles, "prescriber")
    return roles
