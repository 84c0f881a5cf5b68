"""Content storage as a component. Imported only by services that have content."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import telemetry
from blobs import (
    Blobs,
    FileVault,
    GridFSBlobs,
    LocalBlobs,
    StoreVault,
    WrappedKeyring,
    master_key,
    master_key_file,
)
from errors import Invalid, Transient
from store import Database

from service.settings import Settings, WrongSettings

log = telemetry.logger(__name__)

_SWEEP_EVERY_SECONDS: Final = 3600.0
_LONGEST_PUT: Final = timedelta(days=1)


class Content:
    """Content storage: set up at the start, and swept of what processes that died left behind."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.blobs.prepare()
        self._sweeping = asyncio.create_task(self._keep_sweeping(), name="content sweep")

    async def stop(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()

    async def _keep_sweeping(self) -> None:
        while True:
            try:
                swept = await self.blobs.sweep(datetime.now(UTC) - _LONGEST_PUT)
            except Transient as error:
                log.warning("content could not be swept", reason=error.reason)
            else:
                if swept:
                    log.info("content swept", count=swept)
            await asyncio.sleep(_SWEEP_EVERY_SECONDS)


def chosen(settings: Settings, database: Callable[[], Database]) -> Blobs:
    """Content storage where BLOBS says: in DATA_PATH, or in the database, which is asked for only then."""
    given = settings.blobs_master_key
    try:
        master = master_key(given.get_secret_value()) if given else None
    except Invalid as error:
        raise WrongSettings(f"BLOBS_MASTER_KEY: {error}") from None
    if settings.blobs == "local":
        folder = settings.data_path / "blobs"
        keyring = WrappedKeyring([master or master_key_file(folder / "master.key")], FileVault(folder / "keys"))
        return LocalBlobs(folder, keyring)
    if master is None:
        raise WrongSettings("BLOBS_MASTER_KEY: needed for content in the database, the same in all processes")
    return GridFSBlobs(database(), WrappedKeyring([master], StoreVault(database().collection("blob_keys"))))
