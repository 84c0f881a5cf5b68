"""Use case: a person makes a password for a mail program of theirs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from mail_routing.application.authenticate import Hasher
from mail_routing.application.ports import AppPasswords, Deed
from mail_routing.domain import app_password
from mail_routing.domain.app_password import AppPassword


@dataclass(frozen=True, slots=True)
class CreateAppPassword:
    app_passwords: AppPasswords
    hasher: Hasher
    new_secret: Callable[[], str]

    async def __call__(
        self, caller: Caller, name: str, *, password_id: str, expires_at: datetime | None, at: datetime
    ) -> tuple[AppPassword, str]:
        """The password's record, and the password, which nobody can be shown again.

        `password_id` follows from the request: when it comes again there is still one record, with a new secret.
        """
        shown = app_password.assembled(password_id, self.new_secret())
        hashed = await self.hasher.hash(shown)
        made = AppPassword(password_id, caller.subject, caller.entity_id, name, hashed, at, expires_at)
        await self.app_passwords.put(made, "create", Deed(caller, at))
        return made, shown
