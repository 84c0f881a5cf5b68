"""What content storage promises, wherever the content lies."""

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from blobs import CHUNK, Blob, Blobs
from errors import Invalid, NotFound, Transient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK, 5 * CHUNK + 17]


def content(size: int, seed: int = 0) -> bytes:
    """Bytes without any pattern, the same for the same arguments."""
    return hashlib.shake_256(b"%d" % seed).digest(size)


async def pieces(whole: bytes, size: int = 100_003) -> AsyncIterator[bytes]:
    for at in range(0, len(whole), size):
        yield whole[at : at + size]


async def read(blobs: Blobs, blob: Blob, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join([part async for part in blobs.get(blob.ref, offset, length)])


@pytest.mark.parametrize("size", SIZES)
async def test_content_comes_back_with_its_size_and_hash(blobs: Blobs, size: int) -> None:
    whole = content(size)
    blob = await blobs.put("e01", pieces(whole))
    assert (blob.size, blob.sha256) == (size, hashlib.sha256(whole).hexdigest())
    assert await read(blobs, blob) == whole
    assert await blobs.stat(blob.ref) == blob
    assert await blobs.exists(blob.ref)


async def test_parts_are_never_longer_than_a_chunk(blobs: Blobs) -> None:
    blob = await blobs.put("e01", pieces(content(3 * CHUNK + 5), 10**9))
    assert [len(part) async for part in blobs.get(blob.ref)] == [CHUNK, CHUNK, CHUNK, 5]


async def test_how_it_was_cut_does_not_matter(blobs: Blobs) -> None:
    whole = content(2 * CHUNK + 999)

    async def odd() -> AsyncIterator[bytes]:
        yield b""
        async for piece in pieces(whole, 7919):
            yield piece
            yield b""

    assert await blobs.put("e01", odd()) == await blobs.put("e01", pieces(whole, 10**9))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offset=st.integers(0, 4 * CHUNK), length=st.none() | st.integers(0, 4 * CHUNK), size=st.sampled_from(SIZES))
@example(offset=CHUNK, length=CHUNK, size=4 * CHUNK)
@example(offset=CHUNK - 1, length=2, size=4 * CHUNK)
@example(offset=0, length=0, size=0)
async def test_any_range_is_that_slice(blobs: Blobs, offset: int, length: int | None, size: int) -> None:
    whole = content(size)
    blob = await blobs.put("e01", pieces(whole))
    if offset > size:
        with pytest.raises(Invalid) as refused:
            await read(blobs, blob, offset, length)
        assert refused.value.reason == "RANGE"
    else:
        end = size if length is None else offset + length
        assert await read(blobs, blob, offset, length) == whole[offset:end]


@pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1), (11, None), (11, 0)])
async def test_a_range_that_cannot_be_is_invalid(blobs: Blobs, offset: int, length: int | None) -> None:
    blob = await blobs.put("e01", pieces(content(10)))
    with pytest.raises(Invalid):
        await read(blobs, blob, offset, length)


async def test_equal_content_meets_inside_a_scope_and_is_stored_once(bench: Any, blobs: Blobs) -> None:
    whole = content(2 * CHUNK)
    first = await blobs.put("e01", pieces(whole))
    stored = await bench.stored()
    assert await blobs.put("e01", pieces(whole)) == first
    other = await bench.open()
    assert await other.put("e01", pieces(whole)) == first
    assert await bench.stored() == stored


async def test_equal_content_never_meets_across_scopes(bench: Any, blobs: Blobs) -> None:
    whole = content(CHUNK)
    first, second = [await blobs.put(scope, pieces(whole)) for scope in ("e01", "e02")]
    assert first.sha256 == second.sha256
    assert first.ref.partition(":")[2] != second.ref.partition(":")[2]
    stored = await bench.stored()
    assert len(stored) == len(set(stored)) == 2
    foreign = f"e02:{first.ref.partition(':')[2]}"
    assert not await blobs.exists(foreign)


async def test_many_at_once_of_the_same_leave_one_and_nothing_beside(bench: Any, blobs: Blobs) -> None:
    whole = content(CHUNK + 1)
    puts = await asyncio.gather(*(blobs.put("e01", pieces(whole)) for _ in range(8)))
    assert len(set(puts)) == 1
    assert await read(blobs, puts[0]) == whole
    alone = await bench.stored()
    await blobs.delete(puts[0].ref)
    await blobs.put("e01", pieces(whole))
    assert sorted(map(len, await bench.stored())) == sorted(map(len, alone))


async def test_many_at_once_in_new_scopes_agree_on_their_keys(bench: Any) -> None:
    processes = [await bench.open() for _ in range(4)]
    puts = await asyncio.gather(*(blobs.put("new", pieces(b"same")) for blobs in processes for _ in range(2)))
    assert len(set(puts)) == 1
    assert await read(await bench.open(), puts[0]) == b"same"


async def test_a_put_that_breaks_off_leaves_nothing(bench: Any, blobs: Blobs) -> None:
    async def broken() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield content(CHUNK)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await blobs.put("e01", broken())
    assert await bench.stored() == []


async def test_a_put_that_is_cancelled_leaves_nothing(bench: Any, blobs: Blobs) -> None:
    stuck = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(24):
            yield content(CHUNK)
        stuck.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(blobs.put("e01", endless()))
    await stuck.wait()
    async with asyncio.timeout(60):
        while not await bench.stored():
            await asyncio.sleep(0.01)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await bench.stored() == []


@pytest.mark.parametrize(
    "ref", ["", "e01", "e01:", "e01:" + "0" * 64, "e01:../../../etc/passwd", "../e01:" + "0" * 64, "E01:" + "0" * 64]
)
async def test_what_was_never_put_is_not_found(blobs: Blobs, ref: str) -> None:
    assert not await blobs.exists(ref)
    assert not await blobs.delete(ref)
    for asked in (blobs.stat(ref), anext(aiter(blobs.get(ref)))):
        with pytest.raises(NotFound) as refused:
            await asked
        assert refused.value.reason == "NO_SUCH_CONTENT"


@pytest.mark.parametrize("scope", ["", "..", "a/b", "A", "a b", "a:b", "x" * 65, "é"])
async def test_a_scope_is_a_plain_word(blobs: Blobs, scope: str) -> None:
    with pytest.raises(Invalid):
        await blobs.put(scope, pieces(b"x"))


async def test_what_is_deleted_is_gone_and_can_come_again(bench: Any, blobs: Blobs) -> None:
    blob = await blobs.put("e01", pieces(content(CHUNK + 1)))
    assert await blobs.delete(blob.ref)
    assert not await blobs.delete(blob.ref)
    assert not await blobs.exists(blob.ref)
    assert await bench.stored() == []
    assert await blobs.put("e01", pieces(content(CHUNK + 1))) == blob
    assert await blobs.exists(blob.ref)


async def test_nothing_of_the_content_lies_there_in_clear(bench: Any, blobs: Blobs) -> None:
    await blobs.put("e01", pieces(b"receita medica ".join([b"x" * 40] * 10_000)))
    stored = b"".join(await bench.stored())
    assert len(stored) > CHUNK
    assert b"receita" not in stored
    assert b"xxxxxxxx" not in stored


async def test_another_process_with_the_master_key_reads_it_and_one_without_does_not(bench: Any) -> None:
    whole = content(CHUNK + 1)
    blob = await (await bench.open()).put("e01", pieces(whole))
    assert await read(await bench.open(), blob) == whole
    stranger = await bench.open(masters=[b"x" * 32])
    with pytest.raises(Transient) as refused:
        await read(stranger, blob)
    assert refused.value.reason == "MASTER_KEY_UNKNOWN"


async def test_after_a_change_of_master_key_the_old_scopes_read_on(bench: Any) -> None:
    old, new = b"o" * 32, b"n" * 32
    before = await (await bench.open([old])).put("e01", pieces(b"before"))
    both = await bench.open([new, old])
    assert await read(both, before) == b"before"
    after = await both.put("e02", pieces(b"after"))
    assert await read(await bench.open([new]), after) == b"after"


async def test_the_sweep_takes_what_dead_processes_left_and_nothing_else(bench: Any, blobs: Blobs) -> None:
    kept = await blobs.put("e01", pieces(b"kept"))
    stuck = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(24):
            yield content(CHUNK)
        stuck.set()
        await asyncio.Event().wait()

    dead = asyncio.create_task(blobs.put("e01", endless()))
    await stuck.wait()
    count = 0
    while count != (count := len(await bench.stored())):  # what was on its way is there
        await asyncio.sleep(0.5)
    assert await blobs.sweep(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await blobs.sweep(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert len(await bench.stored()) == 1
    assert await read(blobs, kept) == b"kept"
    dead.cancel()
    await asyncio.gather(dead, return_exceptions=True)


@pytest.mark.slow
async def test_large_content_passes_in_flat_memory(blobs: Blobs) -> None:
    piece = content(CHUNK)

    async def large() -> AsyncIterator[bytes]:
        for _ in range(256):
            yield piece

    async def both() -> int:
        blob = await blobs.put("e01", large())
        return sum([len(part) async for part in blobs.get(blob.ref)])

    tracemalloc.start()
    try:
        assert await both() == 64 << 20
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20
