"""Who may send as whom: one's own addresses, those that one may send as, and those on whose behalf.

Send-as leaves no trace in the mail, on behalf is visible: the Sender field names who sent it (RFC 5322 3.6.2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import errors

from mail_routing.domain import mailboxes
from mail_routing.domain.address import canonical
from mail_routing.domain.headers import Headers


class Right(StrEnum):
    SEND_AS = "send-as"
    ON_BEHALF = "on-behalf"


@dataclass(frozen=True, slots=True)
class Delegation:
    """The right to use `owner`, an address of the entity, that a person or all members of a group have."""

    owner: str  # canonical
    entity_id: str
    right: Right
    person_id: str = ""
    group_id: str = ""

    @property
    def delegation_id(self) -> str:
        """One person or group has one right on an address."""
        return f"{self.owner}|{'p' if self.person_id else 'g'}:{self.person_id or self.group_id}"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a caller may use: addresses that are their own, and rights on those of others, all canonical."""

    owns: Callable[[str], bool]
    rights: Mapping[str, Right]
    name: str  # the address that stands in Sender

    def right(self, address: str) -> Right | None:
        """None: the address may not be used. What is one's own may be sent as."""
        return Right.SEND_AS if self.owns(address) else self.rights.get(address)


def used(envelope: str, present: Headers) -> frozenset[str]:
    """The addresses that a mail speaks for, canonical: of its reverse path, its authors and its sender.

    `Invalid` (MALFORMED_AUTHOR) when they cannot be read, or a field that may stand once stands twice.
    """
    authors, sender = _authors(present), _sender(present)
    return frozenset({*authors, *sender, *([canonical(envelope)] if envelope else [])})


def decide(standing: Standing, envelope: str, present: Headers) -> str:
    """The address that the mail has to name as its Sender and does not yet; empty when it is fine as it is.

    `NotAllowed`: SENDER_NOT_YOURS for the reverse path, AUTHOR_NOT_YOURS for an author, SENDER_FIELD_NOT_YOURS.
    """
    if envelope and standing.right(canonical(envelope)) is None:
        raise errors.NotAllowed("the sender is no address that the caller may use", reason="SENDER_NOT_YOURS")
    authors = _authors(present)
    rights = [standing.right(author) for author in authors]
    if None in rights:
        raise errors.NotAllowed("an author is no address that the caller may use", reason="AUTHOR_NOT_YOURS")
    on_behalf = Right.ON_BEHALF in rights
    for sender in _sender(present):
        fits = standing.owns(sender) if on_behalf else standing.right(sender) is Right.SEND_AS
        if not fits:
            raise errors.NotAllowed("the Sender field names somebody else", reason="SENDER_FIELD_NOT_YOURS")
        return ""
    return standing.name if on_behalf or len(authors) > 1 else ""


def _authors(present: Headers) -> tuple[str, ...]:
    fields = present.all("from")
    if len(fields) > 1:
        raise errors.Invalid("From stands twice", reason="MALFORMED_AUTHOR")
    return mailboxes.read(fields[0]) if fields else ()


def _sender(present: Headers) -> tuple[str, ...]:
    fields = present.all("sender")
    found = mailboxes.read(fields[0]) if fields else ()
    if len(fields) > 1 or len(found) > 1:
        raise errors.Invalid("a mail has one Sender", reason="MALFORMED_AUTHOR")
    return found
