"""App passwords and delegations in MongoDB, each change with its audit record in the same write.

app_passwords  {_id, version, person_id, entity_id, name, hashed, created_at, expires_at, revoked_at, outbox}
delegations    {_id, version, owner, entity_id, right, person_id, group_id, removed, outbox}
"""

from collections.abc import Sequence
from typing import Final

import messaging
from store import Collection, Document, Index, OutboxRecord

from mail_routing.application.ports import Deed
from mail_routing.domain.app_password import AppPassword
from mail_routing.domain.sending import Delegation, Right

APP_PASSWORD_INDEXES: Final = (Index(["person_id", "_id"]),)
DELEGATION_INDEXES: Final = (Index(["owner"]),)


def audited(action: str, entity_id: str, resource: str, deed: Deed, **details: str) -> OutboxRecord:
    """The record that somebody did something, to be written with it."""
    return messaging.audited(
        action,
        at=deed.at,
        entity_id=entity_id,
        actor=deed.by.subject,
        actor_entity_id=deed.by.entity_id,
        resource=resource,
        details=details,
    )


class StoredAppPasswords:
    """`AppPasswords`, one document each; a revoked one stays, so that its id is never another's."""

    def __init__(self, passwords: Collection) -> None:
        self._passwords = passwords

    async def get(self, password_id: str) -> AppPassword | None:
        found = await self._passwords.get(password_id)
        return _password(found) if found else None

    async def put(self, password: AppPassword, verb: str, deed: Deed) -> None:
        change = {
            "person_id": password.person_id,
            "entity_id": password.entity_id,
            "name": password.name,
            "hashed": password.hashed,
            "created_at": password.created_at,
            "expires_at": password.expires_at,
            "revoked_at": password.revoked_at,
        }
        fact = audited(f"mail.app_password.{verb}", password.entity_id, password.password_id, deed)
        await self._passwords.update(password.password_id, {"$set": change}, upsert=True, facts=[fact])

    async def page(self, person_id: str, after: str, limit: int) -> tuple[Sequence[AppPassword], str]:
        position = (after, after) if after else None
        page = await self._passwords.page({"person_id": person_id}, "_id", position, limit)
        return [_password(found) for found in page.documents], str(page.after[1]) if page.after else ""


class StoredDelegations:
    """`Delegations`, one document for each address and who may use it."""

    def __init__(self, delegations: Collection) -> None:
        self._delegations = delegations

    async def of(self, owner: str) -> Sequence[Delegation]:
        found = self._delegations.find({"owner": owner})
        return [_delegation(document) async for document in found if not document["removed"]]

    async def put(self, delegation: Delegation, deed: Deed) -> None:
        await self._write(delegation, deed, "grant", removed=False)

    async def remove(self, delegation: Delegation, deed: Deed) -> None:
        if await self._delegations.get(delegation.delegation_id, projection={"_id": True}):
            await self._write(delegation, deed, "revoke", removed=True)

    async def _write(self, delegation: Delegation, deed: Deed, verb: str, *, removed: bool) -> None:
        change = {
            "owner": delegation.owner,
            "entity_id": delegation.entity_id,
            "right": delegation.right.value,
            "person_id": delegation.person_id,
            "group_id": delegation.group_id,
            "removed": removed,
        }
        to = delegation.person_id or delegation.group_id
        fact = audited(
            f"mail.delegation.{verb}", delegation.entity_id, delegation.owner, deed, to=to, right=delegation.right.value
        )
        await self._delegations.update(delegation.delegation_id, {"$set": change}, upsert=True, facts=[fact])


def _password(document: Document) -> AppPassword:
    return AppPassword(
        password_id=document["_id"],
        person_id=document["person_id"],
        entity_id=document["entity_id"],
        name=document["name"],
        hashed=document["hashed"],
        created_at=document["created_at"],
        expires_at=document["expires_at"],
        revoked_at=document["revoked_at"],
    )


def _delegation(document: Document) -> Delegation:
    return Delegation(
        owner=document["owner"],
        entity_id=document["entity_id"],
        right=Right(document["right"]),
        person_id=document["person_id"],
        group_id=document["group_id"],
    )
