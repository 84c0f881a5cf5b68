"""What comes is sealed and written by threads while more comes: whoever breaks off, and whatever fails, in between."""

import asyncio
import errno
import hashlib
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from blobs import CHUNK, Blobs, FileVault, GivenMasters, LocalBlobs, WrappedKeyring, local
from blobs.sealing import Sealed
from errors import Transient

WHOLE = hashlib.shake_256(b"batches").digest(23 * CHUNK + 5)
PIECE = 100_003


@pytest.fixture
async def blobs(tmp_path: Path) -> Blobs:
    opened = LocalBlobs(tmp_path, WrappedKeyring(GivenMasters([b"m" * 32]), FileVault(tmp_path / "keys")))
    await opened.prepare()
    return opened


async def go_on(blobs: Blobs, draft: str, end: int = len(WHOLE)) -> int:
    """Writes from where the draft stands, up to the end; where it stood."""
    async with blobs.resume(draft) as incoming:
        stood = incoming.size
        for at in range(stood, end, PIECE):
            await incoming.write(WHOLE[at : min(at + PIECE, end)])
    return stood


async def whole(blobs: Blobs, draft: str) -> bytes:
    await go_on(blobs, draft)
    async with blobs.resume(draft) as incoming:
        blob = await incoming.keep()
    return b"".join([part async for part in blobs.get(blob.ref)])


@pytest.mark.parametrize("waits", [0, 1, 3, 10, 30, 60])
async def test_who_is_cancelled_while_a_thread_works_leaves_a_draft_that_goes_on(blobs: Blobs, waits: int) -> None:
    draft = await blobs.begin("e01")
    for _ in range(3):
        writing = asyncio.create_task(go_on(blobs, draft))
        for _ in range(waits):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert await whole(blobs, draft) == WHOLE


class FullAt:
    """A disk that is full once so many chunks were written, until it is mended."""

    def __init__(self, chunks: int, written: Any) -> None:
        self._left = chunks
        self._written = written
        self.mended = False

    def __call__(self, file: int, chunks: Sequence[Sealed], at: int) -> int:
        fit = len(chunks) if self.mended else min(len(chunks), self._left)
        self._left -= fit
        done = int(self._written(file, chunks[:fit], at))
        if fit < len(chunks):
            raise OSError(errno.ENOSPC, "full")
        return done


@pytest.mark.parametrize("chunks", [1, 4, 6, 11, 23])
@pytest.mark.parametrize("end", [6 * CHUNK, len(WHOLE)])
async def test_a_disk_that_is_full_is_told_before_the_writer_is_let_go(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, chunks: int, end: int
) -> None:
    draft = await blobs.begin("e01")
    disk = FullAt(chunks, local._written)
    monkeypatch.setattr(local, "_written", disk)
    if chunks * CHUNK < end:
        with pytest.raises(Transient) as refused:
            await go_on(blobs, draft, end)
        assert refused.value.reason == "CONTENT_FULL"
    disk.mended = True
    assert await whole(blobs, draft) == WHOLE


async def test_a_put_that_fails_in_a_thread_leaves_nothing(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(local, "_written", FullAt(9, local._written))

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(WHOLE), PIECE):
            yield WHOLE[at : at + PIECE]

    with pytest.raises(Transient):
        await blobs.put("e01", pieces())
    assert list((tmp_path / "incoming").iterdir()) == list((tmp_path / "content").rglob("*")) == []


async def test_content_that_comes_in_crumbs_takes_no_more_memory_than_its_size(blobs: Blobs) -> None:
    async def crumbs() -> AsyncIterator[bytes]:
        for at in range(0, 3 * CHUNK, 3):
            yield WHOLE[at : at + 3]

    tracemalloc.start()
    try:
        blob = await blobs.put("e01", crumbs())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert blob.sha256 == hashlib.sha256(WHOLE[: 3 * CHUNK]).hexdigest()
    assert peak < 12 * CHUNK, "each crumb kept for itself takes five times as much"
