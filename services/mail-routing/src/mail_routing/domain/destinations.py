"""The destinations of a mail: what stands at each of its addresses, lists expanded, and people's forwards followed."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from mail_routing.domain.address import canonical, split
from mail_routing.domain.message import Recipient
from mail_routing.domain.next_hop import NextHops
from mail_routing.domain.route import (
    Destination,
    Directory,
    Elsewhere,
    Kind,
    MailList,
    Person,
    Refusal,
    ReportsOnly,
    Route,
    Sender,
    Step,
    Tell,
    believed,
    find,
)


class Resolved:
    """The destinations of a mail, each once, in the order of its recipients; made as they are asked for, and once.

    Then `waiting` has the lists that stand for themselves until their moderators have decided.
    """

    def __init__(self, route: Route, sender: Sender, recipients: Iterable[Recipient], tell: Tell | None = None) -> None:
        self.waiting: dict[str, Destination] = {}
        self._route = route
        self._sender = sender
        # In the place of the sender where somebody of ours said whom the mail goes to: that may be elsewhere.
        self._voucher = Sender("", trusted=True, waits=sender.waits)
        self._recipients = recipients
        self._tell = tell
        # The lists, and the people who send on, that are being expanded.
        self._open: set[str] = set()

    def __iter__(self) -> Iterator[Destination]:
        return self._each_once(self._all())

    def of_list(self, held: Destination) -> Iterator[Destination]:
        """In the place of a list that waited: where its mail goes, now that the sender is `approved`."""
        recipient = Recipient(held.address, held.original, held.notify)
        found = self._route.directory.list_of(held.target)
        if found is None:
            return iter([_refused(recipient, "5.1.1", "The list is gone")])
        going = self._list(found, self._sender, recipient)
        return self._each_once(replace(each, forwarded_by=each.forwarded_by or held.forwarded_by) for each in going)

    def _all(self) -> Iterator[Destination]:
        for recipient in self._recipients:
            self._open = set()
            yield from self._destinations(self._sender, recipient)

    def _each_once(self, destinations: Iterable[Destination]) -> Iterator[Destination]:
        seen: set[tuple[Kind, str]] = set()
        for destination in destinations:
            key = destination.kind, destination.person_id or destination.address
            if key not in seen:
                seen.add(key)
                yield destination
            elif self._tell:
                self._tell(Step("duplicate", destination.address, "has the mail already"))

    def _destinations(self, sender: Sender, recipient: Recipient) -> Iterator[Destination]:
        address = canonical(recipient.address)
        match find(self._route, sender, address, self._tell):
            case Person() as person:
                yield from self._person(person, recipient)
            case Elsewhere(next_hop):
                # The local part of another's address is theirs to read: its case is kept.
                original = _original(recipient)
                yield Destination(Kind.RELAY, recipient.address, next_hop, original, notify=recipient.notify)
            case ReportsOnly():
                yield Destination(Kind.REPORT, address, "reports", _original(recipient), notify=recipient.notify)
            case Refusal(status, reason):
                yield replace(_refused(recipient, status, reason), address=address)
            case MailList() as found:
                yield from self._list(found, sender, recipient)

    def _list(self, found: MailList, sender: Sender, recipient: Recipient) -> Iterator[Destination]:
        if found.group_id in self._open:
            if self._tell:
                self._tell(Step("cycle", canonical(recipient.address), "this list is being expanded already"))
        elif found.moderated and self._waits(sender, found.group_id):
            self._wait(found, recipient)
        elif found.mailbox_of:
            box = f"{found.mailbox_of}/group.{found.group_id}"
            owner = (_original(recipient), "", found.mailbox_of)
            yield from _mailbox(self._route.next_hops, found.address, box, owner, recipient.notify)
        else:
            self._open.add(found.group_id)
            yield from self._members(found, sender, recipient)

    def _waits(self, sender: Sender, group_id: str) -> bool:
        if not sender.waits or sender.approved == group_id or group_id in self._open:
            return False
        directory = self._route.directory
        return directory.needs_approval(believed(directory, sender), group_id)

    def _wait(self, found: MailList, recipient: Recipient) -> None:
        if self._tell:
            self._tell(Step("moderated", found.address, f'waits for moderators of "{found.name}"'))
        held = Destination(Kind.LIST, found.address, found.group_id, _original(recipient), notify=recipient.notify)
        self.waiting.setdefault(found.group_id, replace(held, entity_id=found.entity_id))

    def _members(self, found: MailList, sender: Sender, recipient: Recipient) -> Iterator[Destination]:
        directory = self._route.directory
        if self._tell:
            _tell_nesting(directory, found, self._tell)
        within = directory.moderated_within(found.group_id)
        apart = frozenset(each for each in within if self._waits(sender, each)) if within else within
        empty = not apart
        for person in directory.members(found.group_id, apart):
            empty = False
            yield from self._person(person, recipient)
        for address in directory.outside_members(found.group_id, apart):
            empty = False
            member = Recipient(address, _original(recipient), recipient.notify)
            yield from self._destinations(self._voucher, member)
        for inner in directory.first_of(found.group_id, apart) if apart else ():
            self._wait(inner, recipient)
        if empty:
            yield _refused(recipient, "5.2.4", "The list has no members")

    def _person(self, person: Person, recipient: Recipient) -> Iterator[Destination]:
        """Their mailbox, and whom they send their mail on to.

        A circle ends in the mailbox of whom it comes back to, and so does what is sent on to nobody: no mail is lost.
        """
        sent_on = False
        if person.forward_to and person.person_id not in self._open:
            self._open.add(person.person_id)
            for forward in self._onward(person, recipient):
                waited = len(self.waiting)
                for destination in self._destinations(self._voucher, forward):
                    sent_on = True
                    yield replace(destination, forwarded_by=destination.forwarded_by or person.address)
                for group_id in tuple(self.waiting)[waited:]:
                    sent_on = True
                    self.waiting[group_id] = replace(self.waiting[group_id], forwarded_by=person.address)
            self._open.discard(person.person_id)
        if not (sent_on and person.forward_only):
            box = f"{person.entity_id}/{person.person_id}"
            owner = (_original(recipient), person.person_id, person.entity_id)
            yield from _mailbox(self._route.next_hops, person.address, box, owner, recipient.notify)

    def _onward(self, person: Person, recipient: Recipient) -> Iterator[Recipient]:
        """Of a copy that is sent on, the sender hears nothing."""
        notify = recipient.notify if person.forward_only else ("NEVER",)
        for address in person.forward_to:
            found = find(self._route, self._voucher, address)
            if self._tell:
                result = found.reason if isinstance(found, Refusal) else f"sends it on to {address}"
                self._tell(Step("forward", person.address, result))
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


def _refused(recipient: Recipient, status: str, reason: str) -> Destination:
    original = _original(recipient)
    return Destination(Kind.REFUSED, recipient.address, reason, original, status=status, notify=recipient.notify)


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
