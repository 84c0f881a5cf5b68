"""The connection to MongoDB, and what is set up before the first write."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from errors import Conflict, Invalid
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import IndexModel
from pymongo.errors import ConfigurationError

from store.collection import Collection
from store.failures import INDEX_DIFFERS, translated
from store.files import Files
from store.operations import Document
from store.sessions import Sessions

_SELECT_SERVER: Final = timedelta(seconds=5)
_CONNECT: Final = timedelta(seconds=5)
_ANSWER: Final = timedelta(seconds=30)
_NO_URI: Final = (
    "no URI of a store: it is mongodb://user:password@host:port/?replicaSet=name, "
    "where @ : / and % in user and password are written %40 %3A %2F %25"
)


@dataclass(frozen=True, slots=True)
class Index:
    """An index on fields, each ascending, or descending where the name starts with "-".

    `expire_after` makes it a TTL index: documents go some time after the date in the field, so
    queries filter what is expired themselves.
    """

    keys: Sequence[str]
    unique: bool = False
    sparse: bool = False
    expire_after: timedelta | None = None

    def model(self) -> IndexModel:
        options: dict[str, Any] = {"unique": self.unique, "sparse": self.sparse}
        if self.expire_after is not None:
            options["expireAfterSeconds"] = int(self.expire_after.total_seconds())
        return IndexModel([(key.lstrip("-"), -1 if key.startswith("-") else 1) for key in self.keys], **options)


OUTBOX_INDEX: Final = Index(["outbox.at"], sparse=True)


class Database:
    """One database of one client. It belongs to the event loop in which it was connected."""

    def __init__(self, client: AsyncIOMotorClient[Document], name: str) -> None:
        self._client = client
        self._database = client[name]
        self._sessions = Sessions(client, self._database)
        self._collections: dict[str, Collection] = {}

    def collection(self, name: str, *, grouped: bool = False) -> Collection:
        """The collection of that name, always the same object, so that its hooks hear every write."""
        if name not in self._collections:
            self._collections[name] = Collection(self._database[name], self._sessions, grouped=grouped)
        return self._collections[name]

    def files(self, bucket: str) -> Files:
        """A bucket of large binary content."""
        return Files(self._database, bucket)

    async def ensure(self, collection: Collection, indexes: Sequence[Index] = ()) -> None:
        """Creates the indexes that are missing, the one of the outbox among them.

        Conflict INDEX_DIFFERS when one is there with other options, ALREADY_EXISTS when documents are there that a
        unique one does not allow; it says which, and what to do.
        """
        wanted = [index.model() for index in (*indexes, OUTBOX_INDEX)]
        try:
            await self._create(collection, wanted)
        except Conflict as error:
            names = [str(each.document["name"]) for each in wanted if await self._fails(collection, each)]
            said = _differing if error.reason == INDEX_DIFFERS else _doubled
            raise said(self._database.name, collection.name, names) from None

    async def _create(self, collection: Collection, wanted: Sequence[IndexModel]) -> None:
        with translated():
            await self._database[collection.name].create_indexes(wanted)

    async def _fails(self, collection: Collection, wanted: IndexModel) -> bool:
        try:
            await self._create(collection, [wanted])
        except Conflict:
            return True
        return False

    async def succeed(self, owner: str) -> None:
        """Ends what a process of this name has left open when it died; `owner` names one process at a time.

        Where no collection is grouped there is nothing that could be.
        """
        if any(each.grouped for each in self._collections.values()):
            with translated():
                await self._sessions.succeed(owner)

    async def now(self) -> datetime:
        """The server's clock."""
        with translated():
            hello = await self._client.admin.command("hello")
        return cast("datetime", hello["localTime"]).replace(tzinfo=UTC)

    async def ping(self) -> None:
        """Transient when the server does not answer."""
        with translated():
            await self._client.admin.command("ping")

    async def drop(self) -> None:
        """Removes the database and all in it."""
        with translated():
            await self._client.drop_database(self._database.name)

    async def close(self) -> None:
        """Ends the connections; it tells the server, which may take a while, so a thread does it."""
        await asyncio.to_thread(self._client.close)


def _differing(database: str, collection: str, names: Sequence[str]) -> Conflict:
    drop = "; ".join(f'db.getSiblingDB("{database}").{collection}.dropIndex("{name}")' for name in names)
    return Conflict(
        f"{database}.{collection} has indexes of another release with other options: {', '.join(names)}. "
        f"Drop them, and start again: {drop}",
        reason=INDEX_DIFFERS,
    )


def _doubled(database: str, collection: str, names: Sequence[str]) -> Conflict:
    return Conflict(
        f"{database}.{collection} has documents that are the same where this release allows one of them: "
        f"{', '.join(names)} cannot be made. Remove what is there twice, and start again",
        reason="ALREADY_EXISTS",
    )


def connect(uri: str, database: str) -> Database:
    """A database of the running event loop; the first command opens the connections.

    Writes wait for a majority and the journal. The embedded Python server slows down over a long
    life with retryable writes: its URI says `retryWrites=false`.

    Raises:
        Invalid: the URI is none.
    """
    try:
        client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            uri,
            io_loop=asyncio.get_running_loop(),
            w="majority",
            journal=True,
            tz_aware=True,
            uuidRepresentation="standard",
            serverSelectionTimeoutMS=_milliseconds(_SELECT_SERVER),
            connectTimeoutMS=_milliseconds(_CONNECT),
            socketTimeoutMS=_milliseconds(_ANSWER),
        )
    except (ConfigurationError, ValueError):
        raise Invalid(_NO_URI, reason="STORE_URI") from None  # the driver's text may show a part of it
    return Database(client, database)


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
