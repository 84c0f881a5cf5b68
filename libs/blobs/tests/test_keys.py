"""Rotation without rewriting content, and keys that are gone for good, wherever the content lies."""

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from blobs import Blobs, FileVault, GivenMasters, LocalBlobs, MasterFile, WrappedKeyring
from blobs.vault import DESTROYED
from errors import Conflict, NotFound, Transient


async def pieces(whole: bytes) -> AsyncIterator[bytes]:
    yield whole


async def read(blobs: Blobs, ref: str) -> bytes:
    return b"".join([part async for part in blobs.get(ref)])


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


async def test_a_rotation_wraps_headers_and_writes_no_content(bench: Any, blobs: Blobs) -> None:
    contents = [b"%d" % number * 300_000 for number in range(3)]
    kept = [await blobs.put("e01", pieces(content)) for content in contents]
    other = await blobs.put("e02", pieces(b"other"))
    before = await bench.stored()
    assert await blobs.rotate("e01") == 3
    after = await bench.stored()
    assert {chunk[200:] for chunk in before} == {chunk[200:] for chunk in after}
    assert await blobs.finish_rotations(datetime.now(UTC) - timedelta(hours=1)) == 0
    late = await blobs.put("e01", pieces(b"late"))
    assert await blobs.finish_rotations(soon()) == 1
    assert await blobs.finish_rotations(soon()) == 0
    fresh = await bench.open()
    for blob, content in zip([*kept, other, late], [*contents, b"other", b"late"], strict=True):
        assert await read(fresh, blob.ref) == content
    assert await fresh.put("e01", pieces(contents[0])) == kept[0]


async def test_after_a_rotation_the_old_data_key_opens_nothing(bench: Any, blobs: Blobs) -> None:
    """What a thief had of the keys before is of no use for what lies there after it."""
    blob = await blobs.put("e01", pieces(b"content"))
    stolen = await bench.vault.load("e01")
    await blobs.rotate("e01")
    await blobs.finish_rotations(soon())
    now = await bench.vault.load("e01")
    assert await bench.vault.replace("e01", now, stolen)
    with pytest.raises(Exception, match="names a key that there is not"):
        await read(await bench.open(), blob.ref)


async def test_a_derived_key_stays_with_its_scope_and_goes_with_it(bench: Any, blobs: Blobs) -> None:
    """The same in every process and after a rotation, another one for each purpose and scope, none after shredding."""
    key = await blobs.derived_key("e01", "index")
    assert len({key, await blobs.derived_key("e01", "else"), await blobs.derived_key("e02", "index")}) == 3
    await blobs.rotate("e01")
    await blobs.finish_rotations(soon())
    assert await (await bench.open()).derived_key("e01", "index") == key
    assert key not in b"".join(await bench.stored()) + (await bench.vault.load("e01"))
    both = await bench.open([b"n" * 32, b"m" * 32])
    await both.shred("e01")
    with pytest.raises(NotFound) as refused:
        await both.derived_key("e01", "index")
    assert refused.value.reason == "SHREDDED"


async def test_a_draft_outlives_a_rotation(bench: Any, blobs: Blobs) -> None:
    draft = await blobs.begin("e01")
    async with blobs.resume(draft) as incoming:
        await incoming.write(b"one")
    await blobs.rotate("e01")
    async with (await bench.open()).resume(draft) as incoming:
        await incoming.write(b"two")
        blob = await incoming.keep()
    assert await blobs.finish_rotations(soon()) == 1
    assert await read(await bench.open(), blob.ref) == b"onetwo"


async def test_a_scope_that_was_shredded_is_gone_and_the_others_are_not(bench: Any, blobs: Blobs) -> None:
    gone, stays = [await blobs.put(scope, pieces(b"content")) for scope in ("e01", "e02")]
    draft = await blobs.begin("e01")
    both = await bench.open([b"n" * 32, b"m" * 32])
    shredding = await both.shred("e01")
    assert (shredding.scope, shredding.final) == ("e01", False)
    assert shredding.retired != shredding.wrapping
    only_new = await bench.open([b"n" * 32])
    for opened in (both, only_new):
        assert await read(opened, stays.ref) == b"content"
        with pytest.raises(NotFound) as refused:
            await read(opened, gone.ref)
        assert refused.value.reason == "SHREDDED"
        for act in (opened.put("e01", pieces(b"new")), opened.begin("e01"), opened.rotate("e01")):
            with pytest.raises(NotFound):
                await act
        with pytest.raises(NotFound):
            async with opened.resume(draft):
                pass
    assert (await only_new_and(bench).shred("e01")).scope == "e01"


async def test_keys_of_a_shredded_scope_that_come_back_from_a_backup_open_nothing(bench: Any, blobs: Blobs) -> None:
    """Content and wrapped keys lie there as before; the master key that had wrapped them was destroyed."""
    gone = await blobs.put("e01", pieces(b"content"))
    backup = await bench.vault.load("e01")
    await (await bench.open([b"n" * 32, b"m" * 32])).shred("e01")
    assert await bench.vault.replace("e01", DESTROYED, backup)
    restored = await bench.open([b"n" * 32])
    for act in (read(restored, gone.ref), restored.put("e01", pieces(b"new")), restored.derived_key("e01", "index")):
        with pytest.raises(Transient) as refused:
            await act
        assert refused.value.reason == "MASTER_KEY_UNKNOWN"


def only_new_and(bench: Any) -> Blobs:
    blobs: Blobs = bench.opened(WrappedKeyring(GivenMasters([b"x" * 32, b"n" * 32]), bench.vault))
    return blobs


async def test_a_master_key_that_was_given_is_not_destroyed_in_silence(blobs: Blobs) -> None:
    with pytest.raises(Conflict) as refused:
        await blobs.shred("e01")
    assert refused.value.reason == "MASTER_KEY_GIVEN"


def opened(folder: Path) -> LocalBlobs:
    return LocalBlobs(folder, WrappedKeyring(MasterFile(folder / "master.key"), FileVault(folder / "keys")))


async def test_a_restored_backup_of_a_shredded_scope_cannot_be_read(tmp_path: Path) -> None:
    """The backup holds content and wrapped keys, as they were; the master key is never in one."""
    live, backup = tmp_path / "live", tmp_path / "backup"
    blobs = opened(live)
    await blobs.prepare()
    gone, stays = [await blobs.put(scope, pieces(b"content")) for scope in ("e01", "e02")]
    shutil.copytree(live, backup, ignore=shutil.ignore_patterns("master.key"))
    shredding = await blobs.shred("e01")
    assert shredding.final
    for part in ("content", "keys"):
        shutil.rmtree(live / part)
        shutil.copytree(backup / part, live / part)
    restored = opened(live)
    for ref in (gone.ref, stays.ref):
        with pytest.raises(Transient) as refused:
            await read(restored, ref)
        assert refused.value.reason == "MASTER_KEY_UNKNOWN"


async def test_the_scopes_that_stay_are_read_after_a_shredding_and_a_restore_of_later(tmp_path: Path) -> None:
    blobs = opened(tmp_path)
    await blobs.prepare()
    stays = await blobs.put("e02", pieces(b"content"))
    await blobs.shred("e01")
    assert len(MasterFile(tmp_path / "master.key").keys()) == 1
    assert await read(opened(tmp_path), stays.ref) == b"content"
