"""The components that every service is made of."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import rpc
import telemetry
from errors import Conflict, Transient
from grpc import aio
from store import Collection, Database, Index
from telemetry.background import end, keep

from service.addresses import CannotStart, binding

log = telemetry.logger(__name__)

_LOOK_EVERY_SECONDS: Final = 5.0
_TRY_AGAIN_SECONDS: Final = 1.0


class Store:
    """The database: its indexes are there before anything uses it, and it is watched while it is used."""

    def __init__(self, database: Database, place: str) -> None:
        """`place`: whoever is started there succeeds the one that has died there."""
        self.database = database
        self._place = place
        self._indexes: list[Callable[[], Awaitable[None]]] = []
        self._watch: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    def index(self, collection: Collection, indexes: Sequence[Index]) -> None:
        """Has these indexes created at the start."""
        self.index_by(lambda: self.database.ensure(collection, indexes))

    def index_by(self, create: Callable[[], Awaitable[None]]) -> None:
        """Has indexes of another making created with the rest; it is called again when the store was away."""
        self._indexes.append(create)

    async def start(self) -> None:
        await self._create()
        await self.database.succeed(self._place)
        telemetry.health.check("store", lambda: self._trouble)
        self._watch = keep("store watch", self._keep_looking())

    async def stop(self) -> None:
        await end(self._watch)
        await self.database.close()

    async def prepare(self, seconds: float) -> None:
        """Creates the indexes and nothing else; CannotStart when they are not there after so long."""
        end = time.monotonic() + seconds
        while True:
            try:
                return await self._create()
            except Transient as error:
                if time.monotonic() >= end:
                    raise CannotStart(
                        f"no indexes within {seconds:g} s: {error} "
                        "Look at MONGODB_URI; where large collections take longer, set PREPARE_SECONDS to more"
                    ) from None
            await asyncio.sleep(_TRY_AGAIN_SECONDS)

    async def _create(self) -> None:
        await self.database.ping()
        try:
            for create in self._indexes:
                await create()
        except Conflict as error:
            raise CannotStart(str(error)) from None

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            try:
                await self.database.ping()
            except Transient as error:
                if self._trouble is None:
                    log.warning("the store is away", reason=error.reason)
                self._trouble = str(error)
            else:
                if self._trouble is not None:
                    log.info("the store is back")
                self._trouble = None


class Calls:
    """The gRPC server."""

    def __init__(self, server: rpc.Server, address: str, drain_seconds: float) -> None:
        self._server = server
        self._address = address
        self._drain_seconds = drain_seconds

    async def start(self) -> None:
        with binding(self._address, "GRPC_ADDRESS"):
            port = await self._server.start()
        log.info("serves gRPC", port=port)

    async def stop(self) -> None:
        await self._server.stop(self._drain_seconds)


class Peer:
    """A channel to another service, closed at the end."""

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel

    async def start(self) -> Any:
        """Nothing: it connects when the first call is made."""

    async def stop(self) -> None:
        await self.channel.close()
