"""The ministry as CSV files."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

from testkit.ministry.groups import Group
from testkit.ministry.people import Person
from testkit.ministry.structure import Entity
from testkit.ministry.whole import Ministry


def write_csv(folder: Path, people: int = 1200, seed: int = 1) -> Ministry:
    """Writes entities.csv, units.csv, people.csv and groups.csv, as docs/reference/csv.md describes them."""
    ministry = Ministry(people, seed)
    folder.mkdir(parents=True, exist_ok=True)
    heads = ("entity_id", "name", "kind", "domains", "catch_all_person_id")
    _write(folder / "entities.csv", heads, (_entity_row(ministry, entity) for entity in ministry.entities))
    unit_rows = ((unit.unit_id, unit.entity_id, unit.name, unit.parent_unit_id) for unit in ministry.units())
    _write(folder / "units.csv", ("unit_id", "entity_id", "name", "parent_unit_id"), unit_rows)
    _write(folder / "people.csv", _columns(Person), map(_row, ministry.people()))
    _write(folder / "groups.csv", _columns(Group), map(_row, ministry.groups()))
    return ministry


def _entity_row(ministry: Ministry, entity: Entity) -> tuple[str, ...]:
    return (entity.entity_id, entity.name, entity.kind, " ".join(entity.domains), ministry.catch_all(entity))


def _columns(table: type[Person] | type[Group]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(table))


def _row(item: Person | Group) -> Iterator[str]:
    for name in item.__slots__:
        value = getattr(item, name)
        yield " ".join(value) if isinstance(value, tuple) else value


def _write(path: Path, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
