"""Use case: the owner of an address, or the entity's mail administrators, say who may send in its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import errors
from rpc import Caller

from mail_routing.application.ports import Deed, Delegations, People
from mail_routing.application.trace import ADMIN
from mail_routing.domain import address
from mail_routing.domain.sending import Delegation, Right


@dataclass(frozen=True, slots=True)
class Delegate:
    """Grants, revokes and lists; the same question stands before each: whose address is it?"""

    people: People
    delegations: Delegations

    async def grant(self, caller: Caller, owner: str, right: Right, to: str, *, at: datetime) -> Delegation:
        """`to` is the address of a person or a group of the ministry; `NotFound` when there is none.

        `NotFound` also for an address that is not the caller's to give.
        """
        made = self._delegation(caller, owner, right, to)
        await self.delegations.put(made, Deed(caller, at))
        return made

    async def revoke(self, caller: Caller, owner: str, to: str, *, at: datetime) -> None:
        await self.delegations.remove(self._delegation(caller, owner, Right.ON_BEHALF, to), Deed(caller, at))

    async def list(self, caller: Caller, owner: str) -> Sequence[Delegation]:
        wanted, _ = self._own(caller, owner)
        return await self.delegations.of(wanted)

    def _delegation(self, caller: Caller, owner: str, right: Right, to: str) -> Delegation:
        wanted, entity_id = self._own(caller, owner)
        who = address.canonical(to)
        if person := self.people.person_at(who):
            return Delegation(wanted, entity_id, right, person_id=person.person_id)
        if group := self.people.list_at(who):
            return Delegation(wanted, entity_id, right, group_id=group.group_id)
        raise errors.NotFound("nobody in the ministry has that address")

    def _own(self, caller: Caller, owner: str) -> tuple[str, str]:
        """The address in the form in which it is kept, and its entity."""
        wanted = address.canonical(owner)
        entity_id = self.people.entity_of_domain(address.split(wanted)[1]) or ""
        mine = caller.kind == "person" and wanted in self.people.addresses_of(caller.subject)
        if not mine and not (entity_id and caller.has(ADMIN) and caller.may_act_for(entity_id)):
            raise errors.NotFound("there is no such address")
        return wanted, entity_id
