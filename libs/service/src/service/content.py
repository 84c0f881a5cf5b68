"""Content storage as a component. Imported only by services that have content."""

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import telemetry
from blobs import (
    Blobs,
    FileVault,
    GivenMasters,
    GridFSBlobs,
    LocalBlobs,
    MasterFile,
    StoreVault,
    WrappedKeyring,
    master_key,
    reuse_memory,
)
from errors import Invalid, Transient
from store import Database

from service.settings import Settings, WrongSettings

log = telemetry.logger(__name__)

_SWEEP_EVERY_SECONDS: Final = 3600.0
_LONGEST_PUT: Final = timedelta(days=2)
_TURN_SECONDS: Final = 0.0005
"""How long a thread may keep the interpreter from one that comes back from hashing, sealing or writing."""


class Content:
    """Content storage: set up at the start, and swept of what processes that died left behind."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        reuse_memory()
        sys.setswitchinterval(_TURN_SECONDS)
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
    """Content storage where BLOBS says: in DATA_PATH, in the database, which is asked for only then, or on S3."""
    masters = _given_masters(settings)
    if settings.blobs == "local":
        folder = settings.data_path / "blobs"
        keyring = WrappedKeyring(masters or MasterFile(folder / "master.key"), FileVault(folder / "keys"))
        return LocalBlobs(folder, keyring)
    if masters is None:
        raise WrongSettings("BLOBS_MASTER_KEY: needed for content outside DATA_PATH, the same in all processes")
    keyring = WrappedKeyring(masters, StoreVault(database().collection("blob_keys")))
    return GridFSBlobs(database(), keyring) if settings.blobs == "gridfs" else _on_s3(settings, keyring)


def _given_masters(settings: Settings) -> GivenMasters | None:
    given = settings.blobs_master_key
    try:
        keys = [master_key(text) for text in given.get_secret_value().split(",")] if given else []
    except Invalid as error:
        raise WrongSettings(f"BLOBS_MASTER_KEY: {error}") from None
    return GivenMasters(keys) if keys else None


def _on_s3(settings: Settings, keyring: WrappedKeyring) -> Blobs:
    from blobs.s3 import Bucket, S3Blobs  # noqa: PLC0415 - only who has a bucket loads its client

    if not settings.blobs_s3_bucket:
        raise WrongSettings("BLOBS_S3_BUCKET: needed for content on S3")
    secret = settings.blobs_s3_secret_key
    bucket = Bucket(
        settings.blobs_s3_endpoint,
        settings.blobs_s3_bucket,
        settings.blobs_s3_region,
        settings.blobs_s3_access_key,
        secret.get_secret_value() if secret else "",
    )
    return S3Blobs(bucket, keyring)
