"""The CSV files of an import: from bytes to rows, from rows to records. docs/reference/csv.md is the reference."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from directory.domain.records import Directory, Entity, Group, Person, Record, Unit

# The longest cell is the members of a large group; csv's own limit is a setting of the process.
_LONGEST_CELL: Final = 4 * 2**20
csv.field_size_limit(_LONGEST_CELL)


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with one line of one file; line 0 is the file as a whole, 1 the header."""

    table: str
    line: int
    column: str
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one line by their columns; only those that the file has."""

    table: str
    line: int
    cells: Mapping[str, str]

    def error(self, column: str, message: str) -> RowError:
        return RowError(self.table, self.line, column, message)


def rows(table: str, data: bytes) -> Iterator[Row | RowError]:
    """The lines of a file, empty ones left out; after an error of the file as a whole nothing follows."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield RowError(table, data.count(b"\n", 0, error.start) + 1, "", "is not UTF-8")
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, None)
        wrong = list(_header_errors(table, header))
        yield from wrong
        if wrong or header is None:
            return
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) == len(header):
                yield Row(table, line, dict(zip(header, map(str.strip, cells), strict=True)))
            elif cells:
                yield RowError(table, line, "", f"has {len(cells)} cells where the header has {len(header)}")
            line = reader.line_num + 1
    except csv.Error as error:
        yield RowError(table, reader.line_num, "", f"is not CSV: {error}")


def record_of(row: Row, directory: Directory) -> Record | RowError:
    """The record that a row says: what is kept already, with the row's columns in place of what they were."""
    key = _TABLES[row.table].key
    if not row.cells[key]:
        return row.error(key, "is missing")
    changes: dict[str, Any] = {}
    for column, cell in row.cells.items():
        try:
            changes |= _TABLES[row.table].columns[column](cell)
        except ValueError as error:
            return row.error(column, str(error))
    return replace(_TABLES[row.table].kept(directory, row.cells[key]), **changes)


def _header_errors(table: str, header: list[str] | None) -> Iterator[RowError]:
    known = _TABLES[table]
    if header is None or known.key not in header:
        yield RowError(table, 1, known.key, "there is no such column, and it is needed")
        return
    for column in header:
        if column not in known.columns:
            yield RowError(table, 1, column, f"there is no such column; there are {', '.join(known.columns)}")
    if len(set(header)) < len(header):
        yield RowError(table, 1, "", "a column is there twice")


Column = Callable[[str], dict[str, Any]]
"""From a cell to the fields that it sets; ValueError says what is wrong with it."""


def _text(name: str) -> Column:
    return lambda cell: {name: cell}


def _names(name: str) -> Column:
    """Addresses or domains in their order, in lower case."""
    return lambda cell: {name: tuple(cell.lower().split())}


def _set(name: str) -> Column:
    return lambda cell: {name: tuple(sorted(set(cell.split())))}


def _choice(name: str, choices: Mapping[str, bool]) -> Column:
    def column(cell: str) -> dict[str, Any]:
        if cell not in choices:
            raise ValueError(f"{cell!r} is none of {', '.join(filter(None, choices))}")
        return {name: choices[cell]}

    return column


def _members(cell: str) -> dict[str, Any]:
    found: dict[str, set[str]] = {"person": set(), "group": set(), "address": set()}
    for word in cell.split():
        kind, _, value = word.partition(":")
        if kind not in found or not value:
            raise ValueError(f"{word!r} does not begin with person:, group: or address:")
        found[kind].add(value.lower() if kind == "address" else value)
    return {
        "people": tuple(sorted(found["person"])),
        "groups": tuple(sorted(found["group"])),
        "external": tuple(sorted(found["address"])),
    }


def _people_or_groups(name: str) -> Column:
    def column(cell: str) -> dict[str, Any]:
        named = cell.split()
        for word in named:
            if not word.startswith(("person:", "group:")):
                raise ValueError(f"{word!r} does not begin with person: or group:")
        return {name: tuple(sorted(set(named)))}

    return column


@dataclass(frozen=True, slots=True)
class _Table:
    key: str
    columns: Mapping[str, Column]
    kept: Callable[[Directory, str], Record]
    """What is kept under an id, or a record with nothing but the id."""


def _texts(*names: str) -> dict[str, Column]:
    return {name: _text(name) for name in names}


_TABLES: Final = {
    "entities": _Table(
        "entity_id",
        {**_texts("entity_id", "name", "kind"), "domains": _names("domains"), **_texts("catch_all_person_id")},
        lambda directory, key: directory.entities.get(key) or Entity(key),
    ),
    "units": _Table(
        "unit_id",
        _texts("unit_id", "entity_id", "name", "parent_unit_id"),
        lambda directory, key: directory.units.get(key) or Unit(key),
    ),
    "people": _Table(
        "person_id",
        {
            **_texts("person_id", "entity_id", "unit_id", "given_name", "family_name"),
            "addresses": _names("addresses"),
            **_texts("profession", "locale", "mobile"),
            "roles": _set("roles"),
            "state": _choice("active", {"": True, "active": True, "left": False}),
        },
        lambda directory, key: directory.people.get(key) or Person(key),
    ),
    "groups": _Table(
        "group_id",
        {
            **_texts("group_id", "entity_id", "name"),
            "addresses": _names("addresses"),
            "members": _members,
            **_texts("expression"),
            "sender_group_ids": _set("sender_group_ids"),
            "moderators": _people_or_groups("moderators"),
            "unmoderated_senders": _people_or_groups("unmoderated_senders"),
            "removed": _choice("removed", {"": False, "no": False, "yes": True}),
        },
        lambda directory, key: directory.groups.get(key) or Group(key),
    ),
}
TABLES: Final = tuple(_TABLES)
"""In the order in which they are taken in: what comes later names what came before."""
