import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from blobs import FileVault, GivenMasters, LocalBlobs, MasterFile, WrappedKeyring, master_key
from errors import Invalid, NotFound, Transient
from testkit.small_disk import NoDisk, small_disk

PUT = """
import asyncio, sys
from pathlib import Path
from blobs import FileVault, GivenMasters, LocalBlobs, WrappedKeyring

async def put(folder):
    blobs = LocalBlobs(folder, WrappedKeyring(GivenMasters([b"m" * 32]), FileVault(folder / "keys")))
    await blobs.prepare()
    async def pieces():
        for _ in range(10):
            yield b"x" * 300_000
    print((await blobs.put("e01", pieces())).ref, flush=True)

asyncio.run(put(Path(sys.argv[1])))
"""


def opened(folder: Path) -> LocalBlobs:
    return LocalBlobs(folder, WrappedKeyring(GivenMasters([b"m" * 32]), FileVault(folder / "keys")))


def put_and_die_at(point: str, folder: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-c", PUT, str(folder)], env={"ROSSIO_KILL_AT": point}, capture_output=True, check=False
    )
    assert died.returncode == -signal.SIGKILL
    assert died.stdout == b""


def lying(folder: Path) -> set[Path]:
    """All but locks, which are files without content."""
    return {path for path in files(folder) if "locks" not in path.parts}


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_process_that_dies_before_the_end_leaves_nothing_that_can_be_read(tmp_path: Path) -> None:
    await asyncio.to_thread(put_and_die_at, "blobs.put.written", tmp_path)
    assert files(tmp_path / "content") == []
    assert await opened(tmp_path).sweep(datetime.now(UTC) + timedelta(minutes=1)) == 1
    assert files(tmp_path / "incoming") == []


async def test_a_process_that_dies_after_it_leaves_the_whole(tmp_path: Path) -> None:
    await asyncio.to_thread(put_and_die_at, "blobs.put.kept", tmp_path)
    assert files(tmp_path / "incoming") == []
    (path,) = files(tmp_path / "content")
    parts = [part async for part in opened(tmp_path).get(f"e01:{path.name}")]
    assert b"".join(parts) == b"x" * 3_000_000


async def test_the_folders_are_sharded_and_for_their_owner_alone(tmp_path: Path) -> None:
    blobs = opened(tmp_path)
    await blobs.prepare()

    async def pieces():
        yield b"content"

    blob = await blobs.put("e01", pieces())
    (path,) = files(tmp_path / "content")
    name = blob.ref.partition(":")[2]
    assert path == tmp_path / "content" / "e01" / name[:2] / name[2:4] / name
    for made in [path, *path.parents[:4], *files(tmp_path / "keys")]:
        assert stat.S_IMODE(made.stat().st_mode) & 0o077 == 0


async def test_what_is_kept_takes_no_more_of_the_disk_than_it_needs(tmp_path: Path) -> None:
    """Room for eight megabytes is found at once while content comes."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield os.urandom(1 << 20)

    blobs = opened(tmp_path)
    await blobs.prepare()
    await blobs.put("e01", pieces())
    (path,) = files(tmp_path / "content")
    assert path.stat().st_blocks * 512 <= path.stat().st_size + (64 << 10)


async def test_a_new_draft_that_a_power_cut_has_emptied_is_gone(tmp_path: Path) -> None:
    blobs = opened(tmp_path)
    await blobs.prepare()
    draft = await blobs.begin("e01")
    (path,) = files(tmp_path / "incoming")
    os.truncate(path, 0)
    with pytest.raises(NotFound, match="no such draft"):
        async with blobs.resume(draft):
            pass


async def test_a_disk_that_does_not_work_is_transient(tmp_path: Path) -> None:
    blobs = opened(tmp_path)
    await blobs.prepare()

    async def pieces():
        yield b"content"

    await blobs.put("e01", pieces())
    shutil.rmtree(tmp_path / "incoming")
    with pytest.raises(Transient) as refused:
        await blobs.put("e01", pieces())
    assert refused.value.reason == "CONTENT_DISK"


async def test_a_full_disk_is_left_with_nothing_half_neither_content_nor_keys(tmp_path: Path) -> None:
    async def pieces():
        yield os.urandom(100_000)

    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(tmp_path, 1024))
        except NoDisk as lack:
            pytest.skip(str(lack))
        blobs = opened(tmp_path)
        await blobs.prepare()
        await blobs.put("e01", pieces())
        disk.fill()
        before = lying(tmp_path)
        for scope in ("e01", "e02"):  # e02 has no keys yet
            with pytest.raises(Transient) as refused:
                await blobs.put(scope, pieces())
            assert refused.value.reason == "CONTENT_FULL"
        assert lying(tmp_path) == before
        disk.free()
        for scope in ("e01", "e02"):
            await blobs.put(scope, pieces())


def test_a_master_key_file_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "master.key"
    (key,) = MasterFile(path).keys()
    assert len(key) == 32
    assert MasterFile(path).keys() == [key]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "short", "AAAA", "not base64 at all!", "A" * 44])
def test_a_master_key_that_is_none_is_invalid(text: str) -> None:
    with pytest.raises(Invalid):
        master_key(text)
