"""The entities and their units: real names and head counts, made-up parts and domains."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from testkit.ministry.names import slug

_CLINICAL: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "Hospital": {
        "Departamento de Medicina": (
            "Medicina Interna",
            "Cardiologia",
            "Neurologia",
            "Oncologia Médica",
            "Pneumologia",
        ),
        "Departamento de Cirurgia": ("Cirurgia Geral", "Ortopedia", "Urologia", "Bloco Operatório"),
        "Departamento da Mulher e da Criança": ("Obstetrícia", "Pediatria", "Neonatologia"),
        "Departamento de Urgência": ("Urgência Geral", "Medicina Intensiva"),
    },
    "Cuidados de Saúde Primários": {
        "Unidades de Saúde Familiar": ("USF da Praça", "USF do Jardim", "USF da Ribeira"),
        "Saúde Pública": ("Vigilância Epidemiológica",),
    },
    "Serviços de Apoio": {
        "Administração": ("Recursos Humanos", "Serviços Financeiros", "Compras"),
        "Sistemas": ("Sistemas de Informação",),
    },
}
_CENTRAL: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "Conselho Diretivo": {"Gabinete": ("Assessoria", "Comunicação")},
    "Direção de Serviços": {
        "Operações": ("Planeamento", "Auditoria", "Jurídico"),
        "Recursos": ("Recursos Humanos", "Serviços Financeiros", "Sistemas de Informação"),
    },
}
_CLINICAL_KINDS: Final = frozenset({"ULS", "hospital", "hospital-ppp"})
# A service of a small ministry still has about so many people.
_PEOPLE_PER_SERVICE: Final = 6


@dataclass(frozen=True, slots=True)
class Entity:
    """One organisation with its staff of the real head count; columns of entities.csv but for `staff`."""

    entity_id: str
    name: str
    kind: str
    staff: int
    domains: tuple[str, ...]

    @property
    def clinical(self) -> bool:
        return self.kind in _CLINICAL_KINDS


@dataclass(frozen=True, slots=True)
class Unit:
    unit_id: str
    entity_id: str
    name: str
    parent_unit_id: str
    depth: int


def entities() -> tuple[Entity, ...]:
    """The 62 entities in the order of their ids."""
    with files("testkit.ministry").joinpath("entities.csv").open(encoding="utf-8") as source:
        return tuple(_entity(row) for row in csv.DictReader(source))


def units(entity: Entity, people: int) -> Iterator[Unit]:
    """The units of an entity with so many people, each after the unit above it, three levels deep."""
    count = 0
    services_left = max(1, people // _PEOPLE_PER_SERVICE)

    def unit(name: str, parent: str, depth: int) -> Unit:
        nonlocal count
        count += 1
        return Unit(f"u-{entity.entity_id}-{count:02}", entity.entity_id, name, parent, depth)

    for top_name, departments in (_CLINICAL if entity.clinical else _CENTRAL).items():
        if services_left == 0:
            return
        top = unit(top_name, "", 0)
        yield top
        for department_name, services in departments.items():
            if services_left == 0:
                break
            department = unit(department_name, top.unit_id, 1)
            yield department
            for service in services[:services_left]:
                yield unit(service, department.unit_id, 2)
            services_left -= min(services_left, len(services))


def _entity(row: dict[str, str]) -> Entity:
    label = slug(re.sub(r"^ULS de |\(.*\)| do Ministério da Saúde$", "", row["name"])).replace("-", "")
    second = "uls" if row["kind"] == "ULS" else "saude"
    return Entity(
        entity_id=row["slug"],
        name=row["name"],
        kind=row["kind"],
        staff=int(row["synthetic_staff"]),
        domains=(f"{label}.min-saude.example", f"{label}.{second}.example"),
    )
