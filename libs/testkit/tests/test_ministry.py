"""The synthetic ministry keeps the real one's sums, and gives the same bytes for the same seed."""

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest
from testkit import ministry


def _digest(folder: Path) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())]


@pytest.mark.slow
def test_at_full_size_every_sum_is_the_real_ones() -> None:
    whole = ministry.Ministry(ministry.FULL_SIZE)
    people = list(whole.people())
    assert len(people) == ministry.FULL_SIZE == sum(entity.staff for entity in whole.entities)
    assert Counter(person.profession for person in people) == ministry.PROFESSIONS
    by_entity = Counter(person.entity_id for person in people)
    assert {entity.entity_id: entity.staff for entity in whole.entities} == by_entity
    addresses = [a for person in people for a in person.addresses] + [a for g in whole.groups() for a in g.addresses]
    assert len(addresses) == len(set(addresses))


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        ministry.write_csv(tmp_path / name, seed=seed)
    assert _digest(tmp_path / "one") == _digest(tmp_path / "again")
    assert _digest(tmp_path / "one") != _digest(tmp_path / "two")


@pytest.mark.parametrize("size", [186, 1200, 5000])
def test_a_small_ministry_has_every_entity_and_its_officers(size: int) -> None:
    small = ministry.Ministry(size)
    people = list(small.people())
    assert len(people) == size
    for entity in small.entities:
        roles = {role for person in people if person.entity_id == entity.entity_id for role in person.roles}
        assert {"directory.admin", "news.editor", "news.approver", "mail.admin", "governance.auditor"} <= roles
    assert {p.entity_id for p in people if "ministry.admin" in p.roles} == {ministry.OPERATOR}


def test_nothing_of_it_reaches_anybody() -> None:
    small = ministry.Ministry()
    groups = list(small.groups())
    addresses = [a for person in small.people() for a in person.addresses]
    addresses += [a for group in groups for a in group.addresses]
    addresses += [m.removeprefix("address:") for group in groups for m in group.members if m.startswith("address:")]
    assert all(address.endswith(".example") for address in addresses)
    assert len(addresses) > small.size
    assert all(person.mobile == "" or person.mobile.startswith("+35190") for person in small.people())


def test_every_reference_leads_somewhere(tmp_path: Path) -> None:
    small = ministry.write_csv(tmp_path)
    tables = {}
    for path in tmp_path.iterdir():
        with path.open(encoding="utf-8") as source:
            tables[path.stem] = list(csv.DictReader(source))
    units = {row["unit_id"]: row for row in tables["units"]}
    known = {f"person:{row['person_id']}" for row in tables["people"]}
    known |= {f"group:{row['group_id']}" for row in tables["groups"]}
    assert all(units[row["unit_id"]]["entity_id"] == row["entity_id"] for row in tables["people"])
    assert all(row["parent_unit_id"] in {"", *units} for row in tables["units"])
    members = {member for row in tables["groups"] for member in row["members"].split()}
    assert {member for member in members if not member.startswith("address:")} <= known
    catch_alls = {small.catch_all(entity) for entity in small.entities} - {""}
    assert catch_alls
    assert {f"person:{person}" for person in catch_alls} <= known


def test_lists_nest_across_entities_and_in_a_circle() -> None:
    groups = {group.group_id: group for group in ministry.Ministry().groups()}
    assert "group:g-ciclo-e03" in groups["g-ciclo-e01"].members
    assert "group:g-ciclo-e01" in groups["g-ciclo-e03"].members
    assert len({groups[m.removeprefix("group:")].entity_id for m in groups["g-direcoes"].members}) == 62


@pytest.mark.parametrize("size", [185, ministry.FULL_SIZE + 1])
def test_a_size_that_cannot_be_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="186 to 126683"):
        ministry.Ministry(size)
