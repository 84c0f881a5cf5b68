"""Imports thought through: what changes, what is refused and by which line, and that nothing else happens."""

import csv
import io
from dataclasses import replace

import pytest
from directory.domain import relations, shapes
from directory.domain.plan import Options, Plan, plan
from directory.domain.records import Directory, Entity, Group, Person, Unit
from directory.domain.rights import Rights
from hypothesis import given, settings
from hypothesis import strategies as st

MINISTRY = Rights("", of_ministry=True)
OF_E1 = Rights("e1", of_ministry=False)

KEPT = Directory.of(
    [
        Entity("e1", "Um", "ULS", ("um.example", "old.example"), version=1),
        Entity("e2", "Dois", "ULS", ("dois.example",), version=3),
        Unit("u1", "e1", "Hospital", version=1),
        Unit("u2", "e1", "Cardiologia", "u1", version=1),
        Unit("v1", "e2", "Hospital", version=1),
        Person("p1", "e1", "u2", "Ana", "Silva", ("ana@um.example",), "nurse", number=1, version=2),
        Person("p2", "e1", "", "Rui", "Costa", ("rui@um.example", "r@old.example"), "doctor", number=2, version=1),
        Person("p3", "e2", "v1", "Eva", "Reis", ("eva@dois.example",), "other", number=3, version=1),
        Person("p4", "e1", "", "Zé", "Lima", ("ze@um.example",), "other", active=False, number=4, version=2),
        Group("g1", "e1", "Todos", ("todos@um.example",), people=("p1",), expression='entity = "e1"', version=1),
        Group("g2", "e2", "Fora", groups=("g1",), removed=True, version=2),
    ]
)

ENTITIES = "entity_id,name,kind,domains,catch_all_person_id\n"
UNITS = "unit_id,entity_id,name,parent_unit_id\n"
PEOPLE = "person_id,entity_id,unit_id,given_name,family_name,addresses,profession,locale,mobile,roles\n"
GROUPS = "group_id,entity_id,name,addresses,members,expression,sender_group_ids\n"
MODERATED = "group_id,entity_id,name,addresses,moderators,unmoderated_senders\n"
P1 = "p1,e1,u2,Ana,Silva,ana@um.example,nurse,,,\n"
P2 = "p2,e1,,Rui,Costa,rui@um.example r@old.example,doctor,,,\n"
P3 = "p3,e2,v1,Eva,Reis,eva@dois.example,other,,,\n"


def planned(
    files: dict[str, str] | str, rights: Rights = MINISTRY, *, kept: Directory = KEPT, options: Options | None = None
) -> Plan:
    """A file alone is that of the people."""
    tables = {"people": files} if isinstance(files, str) else files
    return plan(kept, {table: text.encode() for table, text in tables.items()}, rights, options or Options())


def after(kept: Directory, thought: Plan) -> Directory:
    """What is kept when the plan was carried out."""
    directory = kept.copy()
    numbers = max([person.number for person in kept.people.values()], default=0)
    for change in thought.changes:
        record = replace(change.record, version=change.record.version + 1)
        if isinstance(record, Person) and record.number == 0:
            numbers += 1
            record = replace(record, number=numbers)
        directory.put(record)
    return directory


def errors(thought: Plan) -> str:
    """table:line:column of each."""
    return " ".join(f"{error.table}:{error.line}:{error.column}" for error in thought.errors)


def test_what_is_as_the_files_say_is_not_changed() -> None:
    thought = planned(PEOPLE + P1 + P2 + P3)
    assert (thought.errors, thought.changes) == ([], [])
    assert thought.differences == {"people": {"same": 3}}


def test_each_table_tells_what_is_added_changed_and_left() -> None:
    columns = PEOPLE.replace("roles", "roles,state")
    ivo = "p5,e3,,Ivo,Melo,ivo@tres.example,other,en-GB,+351900000000,prescriber,\n"
    files = {
        "entities": ENTITIES + "e3,Três,central,tres.example,p5\n",
        "units": UNITS + "u2,e1,Neurologia,u1\n",
        "people": columns + ivo + "p2,e1,,Rui,Costa,rui@um.example,doctor,,,,left\n",
    }
    thought = planned(files, options=Options(max_leave_ratio=1))
    assert thought.errors == []
    assert thought.differences == {"entities": {"added": 1}, "units": {"changed": 1}, "people": {"added": 1, "left": 1}}
    assert [change.record.key for change in thought.changes] == ["entity/e3", "unit/u2", "person/p2", "person/p5"]


def test_a_column_that_the_file_lacks_stays_as_it_is() -> None:
    thought = planned("person_id,mobile\np2,+351901234567\n")
    (change,) = thought.changes
    assert change.record == replace(KEPT.people["p2"], mobile="+351901234567")


def test_a_list_has_people_and_groups_as_moderators() -> None:
    thought = planned({"groups": MODERATED + "g1,e1,Todos,todos@um.example,person:p2 person:p1 group:g1,person:p3\n"})
    assert thought.errors == []
    (change,) = thought.changes
    moderators = ("group:g1", "person:p1", "person:p2")
    assert change.record == replace(KEPT.groups["g1"], moderators=moderators, unmoderated_senders=("person:p3",))


def test_order_and_repetition_of_what_is_a_set_are_no_change() -> None:
    kept = after(KEPT, planned({"groups": GROUPS + "g3,e1,Três,,person:p2 group:g1 person:p1,,\n"}))
    thought = planned({"groups": GROUPS + "g3,e1,Três,,person:p1 person:p1 person:p2 group:g1,,\n"}, kept=kept)
    assert (thought.errors, thought.changes) == ([], [])


_BAD: dict[str, tuple[dict[str, str] | str, str]] = {
    "empty": ("", "people:1:person_id"),
    "unknown column": ("person_id,shoe\np1,44\n", "people:1:shoe"),
    "column twice": ("person_id,person_id\n", "people:1:"),
    "no id column": ("name\nAna\n", "people:1:person_id"),
    "cells missing": (PEOPLE + P1 + "\n\np9,e1\n", "people:5:"),
    "no id": (PEOPLE + P1 + ",e1,,A,B,a@um.example,other,,,\n", "people:3:person_id"),
    "quote without end": (PEOPLE + '"p1,e1\n', "people:2:"),
    "same person twice": (PEOPLE + P1 + P2 + P1, "people:4:"),
    "line numbers after a cell of two lines": (
        PEOPLE + '"p7\n7",e1,,A,B,a@um.example,other,,,\n' + "p8,e9,,A,B,b@um.example,other,,,\n",
        "people:2:person_id people:4:entity_id",
    ),
    "shapes": (
        PEOPLE + "p5,e1,v1,Ivo,,Ivo@dois.example,nurze,p,91,a..b\n",
        "people:2:family_name people:2:profession people:2:locale people:2:mobile people:2:roles",
    ),
    "unit and domain of another entity": (
        PEOPLE + "p5,e1,v1,Ivo,Melo,ivo@dois.example,nurse,,,\n",
        "people:2:unit_id people:2:addresses",
    ),
    "state": ("person_id,state\np1,maybe\n", "people:2:state"),
    "units in a circle": ({"units": UNITS + "u1,e1,Hospital,u2\n"}, "units:2:parent_unit_id"),
    "parent elsewhere": ({"units": UNITS + "u9,e1,Novo,v1\n"}, "units:2:parent_unit_id"),
    "unit leaves its people behind": ({"units": UNITS + "u2,e2,Cardiologia,v1\n"}, "units:2:"),
    "domain leaves its people behind": ({"entities": ENTITIES + "e1,Um,ULS,um.example,\n"}, "entities:2:"),
    "catch-all of another entity": (
        {"entities": ENTITIES + "e1,Um,ULS,um.example old.example,p3\n"},
        "entities:2:catch_all_person_id",
    ),
    "domain taken": ({"entities": ENTITIES + "e3,Três,ULS,dois.example,\n"}, "entities:2:domains"),
    "not a domain": ({"entities": ENTITIES + "e3,Três,ULS,no_dots,\n"}, "entities:2:domains"),
    "members that are not there": (
        {"groups": GROUPS + "g5,e1,Cinco,,person:p9 group:g2 address:x@dois.example,,g9\n"},
        "groups:2:members groups:2:members groups:2:members groups:2:sender_group_ids",
    ),
    "moderators that are not there": (
        {"groups": MODERATED + "g5,e1,Cinco,cinco@um.example,person:p9 group:g2,group:g9\n"},
        "groups:2:moderators groups:2:moderators groups:2:unmoderated_senders",
    ),
    "moderators of no list": ({"groups": MODERATED + "g5,e1,Cinco,,person:p1,\n"}, "groups:2:moderators"),
    "senders excepted from nothing": (
        {"groups": MODERATED + "g5,e1,Cinco,cinco@um.example,,person:p1\n"},
        "groups:2:unmoderated_senders",
    ),
    "kind of moderator": ({"groups": MODERATED + "g5,e1,Cinco,,address:x@far.example,\n"}, "groups:2:moderators"),
    "kind of member": ({"groups": GROUPS + "g5,e1,Cinco,,robot:r2,,\n"}, "groups:2:members"),
    "expression about what is not there": (
        {"groups": GROUPS + 'g5,e1,Cinco,,,"unit = ""u9"" or group = ""g2""",\n'},
        "groups:2:expression groups:2:expression",
    ),
    "expression": ({"groups": GROUPS + "g5,e1,Cinco,,,shoe = 44,\n"}, "groups:2:expression"),
    "address of a list": (PEOPLE + "p5,e1,,Ivo,Melo,todos@um.example,nurse,,,\n", "people:2:addresses"),
}


@pytest.mark.parametrize("case", _BAD)
def test_a_bad_row_is_named_by_line_and_column(case: str) -> None:
    files, expected = _BAD[case]
    assert errors(planned(files)) == expected


def test_an_address_of_two_rows_is_named_by_both_lines() -> None:
    thought = planned(PEOPLE + P1 + P2 + "p5,e1,,Ivo,Melo,rui@um.example,nurse,,,\n")
    (error,) = thought.errors
    assert (error.line, error.column) == (4, "addresses")
    assert "person p2, line 3 of people" in error.message


def test_bytes_that_are_no_utf8_are_named_by_line() -> None:
    thought = plan(KEPT, {"people": PEOPLE.encode() + P1.encode() + b"p5,e1,,Jo\xe3o,"}, MINISTRY, Options())
    assert errors(thought) == "people:3:"


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    assert planned("\ufeff" + PEOPLE + P1).errors == []


def test_who_is_not_in_a_full_file_leaves_but_not_in_other_entities() -> None:
    thought = planned(PEOPLE + P1, options=Options(full=True, max_leave_ratio=0.5))
    assert thought.errors == []
    assert thought.differences == {"people": {"same": 1, "left": 1}}
    (change,) = thought.changes
    assert change.record == replace(KEPT.people["p2"], active=False)


def test_an_import_that_would_send_too_many_home_stops() -> None:
    thought = planned(PEOPLE + P1, options=Options(full=True, max_leave_ratio=0.49))
    (error,) = thought.errors
    assert (error.table, error.line) == ("people", 0)
    assert "1 of 2 people would leave" in error.message


def test_whoever_comes_from_another_entity_does_not_make_that_one_an_imported_one() -> None:
    mover = "p3,e1,u2,Eva,Reis,eva@um.example,other,,,\n"
    kept = Directory.of([*KEPT.records(), replace(KEPT.people["p3"], person_id="p6", addresses=(), number=6)])
    thought = planned(PEOPLE + P1 + P2 + mover, kept=kept, options=Options(full=True))
    assert thought.errors == []
    assert [change.record.key for change in thought.changes] == ["person/p3"]


def test_addresses_that_change_hands_are_given_free_first() -> None:
    swapped = P1.replace("ana@", "rui@") + P2.replace("rui@", "ana@")
    thought = planned(PEOPLE + swapped)
    assert thought.errors == []
    assert [(moved.kept.key, set(moved.names)) for moved in thought.moved] == [
        ("person/p1", {"ana@um.example"}),
        ("person/p2", {"rui@um.example"}),
    ]


def test_the_address_of_somebody_who_left_may_be_given_again() -> None:
    thought = planned(PEOPLE + "p5,e1,,Zeca,Dias,ze@um.example,nurse,,,\n")
    assert (thought.errors, thought.moved) == ([], [])


def test_who_comes_back_keeps_the_number() -> None:
    (change,) = planned("person_id,state\np4,active\n").changes
    assert change.record == replace(KEPT.people["p4"], active=True)


_BY_E1: dict[str, tuple[dict[str, str] | str, str]] = {
    "unchanged rows of others pass": (PEOPLE + P3, ""),
    "own people": ("person_id,mobile\np1,+351900000001\n", ""),
    "others' people": ("person_id,mobile\np3,+351900000001\n", "people:2:entity_id"),
    "taking people in": (PEOPLE + "p3,e1,,Eva,Reis,eva@um.example,other,,,\n", "people:2:entity_id"),
    "acting for all": ("person_id,roles\np1,ministry.admin\n", "people:2:roles"),
    "acting for the own entity": ("person_id,roles\np1,directory.admin\n", ""),
    "entities": ({"entities": "entity_id,name\ne1,Outro\n"}, "entities:2:entity_id"),
    "others' units": ({"units": UNITS + "v2,e2,Novo,\n"}, "units:2:entity_id"),
    "others' groups": ({"groups": "group_id,name\ng2,Outro\n"}, "groups:2:entity_id"),
}


@pytest.mark.parametrize("case", _BY_E1)
def test_an_entity_changes_its_own_only(case: str) -> None:
    files, expected = _BY_E1[case]
    assert errors(planned(files, OF_E1)) == expected


_ADDRESSES = st.sampled_from(["a@um.example", "ana@um.example", "b@dois.example", "r@old.example"])
_ROWS = st.fixed_dictionaries(
    {
        "person_id": st.sampled_from(["p1", "p2", "p3", "p4", "p5", "p6"]),
        "entity_id": st.sampled_from(["e1", "e2"]),
        "unit_id": st.sampled_from(["", "u1", "u2", "v1"]),
        "given_name": st.sampled_from(["Ana", "Zé"]),
        "family_name": st.just("Melo"),
        "addresses": st.lists(
            st.sampled_from(["a@um.example", "ana@um.example", "b@dois.example", "r@old.example"]),
            max_size=2,
            unique=True,
        ).map(" ".join),
        "profession": st.sampled_from(shapes.PROFESSIONS),
        "state": st.sampled_from(["active", "active", "left"]),
    }
)


@settings(deadline=None, max_examples=200)
@given(st.lists(_ROWS, max_size=5, unique_by=lambda row: row["person_id"]), st.booleans())
def test_an_import_that_is_not_refused_leaves_all_right_and_done_again_nothing_to_do(
    rows: list[dict[str, str]], full: bool
) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["person_id"])
    writer.writeheader()
    writer.writerows(rows)
    options = Options(full=full, max_leave_ratio=1)
    thought = planned(text.getvalue(), options=options)
    if thought.errors:
        return
    now = after(KEPT, thought)
    assert planned(text.getvalue(), kept=now, options=options).changes == []
    names = [name for record in now.records() for name in record.claims]
    assert len(names) == len(set(names))
    assert not [problem for record in now.records() for problem in relations.problems(record, now)]
    assert {person_id: person.number for person_id, person in KEPT.people.items()}.items() <= {
        person_id: person.number for person_id, person in now.people.items()
    }.items()
