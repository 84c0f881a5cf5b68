"""The mail lists: static, nested across entities, cyclic, and dynamic by expression."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from testkit.ministry.names import slug
from testkit.ministry.people import OFFICERS, OPERATOR
from testkit.ministry.structure import Entity, Unit

_TEAM_SIZE: Final = 8
# Each has the other as a member.
CYCLIC_PAIRS: Final = (("e01", "e03"), ("e04", "e05"))


@dataclass(frozen=True, slots=True)
class Group:
    """A row of groups.csv; a member is "person:<id>", "group:<id>" or "address:<address>"."""

    group_id: str
    entity_id: str
    name: str
    addresses: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    expression: str = ""
    sender_group_ids: tuple[str, ...] = ()


def entity_groups(entity: Entity, units: Sequence[Unit], people: Sequence[str]) -> Iterator[Group]:
    """The lists of one entity: everybody, its officers, its professions, each service, and teams.

    Everybody may be written to by the officers only. A list of a unit that has units below nests theirs.
    """
    own, name = entity.entity_id, entity.name
    officers = f"g-{own}-direcao"

    def group(
        local: str, title: str, members: tuple[str, ...] = (), expression: str = "", senders: tuple[str, ...] = ()
    ) -> Group:
        addresses = (f"{local}@{entity.domains[0]}",)
        return Group(f"g-{own}-{local}", own, f"{title}, {name}", addresses, members, expression, senders)

    yield group("direcao", "Direção", members=_static(people[: len(OFFICERS)]))
    yield group("todos", "Todos", expression=f'entity = "{own}"', senders=(officers,))
    if entity.clinical:
        for profession, local, title in (("nurse", "enfermagem", "Enfermagem"), ("doctor", "medicos", "Médicos")):
            yield group(local, title, expression=f'entity = "{own}" and profession = "{profession}"')
    for unit in units:
        below = [other for other in units if other.parent_unit_id == unit.unit_id]
        nested = tuple(f"group:g-{own}-{slug(other.name)}" for other in below)
        yield group(slug(unit.name), unit.name, nested, "" if nested else f'unit = "{unit.unit_id}"')
    for start in range(0, len(people), _TEAM_SIZE):
        number = start // _TEAM_SIZE + 1
        yield group(f"equipa-{number:03}", f"Equipa {number}", members=_static(people[start : start + _TEAM_SIZE]))
    yield group("parceiros", "Parceiros", members=(*_static(people[:1]), f"address:parceiro-{own}@fora.example"))


def ministry_groups(entities: Sequence[Entity]) -> Iterator[Group]:
    """The lists that cross entities; SPMS keeps those of the whole ministry."""
    by_id = {entity.entity_id: entity for entity in entities}

    def group(
        own: str,
        local: str,
        name: str,
        members: tuple[str, ...] = (),
        expression: str = "",
        senders: tuple[str, ...] = (),
    ) -> Group:
        addresses = (f"{local}@{by_id[own].domains[0]}",)
        return Group(f"g-{local}", own, name, addresses, members, expression, senders)

    clinical = [entity.entity_id for entity in entities if entity.clinical]
    everywhere = tuple(f"group:g-{entity.entity_id}-direcao" for entity in entities)
    legacy = tuple(f"group:g-{entity.entity_id}-todos" for entity in entities if entity.kind == "legacy")
    nurses = tuple(f"group:g-{own}-enfermagem" for own in clinical)
    yield group(OPERATOR, "direcoes", "Direções de todas as entidades", members=everywhere)
    yield group(OPERATOR, "ministerio", "Todo o Ministério", expression="all", senders=("g-direcoes",))
    yield group(OPERATOR, "enfermagem-sns", "Enfermagem do SNS", members=nurses)
    yield group(OPERATOR, "legado", "Entidades extintas", members=legacy)
    yield group(
        OPERATOR,
        "clinicos-fora-das-direcoes",
        "Clínicos fora das direções",
        expression='profession in ("nurse", "doctor") and not group = "g-direcoes"',
    )
    for one, other in CYCLIC_PAIRS:
        for own, partner in ((one, other), (other, one)):
            members = (f"group:g-{own}-direcao", f"group:g-ciclo-{partner}", f"address:ciclo-{own}@fora.example")
            yield group(own, f"ciclo-{own}", f"Articulação com {by_id[partner].name}", members=members)


def _static(people: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"person:{person}" for person in people)
