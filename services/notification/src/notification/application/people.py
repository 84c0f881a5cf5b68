"""How people of the directory can be reached."""

from directory_view import View
from errors import NotAllowed
from rossio.directory.v1.directory_pb2 import PERSON_STATE_ACTIVE, Person
from rpc import Caller

from notification.domain import telephone
from notification.domain.vocabulary import Channel


def works_here(person: Person | None) -> bool:
    return person is not None and person.state == PERSON_STATE_ACTIVE


def asking(view: View, caller: Caller) -> Person:
    """The person who is calling; raises NotAllowed for somebody who does not work in the ministry."""
    person = view.person(caller.subject)
    if person is None or not works_here(person):
        raise NotAllowed("only people of the directory have an inbox", reason="NOT_IN_DIRECTORY")
    return person


def address(person: Person, channel: Channel) -> str:
    """Where the person is reached on a channel outside of the suite; empty: nowhere."""
    match channel:
        case Channel.EMAIL:
            return person.addresses[0] if person.addresses else ""
        case Channel.SMS:
            return person.mobile if telephone.is_mobile(person.mobile) else ""
        case Channel.IN_APP:
            return ""


def reachable(person: Person) -> set[Channel]:
    return {Channel.IN_APP} | {channel for channel in (Channel.EMAIL, Channel.SMS) if address(person, channel)}
