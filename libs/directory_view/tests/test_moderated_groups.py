"""Moderated groups: found in a nesting, taken out of it, and who needs no approval."""

from directory_view import View
from rossio.directory.v1.directory_pb2 import PERSON_STATE_ACTIVE, PERSON_STATE_LEFT, Group, Member, Person
from rossio.directory.v1.events_pb2 import GroupChanged, PersonChanged


def moderated(group_id: str, *members: Member, moderators: str = "", known: str = "", version: int = 1) -> GroupChanged:
    """A group with at most one person as a moderator, and one group whose members need no approval."""
    group = Group(group_id=group_id, version=version, members=members)
    if moderators:
        group.moderators.add(person_id=moderators)
    if known:
        group.unmoderated_senders.add(group_id=known)
    return GroupChanged(group=group)


def test_moderated_lists_are_found_in_a_nesting_and_taken_out_of_it() -> None:
    view = View()
    people = ("ana", "rui", "eva", "nuno")
    view.apply(
        PersonChanged(person=Person(person_id=each, number=number, version=1, state=PERSON_STATE_ACTIVE))
        for number, each in enumerate(people, 1)
    )
    person, group = (lambda each: Member(person_id=each)), (lambda each: Member(group_id=each))
    outer = (person("ana"), group("plain"), group("news"))
    view.apply([moderated("outer", *outer), moderated("plain", person("rui"), group("outer"))])
    assert view.moderated_within("outer") == frozenset()
    news = (person("rui"), person("eva"), Member(address="x@far.test"), group("deep"))
    view.apply([moderated("news", *news, moderators="eva", known="plain"), moderated("deep", person("nuno"))])
    assert view.moderated_within("outer") == view.moderated_within("plain") == {"news"}
    assert set(view.members("outer")) == {1, 2, 3, 4}
    assert set(view.members("outer", frozenset({"news"}))) == {1, 2}
    assert view.external_members("outer") == ("x@far.test",)
    assert view.external_members("outer", frozenset({"news"})) == ()
    view.apply([moderated("deep", person("nuno"), moderators="nuno", version=2)])
    assert view.moderated_within("outer") == {"news", "deep"}
    assert view.first_of("outer", frozenset({"news", "deep"})) == ["news"]
    view.apply([moderated("news", *news, version=2)])
    assert view.moderated_within("outer") == {"deep"}


def test_who_moderates_and_who_needs_no_approval_follows_the_directory() -> None:
    view = View()

    def put(person_id: str, number: int, version: int = 1, *, works: bool = True) -> Person:
        state = PERSON_STATE_ACTIVE if works else PERSON_STATE_LEFT
        person = Person(person_id=person_id, number=number, version=version, state=state)
        view.apply([PersonChanged(person=person)])
        return person

    eva, ana, rui = put("eva", 1), put("ana", 2), put("rui", 3)
    view.apply([moderated("known", Member(person_id="ana")), moderated("news", moderators="eva", known="known")])
    group = view.group("news")
    assert group is not None
    assert [view.needs_approval(group, each) for each in (eva, ana, rui, None)] == [False, False, True, True]
    assert set(view.moderators("news")) == {1}
    assert (view.moderated_by(eva), view.moderated_by(ana)) == (["news"], [])
    put("eva", 1, version=2, works=False)
    assert set(view.moderators("news")) == set()
    assert view.needs_approval(group, ana) is False
    assert view.moderated_by(eva) == []
