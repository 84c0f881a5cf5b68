"""What the view of the directory says of those who call and those who are granted something."""

from collections.abc import Sequence

from directory_view import View
from errors import Invalid, NotAllowed
from rossio.directory.v1.directory_pb2 import PERSON_STATE_LEFT

from document.domain.permissions import Grantee, GranteeKind, Subject


class DirectoryOfView:
    """The port `Directory`, and the source of subjects."""

    def __init__(self, view: View) -> None:
        self._view = view

    def subject(self, caller: Grantee, entity_id: str) -> Subject:
        """Whom a verified token stands for: a person, a service or a citizen.

        Raises:
            NotAllowed: they have left the ministry.
        """
        person = self._view.person(caller.id) if caller.kind is GranteeKind.PERSON else None
        if person is not None and person.state == PERSON_STATE_LEFT:
            raise NotAllowed("whoever has left may do nothing", reason="LEFT")
        groups = _Groups(self._view, person.number) if person else frozenset[str]()
        return Subject(caller.kind, caller.id, entity_id, groups)

    def knows(self, grantee: Grantee) -> bool:
        match grantee.kind:
            case GranteeKind.PERSON:
                person = self._view.person(grantee.id)
                return person is not None and person.state != PERSON_STATE_LEFT
            case GranteeKind.GROUP:
                return self._view.group(grantee.id) is not None
            case GranteeKind.ENTITY:
                return self._view.entity(grantee.id) is not None
            case GranteeKind.SERVICE | GranteeKind.CITIZEN | GranteeKind.LINK:
                return True

    def subject_of(self, grantee: Grantee, entity_id: str = "") -> Subject:
        match grantee.kind:
            case GranteeKind.PERSON:
                person = self._view.person(grantee.id)
                if person is not None and person.state != PERSON_STATE_LEFT:
                    return self.subject(grantee, person.entity_id)
            case GranteeKind.SERVICE:
                return self.subject(grantee, entity_id)
            case GranteeKind.CITIZEN:
                return self.subject(grantee, "")
        raise Invalid("there is no such person, and groups and entities call nobody", reason="GRANTEE")

    def groups_of(self, person_id: str) -> Sequence[str]:
        return self._view.groups_of(person_id)


class _Groups:
    """The groups of one person, each looked up when it is asked for: a decision asks for few."""

    def __init__(self, view: View, number: int) -> None:
        self._view = view
        self._number = number

    def __contains__(self, group_id: object) -> bool:
        return isinstance(group_id, str) and self._view.is_member(self._number, group_id)
