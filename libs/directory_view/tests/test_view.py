"""The view against a slow oracle that asks person by person, over directories of every shape."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from directory_view import Change, View, parse
from directory_view.audience import And, Everybody, Expression, Match, Not, Or, group_references
from errors import Invalid
from hypothesis import given, settings
from hypothesis import strategies as st
from rossio.directory.v1.directory_pb2 import (
    PERSON_STATE_ACTIVE,
    PERSON_STATE_LEFT,
    Entity,
    Group,
    Member,
    Person,
    Unit,
)
from rossio.directory.v1.events_pb2 import EntityChanged, GroupChanged, PersonChanged, UnitChanged
from testkit import ministry


@dataclass
class Directory:
    """The last word of the streams, as plain messages."""

    people: dict[str, Person] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)


class Oracle:
    """Answers about one person at a time, by the words of the documentation and without a bitmap."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    def holds(self, expression: Expression, person: Person) -> bool:
        return person.state == PERSON_STATE_ACTIVE and self._holds(expression, person, frozenset(), {}, negated=False)

    def in_group(self, group_id: str, person: Person) -> bool:
        if person.state != PERSON_STATE_ACTIVE or group_id not in self.directory.groups:
            return False
        circle = frozenset(other for other in self._reaches(group_id) if group_id in self._reaches(other)) | {group_id}
        inside = dict.fromkeys(circle, False)
        while True:
            grown = {other: inside[other] or self._says(other, person, circle, inside) for other in circle}
            if grown == inside:
                return inside[group_id]
            inside = grown

    def _says(self, group_id: str, person: Person, circle: frozenset[str], inside: dict[str, bool]) -> bool:
        group = self.directory.groups[group_id]
        for member in group.members:
            if member.person_id == person.person_id:
                return True
            if member.group_id and (
                inside[member.group_id] if member.group_id in circle else self.in_group(member.group_id, person)
            ):
                return True
        return bool(group.expression) and self._holds(parse(group.expression), person, circle, inside, negated=False)

    def _holds(
        self, expression: Expression, person: Person, circle: frozenset[str], inside: dict[str, bool], *, negated: bool
    ) -> bool:
        match expression:
            case Everybody():
                return True
            case Not(operand):
                return not self._holds(operand, person, circle, inside, negated=True)
            case And(operands):
                return all(self._holds(one, person, circle, inside, negated=negated) for one in operands)
            case Or(operands):
                return any(self._holds(one, person, circle, inside, negated=negated) for one in operands)
            case Match("group", values):
                return any(
                    inside[value] and not negated if value in circle else self.in_group(value, person)
                    for value in values
                )
            case Match("role", values):
                return bool(set(values) & set(person.roles))
            case Match("unit", values):
                return bool(set(values) & self._units_above(person.unit_id))
            case Match("locale", values):
                return (person.locale or "pt-PT") in values
            case Match(attribute, values):
                return (
                    getattr(person, {"person": "person_id", "entity": "entity_id"}.get(attribute, attribute)) in values
                )

    def _units_above(self, unit_id: str) -> set[str]:
        seen: set[str] = set()
        while unit_id and unit_id not in seen:
            seen.add(unit_id)
            unit = self.directory.units.get(unit_id)
            unit_id = unit.parent_unit_id if unit else ""
        return seen

    def _reaches(self, group_id: str) -> set[str]:
        seen: set[str] = set()
        waiting = [group_id]
        while waiting:
            group = self.directory.groups.get(waiting.pop())
            if group is None:
                continue
            named = {member.group_id for member in group.members if member.group_id}
            if group.expression:
                named |= {name for name, _ in group_references(parse(group.expression))}
            waiting += (named & self.directory.groups.keys()) - seen
            seen |= named & self.directory.groups.keys()
        return seen


_PEOPLE = [f"p{n}" for n in range(6)]
_ENTITIES = ["e0", "e1"]
_UNITS = ["u0", "u1", "u2", "u3"]
_GROUPS = ["g0", "g1", "g2", "g3", "g4"]
_VALUES = {
    "entity": _ENTITIES,
    "unit": _UNITS,
    "profession": ["nurse", "doctor"],
    "role": ["r0", "r1"],
    "locale": ["pt-PT", "en-GB"],
    "person": _PEOPLE,
    "group": [*_GROUPS, "nowhere"],
}


def _match(attribute: str) -> st.SearchStrategy[Expression]:
    values = st.sets(st.sampled_from(_VALUES[attribute]), min_size=1, max_size=2)
    return values.map(lambda chosen: Match(attribute, tuple(sorted(chosen))))


_EXPRESSIONS: st.SearchStrategy[str] = st.recursive(
    st.just(Everybody()) | st.sampled_from(sorted(_VALUES)).flatmap(_match) | _match("group"),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=6,
).map(lambda expression: str(parse(_bracketed(expression))))


def _bracketed(expression: Any) -> str:
    """Text of a tree that need not be canonical."""
    match expression:
        case Not(operand):
            return f"not ({_bracketed(operand)})"
        case And(operands):
            return " and ".join(f"({_bracketed(one)})" for one in operands)
        case Or(operands):
            return " or ".join(f"({_bracketed(one)})" for one in operands)
        case _:
            return str(expression)


@st.composite
def _people(draw: st.DrawFn, person_id: str, version: int) -> Person:
    return Person(
        person_id=person_id,
        number=_PEOPLE.index(person_id) + 1,
        entity_id=draw(st.sampled_from(_ENTITIES)),
        unit_id=draw(st.sampled_from(["", *_UNITS])),
        addresses=draw(st.lists(st.sampled_from(["a@x", "b@x", "c@x"]), max_size=2)),
        profession=draw(st.sampled_from(_VALUES["profession"])),
        locale=draw(st.sampled_from(["", "en-GB"])),
        roles=draw(st.lists(st.sampled_from(_VALUES["role"]), max_size=2, unique=True)),
        state=draw(st.sampled_from([PERSON_STATE_ACTIVE, PERSON_STATE_ACTIVE, PERSON_STATE_LEFT])),
        version=version,
    )


@st.composite
def _group(draw: st.DrawFn, group_id: str, version: int) -> Group:
    people = [Member(person_id=name) for name in draw(st.lists(st.sampled_from(_PEOPLE), max_size=2))]
    nested = [Member(group_id=name) for name in draw(st.lists(st.sampled_from([*_GROUPS, "nowhere"]), max_size=2))]
    outside = [Member(address=name) for name in draw(st.lists(st.sampled_from(["o@o", "q@o"]), max_size=1))]
    return Group(
        group_id=group_id,
        addresses=draw(st.lists(st.sampled_from(["a@x", "l@x"]), max_size=2)),
        members=[*people, *nested, *outside],
        expression=draw(st.just("") | _EXPRESSIONS),
        removed=draw(st.integers(0, 5)) == 0,
        version=version,
    )


@st.composite
def _history(draw: st.DrawFn) -> list[list[Change]]:
    """For each key the records of its life, in order."""
    lives: list[list[Change]] = []
    for person_id in _PEOPLE:
        states = [draw(_people(person_id, version)) for version in range(1, draw(st.integers(1, 3)) + 1)]
        lives.append([PersonChanged(person=state) for state in states])
    for group_id in _GROUPS:
        groups = [draw(_group(group_id, version)) for version in range(1, draw(st.integers(1, 3)) + 1)]
        lives.append([GroupChanged(group=group) for group in groups])
    for unit_id in _UNITS:
        parents = draw(st.lists(st.sampled_from(["", *_UNITS]), min_size=1, max_size=2))
        units = [Unit(unit_id=unit_id, parent_unit_id=above, version=n + 1) for n, above in enumerate(parents)]
        lives.append([UnitChanged(unit=unit) for unit in units])
    return lives


def _directory(lives: list[list[Change]]) -> Directory:
    directory = Directory()
    for life in lives:
        match life[-1]:
            case PersonChanged(person=person):
                directory.people[person.person_id] = person
            case GroupChanged(group=group) if not group.removed:
                directory.groups[group.group_id] = group
            case UnitChanged(unit=unit):
                directory.units[unit.unit_id] = unit
            case _:
                pass
    return directory


def _interleaved(lives: list[list[Change]], draw: st.DataObject) -> list[Change]:
    """All records in some order that keeps each key's own; now and then one comes twice."""
    left = [list(life) for life in lives]
    mixed: list[Change] = []
    while any(left):
        waiting = [life for life in left if life]
        life = waiting[draw.draw(st.integers(0, len(waiting) - 1))]
        mixed.append(life.pop(0))
        if draw.draw(st.integers(0, 9)) == 0:
            mixed.append(mixed[draw.draw(st.integers(0, len(mixed) - 1))])
    return mixed


@settings(max_examples=200, deadline=None)
@given(_history(), _EXPRESSIONS, st.data())
def test_the_view_answers_as_the_oracle_does(lives: list[list[Change]], expression: str, data: st.DataObject) -> None:
    view = View()
    records = _interleaved(lives, data)
    half = len(records) // 2
    view.apply(records[:half])
    view.audience(expression)  # what was expanded before must not be what is answered after
    view.apply(records[half:])
    directory = _directory(lives)
    oracle = Oracle(directory)
    people = directory.people.values()
    assert set(view.audience(expression)) == {p.number for p in people if oracle.holds(parse(expression), p)}
    for group_id in [*_GROUPS, "nowhere"]:
        assert set(view.members(group_id)) == {p.number for p in people if oracle.in_group(group_id, p)}
        assert set(view.members(group_id)) == {p.number for p in people if view.is_member(p.number, group_id)}
    assert view.people_count == sum(person.state == PERSON_STATE_ACTIVE for person in people)
    for person in people:
        assert view.person(person.person_id) == person == view.by_number(person.number)
        assert view.groups_of(person.person_id) == sorted(g for g in _GROUPS if oracle.in_group(g, person))
    for address in ("a@x", "b@x", "c@x", "l@x"):
        owners = [p for p in people if p.state == PERSON_STATE_ACTIVE and address in p.addresses]
        lists = [g for g in directory.groups.values() if address in g.addresses]
        expected = min(owners, key=lambda p: p.number, default=None) or min(
            lists, key=lambda g: g.group_id, default=None
        )
        assert view.by_address(address.upper()) == expected


@pytest.fixture(scope="module")
def small() -> View:
    return ministry.view()


def test_a_look_up_finds_whom_the_ministry_has(small: View) -> None:
    for person in ministry.Ministry().people():
        for address in person.addresses:
            found = small.by_address(address)
            assert isinstance(found, Person)
            assert found.person_id == person.person_id
    assert small.by_address("nobody@saojose.min-saude.example") is None
    assert small.person("p999999") is None
    assert small.by_number(0) is None
    assert small.by_number(-1) is None


def test_lists_that_nest_across_entities_and_in_a_circle(small: View) -> None:
    assert len(small.members("g-direcoes")) == 62 * 3
    assert (
        small.members("g-ciclo-e01")
        == small.members("g-ciclo-e03")
        == small.audience('group in ("g-e01-direcao", "g-e03-direcao")')
    )
    assert small.external_members("g-ciclo-e01") == ("ciclo-e01@fora.example", "ciclo-e03@fora.example")
    assert len(small.members("g-ministerio")) == small.people_count == 1200
    assert small.members("g-e01-hospital") == small.audience('unit = "u-e01-01"')


def test_who_may_send(small: View) -> None:
    everybody = small.group("g-ministerio")
    team = small.group("g-e01-equipa-001")
    assert everybody is not None
    assert team is not None
    assert small.may_send(everybody, small.person("p000001"))
    assert not small.may_send(everybody, small.person("p000005"))
    assert not small.may_send(everybody, None)
    assert small.may_send(team, None)


def test_domains_and_the_mailbox_for_what_is_left() -> None:
    view = ministry.view()
    entity = view.entity_of_domain("SaoJose.ULS.example")
    assert entity is not None
    assert entity.entity_id == "e01"
    assert view.entity_of_domain("fora.example") is None
    catch_all = view.catch_all("e01")
    assert catch_all is not None
    assert catch_all.person_id == "p000001"
    assert view.catch_all("e02") is None
    for entity_id, state in (("e02", PERSON_STATE_ACTIVE), ("e01", PERSON_STATE_LEFT)):
        catch_all.entity_id, catch_all.state = entity_id, state
        catch_all.version += 1
        view.apply([PersonChanged(person=catch_all)])
        assert view.catch_all("e01") is None


def test_a_domain_that_moves_is_the_new_entitys() -> None:
    view = View()
    view.apply([EntityChanged(entity=Entity(entity_id="e1", domains=["a.example"], version=1))])
    view.apply([EntityChanged(entity=Entity(entity_id="e2", domains=["a.example"], version=1))])
    view.apply([EntityChanged(entity=Entity(entity_id="e1", domains=[], version=2))])
    found = view.entity_of_domain("a.example")
    assert found is not None
    assert found.entity_id == "e2"
    assert [entity.entity_id for entity in view.entities()] == ["e1", "e2"]


def test_what_is_returned_is_the_callers_own(small: View) -> None:
    small.members("g-direcoes").clear()
    small.audience("all").clear()
    entity = small.entity("e01")
    assert entity is not None
    entity.domains.append("stolen.example")
    assert len(small.members("g-direcoes")) == 62 * 3
    assert small.people_count == 1200
    assert small.entity_of_domain("stolen.example") is None


def test_the_version_counts_what_was_taken_in() -> None:
    view = View()
    person = Person(person_id="p", number=1, version=2, state=PERSON_STATE_ACTIVE)
    view.apply([PersonChanged(person=person)])
    before = view.version
    person.version = 1
    view.apply([PersonChanged(person=person)])
    assert view.version == before == 1


@pytest.mark.parametrize(
    "person",
    [
        Person(person_id="other", number=1, version=9),
        Person(person_id="p", number=2, version=9),
        Person(person_id="far", number=2**31, version=1),
    ],
)
def test_a_number_that_the_directory_cannot_have_given_is_refused(person: Person) -> None:
    view = View()
    view.apply([PersonChanged(person=Person(person_id="p", number=1, version=1))])
    with pytest.raises(Invalid):
        view.apply([PersonChanged(person=person)])


def test_an_expression_that_cannot_be_read_means_nobody() -> None:
    view = View()
    view.apply([PersonChanged(person=Person(person_id="p", number=1, version=1, state=PERSON_STATE_ACTIVE))])
    view.apply([GroupChanged(group=Group(group_id="g", version=1, expression='shoe_size = "44"'))])
    assert len(view.members("g")) == 0


def test_a_circle_of_thousands_and_a_chain_of_thousands_expand() -> None:
    view = View()
    names = [f"g{n}" for n in range(3000)]
    view.apply([PersonChanged(person=Person(person_id="p", number=7, version=1, state=PERSON_STATE_ACTIVE))])
    view.apply(
        GroupChanged(group=Group(group_id=name, version=1, members=[Member(group_id=after)]))
        for name, after in zip(names, [*names[1:], names[0]], strict=True)
    )
    assert len(view.members("g0")) == 0
    view.apply([GroupChanged(group=Group(group_id="g2999", version=2, members=[Member(person_id="p")]))])
    assert list(view.members("g0")) == [7]


def test_the_groups_of_a_person_are_found_among_few(small: View) -> None:
    """What a person is not in has no ground that the person has, so it need not be expanded."""
    person = next(iter(small.people(small.members("g-e01-medicos"))))
    candidates = small._memberships.candidates(small._attributes(person))
    assert set(small.groups_of(person.person_id)) <= candidates
    assert len(candidates) < len(small._groups) / 20


def test_a_group_that_loses_somebody_is_no_longer_theirs() -> None:
    view = View()
    view.apply([PersonChanged(person=Person(person_id="p", number=7, version=1, state=PERSON_STATE_ACTIVE))])
    view.apply(
        [GroupChanged(group=Group(group_id="g", version=1, members=[Member(person_id="p"), Member(group_id="h")]))]
    )
    assert view.groups_of("p") == ["g"]
    view.apply([GroupChanged(group=Group(group_id="g", version=2, members=[Member(group_id="h")]))])
    assert view.groups_of("p") == []
    view.apply([GroupChanged(group=Group(group_id="h", version=1, expression="all"))])
    assert view.groups_of("p") == ["g", "h"]
