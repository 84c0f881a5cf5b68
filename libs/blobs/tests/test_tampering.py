"""What somebody with access to the storage, and without the keys, can do: break content, and no more."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from blobs import CHUNK, Blob, Damaged, FileVault, GivenMasters, GridFSBlobs, LocalBlobs, StoreVault, WrappedKeyring
from blobs.sealing import HEADER, SEALED_CHUNK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store import Database

WHOLE = hashlib.shake_256(b"seed").digest(3 * CHUNK + 1000)


async def pieces(whole: bytes) -> AsyncIterator[bytes]:
    yield whole


async def read(blobs: LocalBlobs | GridFSBlobs, blob: Blob, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join([part async for part in blobs.get(blob.ref, offset, length)])


class Attacked:
    """Local content whose file a test may change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = LocalBlobs(folder, WrappedKeyring(GivenMasters([b"m" * 32]), FileVault(folder / "keys")))

    async def put(self, whole: bytes, scope: str = "e01") -> tuple[Blob, Path]:
        blob = await self.blobs.put(scope, pieces(whole))
        (path,) = self.folder.rglob(blob.ref.partition(":")[2])
        return blob, path


@pytest.fixture
async def attacked(tmp_path: Path) -> Attacked:
    attacked = Attacked(tmp_path)
    await attacked.blobs.prepare()
    return attacked


quick = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(at=st.integers(0, HEADER + 4 * 28 + len(WHOLE) - 1), bit=st.integers(0, 7))
async def test_no_bit_can_be_changed(attacked: Attacked, at: int, bit: int) -> None:
    blob, path = await attacked.put(WHOLE)
    sealed = path.read_bytes()
    assert len(sealed) == HEADER + 4 * 28 + len(WHOLE)
    path.write_bytes(sealed[:at] + bytes([sealed[at] ^ 1 << bit]) + sealed[at + 1 :])
    try:
        with pytest.raises(Damaged):
            await read(attacked.blobs, blob)
    finally:
        path.write_bytes(sealed)
    assert await read(attacked.blobs, blob) == WHOLE


@quick
@given(
    length=st.integers(0, HEADER + 4 * 28 + len(WHOLE) - 1)
    | st.sampled_from([HEADER + n * SEALED_CHUNK for n in range(4)])
)
async def test_nothing_can_be_cut_off(attacked: Attacked, length: int) -> None:
    blob, path = await attacked.put(WHOLE)
    sealed = path.read_bytes()
    path.write_bytes(sealed[:length])
    try:
        with pytest.raises(Damaged):
            await read(attacked.blobs, blob)
    finally:
        path.write_bytes(sealed)


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (0, 2, 1, 3), (0, 1, 1, 3), (0, 1, 3, 2), (0, 1, 3)])
async def test_chunks_cannot_be_moved_repeated_or_left_out(attacked: Attacked, order: tuple[int, ...]) -> None:
    blob, path = await attacked.put(WHOLE)
    sealed = path.read_bytes()
    chunks = [sealed[HEADER + n * SEALED_CHUNK : HEADER + (n + 1) * SEALED_CHUNK] for n in range(4)]
    path.write_bytes(sealed[:HEADER] + b"".join(chunks[n] for n in order))
    with pytest.raises(Damaged):
        await read(attacked.blobs, blob)


@pytest.mark.parametrize("scope", ["e01", "e02"])
async def test_content_cannot_be_put_in_the_place_of_other_content(attacked: Attacked, scope: str) -> None:
    blob, path = await attacked.put(WHOLE)
    _, other = await attacked.put(WHOLE[:-1], scope)
    path.write_bytes(other.read_bytes())
    with pytest.raises(Damaged):
        await attacked.blobs.stat(blob.ref)


async def test_a_chunk_of_other_content_of_the_scope_does_not_fit(attacked: Attacked) -> None:
    blob, path = await attacked.put(WHOLE)
    _, other = await attacked.put(WHOLE[: 2 * CHUNK] + b"!" * CHUNK + WHOLE[3 * CHUNK :])
    first = slice(HEADER, HEADER + SEALED_CHUNK)
    sealed = bytearray(path.read_bytes())
    sealed[first] = other.read_bytes()[first]
    path.write_bytes(sealed)
    with pytest.raises(Damaged):
        await read(attacked.blobs, blob)


async def test_a_range_costs_only_the_chunks_that_it_touches(attacked: Attacked) -> None:
    blob, path = await attacked.put(WHOLE)
    sealed = bytearray(path.read_bytes())
    sealed[HEADER + 5] ^= 1  # chunk 0
    path.write_bytes(sealed)
    assert await read(attacked.blobs, blob, CHUNK, 2 * CHUNK) == WHOLE[CHUNK : 3 * CHUNK]
    with pytest.raises(Damaged):
        await read(attacked.blobs, blob, CHUNK - 1, 2)


async def test_wrapped_keys_that_were_changed_or_moved_open_nothing(attacked: Attacked, tmp_path: Path) -> None:
    await attacked.put(WHOLE, "e01")
    await attacked.put(WHOLE, "e02")
    keys = [tmp_path / "keys" / f"{scope}.key" for scope in ("e01", "e02")]
    keys[0].write_bytes(keys[1].read_bytes())
    fresh = Attacked(tmp_path)
    with pytest.raises(Exception, match="damaged"):
        await fresh.put(b"new")


async def test_in_mongodb_too(database: Database) -> None:
    blobs = GridFSBlobs(database, WrappedKeyring(GivenMasters([b"m" * 32]), StoreVault(database.collection("keys"))))
    await blobs.prepare()
    blob = await blobs.put("e01", pieces(WHOLE))
    chunks = database.collection("content.chunks")
    stored = {chunk["n"]: chunk async for chunk in chunks.find({})}

    async def change(n: int, data: bytes) -> None:
        await chunks.update(stored[n]["_id"], {"$set": {"data": data}})

    await change(1, stored[2]["data"])
    with pytest.raises(Damaged):
        await read(blobs, blob)
    await change(1, stored[1]["data"])
    assert await read(blobs, blob) == WHOLE
    await chunks.delete(stored[3]["_id"])
    with pytest.raises(Damaged):
        await read(blobs, blob)
    files = database.collection("content.files")
    file = await files.find_one({})
    assert file is not None
    await files.update(file["_id"], {"$set": {"metadata.header": bytes(HEADER)}})
    with pytest.raises(Damaged):
        await blobs.stat(blob.ref)
