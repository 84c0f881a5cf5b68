"""How people of the directory can be reached."""

from directory_view import View
from errors import NotAllowed
from rossio.directory.v1.directory_pb2 import PERSON_STATE_ACTIVE, Person
from rpc import Caller

from notification.domain import telephone
from notification.domain.recipient import Recipient
from notification.domain.vocabulary import Channel


def works_here(person: Person | None) -> bool:
    return person is not None and person.state == PERSON_STATE_ACTIVE


def asking(view: View, caller: Caller) -> Person:
    """The person who is calling; raises NotAllowed for somebody who does not work in the ministry."""
    person = view.person(caller.subject)
    if person is None or not works_here(person):
        raise NotAllowed("only people of the directory have an inbox", reason="NOT_IN_DIRECTORY")
    return person


def recipient(person: Person) -> Recipient:
    """Where somebody who works here is reached, as the directory says."""
    return Recipient(
        person_id=person.person_id,
        entity_id=person.entity_id,
        locale=person.locale,
        addresses={
            Channel.EMAIL: person.addresses[0] if person.addresses else "",
            Channel.SMS: person.mobile if telephone.is_mobile(person.mobile) else "",
        },
    )
