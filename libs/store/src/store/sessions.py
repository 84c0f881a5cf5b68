"""The sessions in which a process makes its commits, written down so that its successor can end them.

A process that dies within a transaction keeps the documents in it from every other writer until the store gives the
transaction up, which may be a minute. Whoever is started in its place need not wait for that.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from bson import Binary
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession, AsyncIOMotorDatabase
from pymongo.errors import PyMongoError

from store.operations import Document

COLLECTION: Final = "sessions"


class Sessions:
    """As many as are used at one time, each again and again; before `succeed` none is written down."""

    def __init__(self, client: AsyncIOMotorClient[Document], database: AsyncIOMotorDatabase[Document]) -> None:
        self._client = client
        self._owners = database[COLLECTION]
        self._owner = ""
        self._idle: list[AsyncIOMotorClientSession] = []

    async def succeed(self, owner: str) -> None:
        """Ends what one of this name has left open, and writes down under it what is begun from now on."""
        before = await self._owners.find_one({"_id": owner})
        if before is not None and before["sessions"]:
            await self._client.admin.command(
                "killSessions", [{"id": Binary.from_uuid(each)} for each in before["sessions"]]
            )
        await self._owners.replace_one({"_id": owner}, {"sessions": []}, upsert=True)
        self._owner = owner

    @asynccontextmanager
    async def one(self) -> AsyncIterator[AsyncIOMotorClientSession]:
        """A session that nobody else uses."""
        session = self._idle.pop() if self._idle else await self._fresh()
        try:
            yield session
        except asyncio.CancelledError:  # the driver's thread may still be at work in it
            await session.end_session()
            raise
        except PyMongoError:
            self._idle.append(session)
            raise
        self._idle.append(session)

    async def _fresh(self) -> AsyncIOMotorClientSession:
        session = await self._client.start_session()
        if self._owner:
            known = cast("Mapping[str, Any]", session.session_id)["id"]
            await self._owners.update_one({"_id": self._owner}, {"$addToSet": {"sessions": known}}, upsert=True)
        return session
