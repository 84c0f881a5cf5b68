"""App passwords: what a mail program says in PLAIN for a person, who may take it back at any time."""

import re
from dataclasses import dataclass
from datetime import datetime

_FORM = re.compile(r"([0-9a-f]{16})-([a-z2-7]{26})")


@dataclass(frozen=True, slots=True)
class AppPassword:
    """One app password; of the password itself only a hash is known."""

    password_id: str
    person_id: str
    entity_id: str
    name: str  # what its owner calls it, such as "phone"
    hashed: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def assembled(password_id: str, secret: str) -> str:
    """What the owner is shown: the id (16 hexadecimal digits) finds the record, the secret (130 bits) proves it."""
    return f"{password_id}-{secret}"


def parts(password: str) -> tuple[str, str]:
    """The id and the secret of an app password; both empty when it has another form."""
    match = _FORM.fullmatch(password)
    return (match[1], match[2]) if match else ("", "")
