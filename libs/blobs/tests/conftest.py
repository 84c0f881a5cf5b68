import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from blobs import Blobs, FileVault, GivenMasters, GridFSBlobs, Keyring, LocalBlobs, StoreVault, Vault, WrappedKeyring
from blobs.s3 import Bucket, S3Blobs
from store import Database
from testkit.s3 import ACCESS_KEY, REGION, S3, SECRET_KEY

MASTER = b"m" * 32


@dataclass(frozen=True)
class Bench:
    """One kind of storage, opened as often as a test likes, and a look behind it."""

    vault: Vault
    opened: Callable[[Keyring], Blobs]
    stored: Callable[[], Awaitable[list[bytes]]]
    """Everything that lies there, content under way included: one element for each file or chunk."""

    async def open(self, masters: Sequence[bytes] = (MASTER,)) -> Blobs:
        """As another process would, with a keyring that remembers nothing."""
        blobs = self.opened(WrappedKeyring(GivenMasters(masters), self.vault))
        await blobs.prepare()
        return blobs


@pytest.fixture(params=["local", "gridfs", "s3"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path, database: Database) -> Bench:
    vault = StoreVault(database.collection("keys"))
    if request.param == "s3":
        return s3_bench(vault, request.getfixturevalue("s3"), request.getfixturevalue("bucket"))
    if request.param == "local":

        async def files() -> list[bytes]:
            folders = (tmp_path / "content", tmp_path / "incoming")
            return [path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()]

        return Bench(FileVault(tmp_path / "keys"), lambda keyring: LocalBlobs(tmp_path, keyring), files)

    async def documents() -> list[bytes]:
        chunks = [bytes(chunk["data"]) async for chunk in database.collection("content.chunks").find({})]
        return chunks + [b"upload" async for _ in database.collection("content.uploads").find({})]

    return Bench(vault, lambda keyring: GridFSBlobs(database, keyring), documents)


def s3_bench(vault: Vault, server: S3, name: str) -> Bench:
    client = boto3.client("s3", **server.client())

    def objects() -> list[bytes]:
        """As somebody else's program sees the bucket; a name that stands for nothing is empty."""
        listed = client.list_objects_v2(Bucket=name).get("Contents", [])
        found = [entry["Key"] for entry in listed if entry["Size"] and not entry["Key"].startswith("names/")]
        return [client.get_object(Bucket=name, Key=key)["Body"].read() for key in found]

    async def stored() -> list[bytes]:
        return await asyncio.to_thread(objects)

    where = Bucket(server.endpoint, name, REGION, ACCESS_KEY, SECRET_KEY)
    return Bench(vault, lambda keyring: S3Blobs(where, keyring), stored)


@pytest.fixture
async def blobs(bench: Bench) -> Blobs:
    return await bench.open()
