"""Use case: a person looks at the app passwords that they have made."""

from collections.abc import Sequence
from dataclasses import dataclass

from rpc import Caller

from mail_routing.application.ports import AppPasswords
from mail_routing.domain.app_password import AppPassword


@dataclass(frozen=True, slots=True)
class ListAppPasswords:
    app_passwords: AppPasswords

    async def __call__(self, caller: Caller, after: str, limit: int) -> tuple[Sequence[AppPassword], str]:
        """The next ones behind the id `after`, revoked ones among them, and where it goes on; "" at the end."""
        return await self.app_passwords.page(caller.subject, after, limit)
