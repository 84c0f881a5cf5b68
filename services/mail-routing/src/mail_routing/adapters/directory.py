"""The route's questions, answered by the directory view that every service holds."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from directory_view import View
from rossio.directory.v1 import directory_pb2

from mail_routing.application.trace import ADMIN
from mail_routing.domain.moderation import Panel
from mail_routing.domain.route import MailList, Person

# So many of a group read that a mail waits for one of them; all of them may decide.
_MOST_ASKED: Final = 1000


class ViewDirectory:
    """`route.Directory` over the live view."""

    def __init__(self, view: View) -> None:
        self._view = view

    def entity_of_domain(self, domain: str) -> str | None:
        return self._view.entity_id_of_domain(domain) or None

    def person_at(self, address: str) -> Person | None:
        found = self._view.by_address(address)
        return _person(found) if isinstance(found, directory_pb2.Person) else None

    def list_at(self, address: str) -> MailList | None:
        found = self._view.by_address(address)
        return _list(found) if isinstance(found, directory_pb2.Group) else None

    def catch_all(self, entity_id: str) -> Person | None:
        found = self._view.catch_all(entity_id)
        return _person(found) if found and found.addresses else None

    def list_of(self, group_id: str) -> MailList | None:
        found = self._view.group(group_id)
        return _list(found) if found else None

    def members(self, group_id: str, apart: frozenset[str]) -> Iterator[Person]:
        # Somebody without an address has no mailbox.
        numbers = self._view.members(group_id, apart)
        return (_person(found) for found in self._view.people(numbers) if found.addresses)

    def outside_members(self, group_id: str, apart: frozenset[str]) -> Iterable[str]:
        return self._view.external_members(group_id, apart)

    def nested(self, group_id: str) -> Iterable[MailList]:
        group = self._view.group(group_id)
        inner = (self._view.group(member.group_id) for member in group.members if member.group_id) if group else ()
        return [_list(found) for found in inner if found]

    def moderated_within(self, group_id: str) -> frozenset[str]:
        return self._view.moderated_within(group_id)

    def first_of(self, group_id: str, apart: frozenset[str]) -> Iterable[MailList]:
        met = (self._view.group(each) for each in self._view.first_of(group_id, apart))
        return [_list(found) for found in met if found]

    def may_send(self, person: Person | None, group_id: str) -> bool:
        group = self._view.group(group_id)
        sender = self._view.person(person.person_id) if person else None
        return group is not None and self._view.may_send(group, sender)

    def needs_approval(self, person: Person | None, group_id: str) -> bool:
        group = self._view.group(group_id)
        sender = self._view.person(person.person_id) if person else None
        return group is not None and self._view.needs_approval(group, sender)

    def decides(self, person_id: str, panel: Panel) -> bool:
        person = self._view.person(person_id)
        asked = self._view.is_moderator if panel.of_list else self._view.is_member
        return person is not None and asked(person.number, panel.group_id)

    def panels_of(self, person_id: str) -> Iterable[Panel]:
        person = self._view.person(person_id)
        if person is None:
            return ()
        lists = (Panel("", group_id, of_list=True) for group_id in self._view.moderated_by(person))
        return [*lists, *(Panel("", group_id) for group_id in self._view.groups_of(person_id))]

    def addresses_of_panel(self, panel: Panel) -> Sequence[str]:
        administrators = f'entity = "{panel.entity_id}" and role = "{ADMIN}"'
        numbers = (self._view.moderators if panel.of_list else self._view.members)(panel.group_id)
        people = self._view.people(numbers or self._view.audience(administrators))
        return tuple(islice((found.addresses[0] for found in people if found.addresses), _MOST_ASKED))

    def is_group(self, group_id: str) -> bool:
        return self._view.group(group_id) is not None

    def entity_of(self, person_id: str) -> str:
        person = self._view.person(person_id)
        return person.entity_id if person else ""

    def in_group(self, person_id: str, group_id: str) -> bool:
        person = self._view.person(person_id)
        return person is not None and person.number in self._view.members(group_id)

    def addresses_of(self, person_id: str) -> tuple[str, ...]:
        """All addresses of a person who works in the ministry, the primary one first; none for others."""
        person = self._view.person(person_id)
        active = person is not None and person.state == directory_pb2.PERSON_STATE_ACTIVE
        return tuple(person.addresses) if person and active else ()


def _person(found: directory_pb2.Person) -> Person:
    return Person(found.person_id, found.entity_id, found.addresses[0], tuple(found.forward_to), found.forward_only)


def _list(found: directory_pb2.Group) -> MailList:
    shared = found.entity_id if found.mailbox else ""
    address = found.addresses[0] if found.addresses else ""
    return MailList(
        found.group_id,
        found.name,
        restricted=bool(found.sender_group_ids),
        mailbox_of=shared,
        address=address,
        entity_id=found.entity_id,
        moderated=bool(found.moderators),
    )
