"""Use case: an app password is taken back, by its owner or a mail administrator of the entity."""

from dataclasses import dataclass, replace
from datetime import datetime

import errors
from rpc import Caller

from mail_routing.application.ports import AppPasswords, Deed
from mail_routing.application.trace import ADMIN


@dataclass(frozen=True, slots=True)
class RevokeAppPassword:
    app_passwords: AppPasswords

    async def __call__(self, caller: Caller, password_id: str, *, at: datetime) -> None:
        """It does not hold from now on; `NotFound` when it is not there for the caller."""
        found = await self.app_passwords.get(password_id)
        if found is None or not self._may(caller, found.person_id, found.entity_id):
            raise errors.NotFound("there is no such app password")
        if found.revoked_at is None:
            await self.app_passwords.put(replace(found, revoked_at=at), "revoke", Deed(caller, at))

    def _may(self, caller: Caller, person_id: str, entity_id: str) -> bool:
        own = caller.kind == "person" and caller.subject == person_id
        return own or (caller.has(ADMIN) and caller.may_act_for(entity_id))
