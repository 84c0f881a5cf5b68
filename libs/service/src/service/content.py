"""Content storage where the settings say. Imported only by services that have content."""

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Final

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
from errors import Invalid
from store import Database

from service.settings import Settings, WrongSettings

SWEEP_EVERY_SECONDS: Final = 3600.0
LONGEST_PUT: Final = timedelta(days=2)
_TURN_SECONDS: Final = 0.0005
"""How long a thread may keep the interpreter from one that comes back from hashing, sealing or writing."""


class Place:
    """Where content lies, set up at the start."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def start(self) -> None:
        await self._blobs.prepare()

    async def stop(self) -> None:
        """Nothing: what was put is there."""


def tune_process() -> None:
    """Sets memory and threads of this process for streams of content."""
    reuse_memory()
    sys.setswitchinterval(_TURN_SECONDS)


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
