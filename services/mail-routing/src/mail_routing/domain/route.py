"""Where a mail goes: one table, read from top to bottom, the first row that answers holds.

    elsewhere     not a domain of ours: to its next hop, from those who may relay
    at_address    a person or a list has the address
    without_tag   the same without "+tag"
    postmaster    every domain has one (RFC 5321 section 4.5.1)
    reports       what only reports come to: an address that a service sends from
    split         the rest of a domain that is served by another system too
    catch_all     the mailbox for whatever else comes to the entity
    nobody        unknown

SMTP's RCPT, the worker and `Resolve` ask the same rows. A list stands for its members, whatever its nesting
(the directory answers with all of them); each mailbox has the mail once, under the first recipient that led
there. People may send their mail on. A sender-restricted list vouches for the lists nested in it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from fnmatch import fnmatchcase
from typing import Protocol

from mail_routing.domain.address import canonical, split
from mail_routing.domain.message import Recipient
from mail_routing.domain.next_hop import NextHops


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works in the ministry and has a mailbox."""

    person_id: str
    entity_id: str
    address: str  # the primary one
    forward_to: tuple[str, ...] = ()
    forward_only: bool = False  # what is sent on is not kept


@dataclass(frozen=True, slots=True)
class MailList:
    """A group that has an address: a list, or a mailbox that its members share."""

    group_id: str
    name: str
    restricted: bool = False  # not everybody may send to it
    mailbox_of: str = ""  # of a shared mailbox, its entity
    address: str = ""  # the primary one


class Directory(Protocol):
    """What the route asks of the directory; answered from memory. Addresses and domains are canonical."""

    def entity_of_domain(self, domain: str) -> str | None: ...
    def person_at(self, address: str) -> Person | None: ...
    def list_at(self, address: str) -> MailList | None: ...
    def catch_all(self, entity_id: str) -> Person | None: ...
    def members(self, group_id: str) -> Iterator[Person]: ...
    def outside_members(self, group_id: str) -> Iterable[str]: ...
    def nested(self, group_id: str) -> Iterable[MailList]: ...
    def may_send(self, person: Person | None, group_id: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Sender:
    """The reverse path, and whether we know that it is theirs (authenticated, or from a trusted network)."""

    address: str
    trusted: bool
    reports: bool = False  # it is the null reverse path of a mail that came so: only reports have that


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an explanation: what was looked at, and what followed from it."""

    kind: str
    subject: str
    result: str


class Kind(Enum):
    """What is done for a destination."""

    MAILBOX = "mailbox"
    LMTP = "lmtp"  # a mailbox on another server
    RELAY = "relay"
    REPORT = "report"  # read for what it says of another mail, and kept nowhere
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Destination:
    """One resolved recipient; `target` is the mailbox, the next hop by name, or the reason of the refusal."""

    kind: Kind
    address: str
    target: str
    original: str = ""
    person_id: str = ""
    entity_id: str = ""
    status: str = ""  # of a refusal (RFC 3463)
    notify: tuple[str, ...] = ()
    forwarded_by: str = ""  # the primary address of whom sends it on

    def __hash__(self) -> int:
        """Results are found by it, several times for each recipient; what differs in little else is no matter."""
        return hash((self.address, self.target))

    @property
    def hop(self) -> str:
        """The next hop, where one takes the mail; else empty."""
        return self.target if self.kind in {Kind.RELAY, Kind.LMTP} else ""


@dataclass(frozen=True, slots=True)
class Route:
    """The directory and the settings that a route rests on."""

    directory: Directory
    next_hops: NextHops = field(default_factory=NextHops)
    postmaster: str = ""
    reports_to: tuple[str, ...] = ()  # patterns of addresses of ours


@dataclass(frozen=True, slots=True)
class Elsewhere:
    next_hop: str


@dataclass(frozen=True, slots=True)
class ReportsOnly:
    """The address of no mailbox, where other servers say what became of mail from it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an address is not taken: status of RFC 3463 and a sentence that names nobody."""

    status: str
    reason: str


Finding = Person | MailList | Elsewhere | ReportsOnly | Refusal
Row = Callable[[Route, Sender, str], Finding | None]
Tell = Callable[[Step], None]


def _elsewhere(route: Route, sender: Sender, address: str) -> Finding | None:
    domain = split(address)[1]
    if route.directory.entity_of_domain(domain) is not None:
        return None
    if not sender.trusted:
        return Refusal("5.7.1", "Relaying is not allowed: the domain is not one of ours")
    entity_id = route.directory.entity_of_domain(canonical(split(sender.address)[1]))
    hop = route.next_hops.to(domain, entity_id or "")
    return Elsewhere(hop) if hop else Refusal("5.4.4", "No next hop is known for the domain")


def _at_address(route: Route, sender: Sender, address: str) -> Finding | None:
    if person := route.directory.person_at(address):
        return person
    found = route.directory.list_at(address)
    if found is None or _may_send(route.directory, sender, found):
        return found
    return Refusal("5.7.1", "The sender may not send to this list")


def _without_tag(route: Route, sender: Sender, address: str) -> Finding | None:
    local, domain = split(address)
    user, plus, _ = local.partition("+")
    return _at_address(route, sender, f"{user}@{domain}") if plus and user else None


def _postmaster(route: Route, sender: Sender, address: str) -> Finding | None:
    wanted = split(address)[0] == "postmaster" and route.postmaster not in {"", address}
    return _at_address(route, sender, canonical(route.postmaster)) if wanted else None


def _reports(route: Route, sender: Sender, address: str) -> Finding | None:
    wanted = sender.reports and any(fnmatchcase(address, pattern) for pattern in route.reports_to)
    return ReportsOnly() if wanted else None


def _split(route: Route, _sender: Sender, address: str) -> Finding | None:
    hop = route.next_hops.beside(split(address)[1])
    return Elsewhere(hop) if hop else None


def _catch_all(route: Route, _sender: Sender, address: str) -> Finding | None:
    entity_id = route.directory.entity_of_domain(split(address)[1])
    return route.directory.catch_all(entity_id) if entity_id else None


def _nobody(_route: Route, _sender: Sender, _address: str) -> Finding | None:
    return Refusal("5.1.1", "There is nobody of that address")


TABLE: tuple[tuple[str, Row], ...] = (
    ("elsewhere", _elsewhere),
    ("address", _at_address),
    ("plus-tag", _without_tag),
    ("postmaster", _postmaster),
    ("reports", _reports),
    ("split", _split),
    ("catch-all", _catch_all),
    ("unknown", _nobody),
)


_VOUCHER = Sender("", trusted=True)
"""In the place of the sender where somebody of ours said whom the mail goes to: that may be elsewhere."""


def find(route: Route, sender: Sender, address: str, tell: Tell | None = None) -> Finding:
    """What stands at an address, lists not expanded."""
    wanted = canonical(address)
    for kind, row in TABLE:
        finding = row(route, sender, wanted)
        if finding is not None:
            if tell:
                tell(_step(kind, wanted, finding))
            return finding
    raise AssertionError("the last row answers always")


def resolve(
    route: Route, sender: Sender, recipients: Iterable[Recipient], tell: Tell | None = None
) -> Iterator[Destination]:
    """The destinations of a mail, each once, in the order of its recipients; made as they are asked for."""
    seen: set[tuple[Kind, str]] = set()
    for recipient in recipients:
        for destination in _destinations(route, sender, recipient, set(), tell):
            key = destination.kind, destination.person_id or destination.address
            if key not in seen:
                seen.add(key)
                yield destination
            elif tell:
                tell(Step("duplicate", destination.address, "has the mail already"))


def _destinations(
    route: Route, sender: Sender, recipient: Recipient, open_: set[str], tell: Tell | None
) -> Iterator[Destination]:
    """`open_` holds the lists, and the people who send on, that are being expanded."""
    address = canonical(recipient.address)
    match find(route, sender, address, tell):
        case Person() as person:
            yield from _person(route, person, recipient, open_, tell)
        case Elsewhere(next_hop):
            # The local part of another's address is theirs to read: its case is kept.
            yield Destination(Kind.RELAY, recipient.address, next_hop, _original(recipient), notify=recipient.notify)
        case ReportsOnly():
            yield Destination(Kind.REPORT, address, "reports", _original(recipient), notify=recipient.notify)
        case Refusal(status, reason):
            yield Destination(
                Kind.REFUSED, address, reason, _original(recipient), status=status, notify=recipient.notify
            )
        case MailList(mailbox_of=entity_id) as found if entity_id:
            box = f"{entity_id}/group.{found.group_id}"
            owner = (_original(recipient), "", entity_id)
            yield from _mailbox(route.next_hops, found.address, box, owner, recipient.notify)
        case MailList() as found if found.group_id in open_:
            if tell:
                tell(Step("cycle", address, "this list is being expanded already"))
        case MailList() as found:
            open_.add(found.group_id)
            yield from _members(route, found, recipient, open_, tell)


def _members(
    route: Route, found: MailList, recipient: Recipient, open_: set[str], tell: Tell | None
) -> Iterator[Destination]:
    if tell:
        _tell_nesting(route.directory, found, tell)
    empty = True
    for person in route.directory.members(found.group_id):
        empty = False
        yield from _person(route, person, recipient, open_, tell)
    for address in route.directory.outside_members(found.group_id):
        empty = False
        member = Recipient(address, _original(recipient), recipient.notify)
        yield from _destinations(route, _VOUCHER, member, open_, tell)
    if empty:
        reason = "The list has no members"
        yield Destination(
            Kind.REFUSED, recipient.address, reason, _original(recipient), status="5.2.4", notify=recipient.notify
        )


def _person(
    route: Route, person: Person, recipient: Recipient, open_: set[str], tell: Tell | None
) -> Iterator[Destination]:
    """Their mailbox, and whom they send their mail on to.

    A circle ends in the mailbox of whom it comes back to, and so does what is sent on to nobody: no mail is lost.
    """
    sent_on = False
    if person.forward_to and person.person_id not in open_:
        open_.add(person.person_id)
        for forward in _onward(route, person, recipient, tell):
            for destination in _destinations(route, _VOUCHER, forward, open_, tell):
                sent_on = True
                yield replace(destination, forwarded_by=destination.forwarded_by or person.address)
        open_.discard(person.person_id)
    if not (sent_on and person.forward_only):
        box = f"{person.entity_id}/{person.person_id}"
        owner = (_original(recipient), person.person_id, person.entity_id)
        yield from _mailbox(route.next_hops, person.address, box, owner, recipient.notify)


def _onward(route: Route, person: Person, recipient: Recipient, tell: Tell | None) -> Iterator[Recipient]:
    """Of a copy that is sent on, the sender hears nothing."""
    notify = recipient.notify if person.forward_only else ("NEVER",)
    for address in person.forward_to:
        found = find(route, _VOUCHER, address)
        if tell:
            result = found.reason if isinstance(found, Refusal) else f"sends it on to {address}"
            tell(Step("forward", person.address, result))
        if not isinstance(found, Refusal):
            yield Recipient(address, _original(recipient), notify)


Owner = tuple[str, str, str]
"""Of a mailbox: the recipient who led there, and ids of person and entity."""


def _mailbox(hops: NextHops, address: str, box: str, owner: Owner, notify: tuple[str, ...]) -> Iterator[Destination]:
    """The mailbox, here or on another server, and the copy of dual delivery."""
    server = hops.mailboxes.get(owner[2])
    kind, target = (Kind.LMTP, server) if server else (Kind.MAILBOX, box)
    yield Destination(kind, address, target, *owner, notify=notify)
    if copy := hops.copy(split(address)[1]):
        yield Destination(Kind.RELAY, address, copy, *owner, notify=("NEVER",))


def _original(recipient: Recipient) -> str:
    return recipient.original or recipient.address


def _may_send(directory: Directory, sender: Sender, found: MailList) -> bool:
    if not found.restricted:
        return True
    person = directory.person_at(canonical(sender.address)) if sender.trusted else None
    return directory.may_send(person, found.group_id)


def _step(kind: str, address: str, finding: Finding) -> Step:
    match finding:
        case Person() as person:
            alias = kind == "address" and person.address != address
            name = "alias" if alias else "person" if kind == "address" else kind
            return Step(name, address, f"{'is' if alias else 'goes to'} the mailbox of {person.address}")
        case MailList(mailbox_of=entity_id) as found if entity_id:
            return Step("shared mailbox", address, f'is the mailbox that "{found.name}" share')
        case MailList() as found:
            who = "its senders are named, and this is one" if found.restricted else "everybody may send to it"
            return Step("list" if kind == "address" else kind, address, f'is the list "{found.name}"; {who}')
        case Elsewhere(next_hop):
            return Step("relay" if kind == "elsewhere" else kind, address, f"goes to {next_hop}")
        case ReportsOnly():
            return Step(kind, address, "takes reports, which are read and not kept")
        case Refusal(status, reason):
            return Step("refused" if kind == "address" else kind, address, f"{status} {reason}")


def _tell_nesting(directory: Directory, top: MailList, tell: Tell) -> None:
    """The nesting of a list, in words; what it holds was asked of the directory as a whole."""
    seen = {top.group_id}
    waiting = [top]
    while waiting:
        outer = waiting.pop()
        for inner in directory.nested(outer.group_id):
            if inner.group_id in seen:
                tell(Step("cycle", outer.name, f'holds "{inner.name}", which was seen already'))
            else:
                seen.add(inner.group_id)
                tell(Step("list", outer.name, f'holds "{inner.name}"'))
                waiting.append(inner)
