"""What an import would change, and why it may not: a pure difference of what is kept and what the files say."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from directory.domain import relations, shapes
from directory.domain.records import Directory, Entity, Group, Person, Record, Unit
from directory.domain.rights import Rights
from directory.domain.tables import TABLES, Row, RowError, record_of, rows

_DEFAULT_LEAVE_RATIO: Final = 0.05


@dataclass(frozen=True, slots=True)
class Options:
    """How an import is to be done."""

    full: bool = False
    """People of the imported entities who are not in the files leave."""
    max_leave_ratio: float = 0.0
    """The largest share of those people who may leave; 0: 0.05."""


@dataclass(frozen=True, slots=True)
class Change:
    """`record` comes in the place of what is kept, if anything is."""

    record: Record
    kept: Record | None


Kind = Literal["added", "changed", "left", "same"]


def kind_of(change: Change) -> Kind:
    """What becomes of a record that changes."""
    if change.kept is None:
        return "added"
    return "left" if _gone(change.record) and not _gone(change.kept) else "changed"


class Moved(NamedTuple):
    """Addresses or domains that go from a record, as it is kept, to another one."""

    kept: Record
    names: frozenset[str]


@dataclass(slots=True)
class Plan:
    """An import that was thought through; it is carried out only when there are no errors."""

    differences: dict[str, Counter[Kind]] = field(default_factory=dict)
    """Table -> how many records."""
    errors: list[RowError] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    """Entities first, then units, people and groups; each in the order of its file."""
    moved: list[Moved] = field(default_factory=list)
    """Names that must be given free before their new owners can be written."""


def plan(kept: Directory, files: Mapping[str, bytes], rights: Rights, options: Options) -> Plan:
    """Thinks an import through.

    Args:
        kept: the whole directory as it is.
        files: table -> CSV.
        rights: of who imports; they matter for what changes.
        options: see there.
    """
    return _Planning(kept, rights, options).plan(files)


class _Planning:
    def __init__(self, kept: Directory, rights: Rights, options: Options) -> None:
        self._kept = kept
        self._next = kept.copy()
        self._rights = rights
        self._options = options
        self._rows: dict[str, Row] = {}
        """Record key -> where it stands in the files."""
        self._plan = Plan()

    def plan(self, files: Mapping[str, bytes]) -> Plan:
        for table in TABLES:
            if table in files:
                self._plan.differences[table] = Counter()
                self._read(table, files[table])
        if self._options.full and "people" in files and not self._plan.errors:
            self._leave()
        self._compare()
        self._check_names()
        self._check_others()
        self._check_leavers()
        self._plan.errors.sort(key=lambda error: (TABLES.index(error.table), error.line))
        return self._plan

    def _read(self, table: str, data: bytes) -> None:
        for row in rows(table, data):
            record = row if isinstance(row, RowError) else record_of(row, self._kept)
            if isinstance(record, RowError):
                self._plan.errors.append(record)
                continue
            assert isinstance(row, Row)
            first = self._rows.setdefault(record.key, row)
            if first is not row:
                self._plan.errors.append(row.error("", f"is about the same as line {first.line}"))
            self._next.put(record)

    def _leave(self) -> None:
        for person in self._known_people():
            if person.key not in self._rows:
                self._next.put(replace(person, active=False))

    def _compare(self) -> None:
        """Finds what changes, and what is wrong with it; what stays as it is needs no right."""
        for record in self._next.records():
            kept = _same_id(record, self._kept)
            if record == kept:
                if record.key in self._rows:
                    self._plan.differences[_table(record)]["same"] += 1
                continue
            change = Change(record, kept)
            self._plan.changes.append(change)
            self._plan.differences[_table(record)][kind_of(change)] += 1
            problems = [*shapes.problems(record), *self._rights.problems(record, kept)]
            # What has an odd shape has odd relations, too.
            self._report(record, problems or [*relations.problems(record, self._next)])

    def _check_names(self) -> None:
        """Addresses and domains that two records would have; and those that change hands."""
        owners: dict[str, Record] = {}
        changed = {change.record.key for change in self._plan.changes}
        given = sorted(self._next.records(), key=lambda record: record.key in changed)
        for record in given:
            for name in sorted(record.claims):
                owner = owners.setdefault(name, record)
                if owner is not record:
                    column = "domains" if isinstance(record, Entity) else "addresses"
                    self._report(record, [shapes.Problem(column, f"{name} is {self._whose(owner)}")])
        for change in self._plan.changes:
            if change.kept is not None:
                names = frozenset(name for name in change.kept.claims - change.record.claims if name in owners)
                self._plan.moved += [Moved(change.kept, names)] if names else []

    def _check_others(self) -> None:
        """Records that do not change, and that a changed entity or unit leaves without what they need."""
        entities, units = set[str](), set[str]()
        for change in self._plan.changes:
            match change:
                case Change(Entity() as entity, Entity() as kept) if set(kept.domains) - set(entity.domains):
                    entities.add(entity.entity_id)
                case Change(Unit() as unit, Unit() as kept) if kept.entity_id != unit.entity_id:
                    units.add(unit.unit_id)
        if not entities and not units:
            return
        for record in self._next.records():
            if record != _same_id(record, self._kept):
                continue
            for problem in relations.problems(record, self._next):
                cause = self._cause(record, entities, units)
                if cause is not None:
                    text = f"{record.key.replace('/', ' ')} would be left: {problem.column}: {problem.message}"
                    self._report(cause, [shapes.Problem("", text)])

    def _cause(self, record: Record, entities: set[str], units: set[str]) -> Record | None:
        unit_id = record.unit_id if isinstance(record, Person) else ""
        unit_id = record.parent_unit_id if isinstance(record, Unit) else unit_id
        if unit_id in units:
            return self._next.units[unit_id]
        return self._next.entities[record.entity_id] if record.entity_id in entities else None

    def _check_leavers(self) -> None:
        """The safety stop: a file that was cut off must not send half a hospital home."""
        known = list(self._known_people())
        leaving = sum(not self._next.people[person.person_id].active for person in known)
        ratio = self._options.max_leave_ratio or _DEFAULT_LEAVE_RATIO
        if leaving > ratio * len(known):
            text = f"{leaving} of {len(known)} people would leave, more than the share of {ratio:g} that may"
            self._plan.errors.append(RowError("people", 0, "", text))

    def _known_people(self) -> Iterator[Person]:
        """Those who work in the imported entities: the ones that the files of entities and people name."""
        imported = {row.cells["entity_id"] for row in self._rows.values() if row.table == "entities"}
        imported |= {
            self._next.people[row.cells["person_id"]].entity_id for row in self._rows.values() if row.table == "people"
        }
        return (person for person in self._kept.people.values() if person.active and person.entity_id in imported)

    def _report(self, record: Record, problems: list[shapes.Problem]) -> None:
        row = self._rows.get(record.key)
        for column, message in problems:
            if row is not None:
                self._plan.errors.append(row.error(column, message))
            else:
                text = f"{record.key.replace('/', ' ')}: {message}"
                self._plan.errors.append(RowError(_table(record), 0, column, text))

    def _whose(self, owner: Record) -> str:
        row = self._rows.get(owner.key)
        whose = owner.key.replace("/", " ")
        return f"that of {whose}, line {row.line} of {row.table}" if row else f"that of {whose}"


def _table(record: Record) -> str:
    match record:
        case Entity():
            return "entities"
        case Unit():
            return "units"
        case Person():
            return "people"
        case Group():
            return "groups"


def _same_id(record: Record, directory: Directory) -> Record | None:
    match record:
        case Entity():
            return directory.entities.get(record.entity_id)
        case Unit():
            return directory.units.get(record.unit_id)
        case Person():
            return directory.people.get(record.person_id)
        case Group():
            return directory.groups.get(record.group_id)


def _gone(record: Record) -> bool:
    return (isinstance(record, Person) and not record.active) or (isinstance(record, Group) and record.removed)
