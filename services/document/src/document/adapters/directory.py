"""What the view of the directory says of those who call and those who are granted something."""

from collections.abc import Sequence

from directory_view import View
from errors import NotAllowed
from rossio.directory.v1.directory_pb2 import PERSON_STATE_LEFT

from document.domain.permissions import Grantee, GranteeKind, Subject


class DirectoryOfView:
    """The port `Directory`, and the source of subjects."""

    def __init__(self, view: View) -> None:
        self._view = view

    def subject(self, person_id: str, entity_id: str) -> Subject:
        """The person that a verified token stands for.

        Raises:
            NotAllowed: they have left the ministry.
        """
        person = self._view.person(person_id)
        if person is not None and person.state == PERSON_STATE_LEFT:
            raise NotAllowed("whoever has left may do nothing", reason="LEFT")
        return Subject(person_id, entity_id, _Groups(self._view, person.number) if person else frozenset())

    def knows(self, grantee: Grantee) -> bool:
        match grantee.kind:
            case GranteeKind.PERSON:
                person = self._view.person(grantee.id)
                return person is not None and person.state != PERSON_STATE_LEFT
            case GranteeKind.GROUP:
                return self._view.group(grantee.id) is not None
            case GranteeKind.ENTITY:
                return self._view.entity(grantee.id) is not None

    def groups_of(self, person_id: str) -> Sequence[str]:
        return self._view.groups_of(person_id)


class _Groups:
    """The groups of one person, each looked up when it is asked for: a decision asks for few."""

    def __init__(self, view: View, number: int) -> None:
        self._view = view
        self._number = number

    def __contains__(self, group_id: object) -> bool:
        return isinstance(group_id, str) and self._number in self._view.members(group_id)
