"""Whether a caller may send a mail in the names that it bears; SMTP submission and Submit ask the same."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from rpc import Caller

from mail_routing.application.ports import Delegations, People
from mail_routing.domain import headers, sending
from mail_routing.domain.sending import Right, Standing


class Authorise:
    """Returns the mail as it goes on: with a Sender field, where it is sent on behalf of somebody.

    People have their own addresses and what was delegated to them, services those of `service_senders`, patterns by
    subject. `NotAllowed` as in `sending.decide`; `Invalid` (MALFORMED_MAIL, MALFORMED_AUTHOR) for what cannot be read.
    """

    def __init__(self, people: People, delegations: Delegations, service_senders: Mapping[str, Sequence[str]]) -> None:
        self._people = people
        self._delegations = delegations
        self._service_senders = service_senders

    async def __call__(self, caller: Caller, envelope: str, content: bytes) -> bytes:
        present = headers.read(content)
        standing = await self._standing(caller, sending.used(envelope, present))
        added = sending.decide(standing, envelope, present)
        return f"Sender: <{added}>\r\n".encode() + content if added else content

    async def _standing(self, caller: Caller, addresses: frozenset[str]) -> Standing:
        if caller.kind != "person":
            patterns = self._service_senders.get(caller.subject, ()) if caller.kind == "service" else ()
            return Standing(lambda wanted: any(fnmatchcase(wanted, pattern) for pattern in patterns), {}, "")
        own = self._people.addresses_of(caller.subject)
        rights: dict[str, Right] = {}
        for wanted in addresses.difference(own) if own else ():
            found = await self._delegations.of(wanted)
            held = {each.right for each in found if self._has(caller.subject, each)}
            if held:
                rights[wanted] = Right.SEND_AS if Right.SEND_AS in held else Right.ON_BEHALF
        return Standing(frozenset(own).__contains__, rights, own[0] if own else "")

    def _has(self, person_id: str, delegation: sending.Delegation) -> bool:
        if delegation.group_id:
            return self._people.in_group(person_id, delegation.group_id)
        return delegation.person_id == person_id
