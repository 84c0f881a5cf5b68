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
there. People may send their mail on. A sender-restricted list vouches for the lists nested in it; a moderated one
stands for itself until its moderators have let the mail go on, wherever it is nested.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from typing import Protocol

from mail_routing.domain.address import canonical, split
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
    entity_id: str = ""
    moderated: bool = False


class Directory(Protocol):
    """What the route asks of the directory; answered from memory. Addresses and domains are canonical."""

    def entity_of_domain(self, domain: str) -> str | None: ...
    def person_at(self, address: str) -> Person | None: ...
    def list_at(self, address: str) -> MailList | None: ...
    def catch_all(self, entity_id: str) -> Person | None: ...
    def list_of(self, group_id: str) -> MailList | None: ...
    def members(self, group_id: str, apart: frozenset[str]) -> Iterator[Person]:
        """All people in the list, whatever its nesting, but for those in it through the lists `apart` alone."""
        ...

    def outside_members(self, group_id: str, apart: frozenset[str]) -> Iterable[str]: ...
    def nested(self, group_id: str) -> Iterable[MailList]: ...
    def moderated_within(self, group_id: str) -> frozenset[str]:
        """The ids of the moderated lists nested in it, to any depth."""
        ...

    def first_of(self, group_id: str, apart: frozenset[str]) -> Iterable[MailList]:
        """Those of the lists `apart` that are met in it before any other of them."""
        ...

    def may_send(self, person: Person | None, group_id: str) -> bool: ...
    def needs_approval(self, person: Person | None, group_id: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Sender:
    """The reverse path, and whether we know that it is theirs (authenticated, or from a trusted network)."""

    address: str
    trusted: bool
    reports: bool = False  # it is the null reverse path of a mail that came so: only reports have that
    approved: str = ""  # the list to which moderators have let the mail go on
    waits: bool = True  # False: for no moderators at all


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
    LIST = "list"  # one that waits for its moderators
    REPORT = "report"  # read for what it says of another mail, and kept nowhere
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Destination:
    """One resolved recipient; `target` is the mailbox, the next hop by name, the list, or the reason of the refusal."""

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


def _may_send(directory: Directory, sender: Sender, found: MailList) -> bool:
    return not found.restricted or directory.may_send(believed(directory, sender), found.group_id)


def believed(directory: Directory, sender: Sender) -> Person | None:
    """Who the sender is, where we know that."""
    return directory.person_at(canonical(sender.address)) if sender.trusted else None


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
