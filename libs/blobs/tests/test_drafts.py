"""Content that comes in several goes, by several processes, wherever it lies."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from blobs import CHUNK, Blobs
from errors import Conflict, NotFound
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WHOLE = hashlib.shake_256(b"draft").digest(20 * CHUNK + 17)
"""More than one object of a bucket."""
CUTS = st.lists(st.integers(0, 3 * CHUNK), max_size=6)


async def pieces(whole: bytes) -> AsyncIterator[bytes]:
    yield whole


async def read(blobs: Blobs, ref: str) -> bytes:
    return b"".join([part async for part in blobs.get(ref)])


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=CUTS, others=st.lists(st.booleans(), min_size=7, max_size=7))
async def test_a_draft_goes_on_where_it_ended_whoever_goes_on(bench: Any, cuts: list[int], others: list[bool]) -> None:
    """In the same process, which remembers, or in another one, which reads it again."""
    whole = WHOLE[: 3 * CHUNK + 17]
    blobs = await bench.open()
    draft = await blobs.begin("e01")
    ends = [*sorted(cuts), len(whole)]
    for end, other in zip(ends, others, strict=False):
        if other:
            blobs = await bench.open()
        async with blobs.resume(draft) as incoming:
            await incoming.write(whole[incoming.size : end])
            assert incoming.size == end
            if end == len(whole):
                break
    async with blobs.resume(draft) as incoming:
        blob = await incoming.keep()
    assert (blob.size, blob.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert await read(blobs, blob.ref) == whole
    assert await blobs.put("e01", pieces(whole)) == blob
    with pytest.raises(NotFound):
        async with blobs.resume(draft):
            pass
    await blobs.delete(blob.ref)
    assert await bench.stored() == []


async def test_a_large_draft_goes_on_in_another_process(bench: Any) -> None:
    first, second = await bench.open(), await bench.open()
    draft = await first.begin("e01")
    async with first.resume(draft) as incoming:
        await incoming.write(WHOLE[: 17 * CHUNK + 5])
    async with second.resume(draft) as incoming:
        assert incoming.size == 17 * CHUNK + 5
        await incoming.write(WHOLE[incoming.size :])
        blob = await incoming.keep()
    assert await read(first, blob.ref) == WHOLE


async def test_what_came_since_it_was_opened_can_be_taken_back(bench: Any, blobs: Blobs) -> None:
    draft = await blobs.begin("e01")
    async with blobs.resume(draft) as incoming:
        await incoming.write(WHOLE[: CHUNK + 1])
    async with blobs.resume(draft) as incoming:
        await incoming.write(bytes(19 * CHUNK))
        await incoming.rewind()
        assert incoming.size == CHUNK + 1
    async with (await bench.open()).resume(draft) as incoming:
        assert incoming.size == CHUNK + 1
        await incoming.write(WHOLE[CHUNK + 1 :])
        blob = await incoming.keep()
    assert await read(blobs, blob.ref) == WHOLE


async def test_two_writers_never_mix(bench: Any, blobs: Blobs) -> None:
    """One of them is refused, at the latest when both have written the same place, and the draft stays whole."""
    draft = await blobs.begin("e01")
    other = await bench.open()

    async def both() -> None:
        async with blobs.resume(draft) as mine:
            async with other.resume(draft) as theirs:
                await theirs.write(WHOLE[: 18 * CHUNK])
            await mine.write(bytes(18 * CHUNK))

    with pytest.raises(Conflict) as refused:
        await both()
    assert refused.value.reason == "DRAFT_BUSY"
    async with blobs.resume(draft) as incoming:
        await incoming.write(WHOLE[incoming.size :])
        blob = await incoming.keep()
    assert await read(blobs, blob.ref) == WHOLE


async def test_a_draft_that_is_discarded_or_left_alone_leaves_nothing(bench: Any, blobs: Blobs) -> None:
    discarded, left, empty = [await blobs.begin("e01") for _ in range(3)]
    for draft in (discarded, left):
        async with blobs.resume(draft) as incoming:
            await incoming.write(WHOLE)
    await blobs.discard(discarded)
    await blobs.discard(discarded)
    assert await blobs.sweep(datetime.now(UTC) - timedelta(hours=1)) == 0
    async with blobs.resume(empty) as incoming:
        assert incoming.size == 0
    assert await blobs.sweep(datetime.now(UTC) + timedelta(hours=1)) == 2
    assert await bench.stored() == []
    for draft in (discarded, left, "e01:" + "0" * 32, "e01:../x", "x"):
        with pytest.raises(NotFound) as refused:
            async with blobs.resume(draft):
                pass
        assert refused.value.reason == "NO_SUCH_DRAFT"
