"""Collection: what is referred to never goes, however it meets puts and deaths; what is not goes in the end."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from blobs import Blobs, FileVault, GivenMasters, LocalBlobs, WrappedKeyring
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


async def pieces(whole: bytes) -> AsyncIterator[bytes]:
    yield whole


async def read(blobs: Blobs, ref: str) -> bytes:
    return b"".join([part async for part in blobs.get(ref)])


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


async def test_what_nobody_refers_to_goes_and_the_rest_stays(bench: Any, blobs: Blobs) -> None:
    kept = {(await blobs.put(scope, pieces(b"kept"))).ref for scope in ("e01", "e02")}
    loose = [await blobs.put("e01", pieces(b"loose %d" % n)) for n in range(3)]

    async def referenced(refs: Sequence[str]) -> Collection[str]:
        return kept & set(refs)

    assert await blobs.collect(referenced, datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await blobs.collect(referenced, soon()) == 3
    assert await blobs.collect(referenced, soon()) == 0
    assert len(await bench.stored()) == 2
    for ref in kept:
        assert await read(blobs, ref) == b"kept"
    again = await blobs.put("e01", pieces(b"loose 0"))
    assert again == loose[0]
    assert await read(blobs, again.ref) == b"loose 0"


@pytest.mark.parametrize("how", ["put", "touch", "draft"])
async def test_content_that_is_kept_anew_while_it_is_being_collected_stays(bench: Any, blobs: Blobs, how: str) -> None:
    """Between the answer that nobody refers to it and its removal, somebody puts the same."""
    blob = await blobs.put("e01", pieces(b"content"))
    other = await bench.open()

    async def referenced(_: Sequence[str]) -> Collection[str]:
        await asyncio.sleep(0.01)
        if how == "put":
            assert await other.put("e01", pieces(b"content")) == blob
        elif how == "touch":
            assert await other.touch(blob.ref)
        else:
            async with other.resume(await other.begin("e01")) as incoming:
                await incoming.write(b"content")
                assert await incoming.keep() == blob
        return ()

    await until_older(blobs, blob.ref)
    assert await blobs.collect(referenced, await moment()) == 0
    assert await read(blobs, blob.ref) == b"content"


async def moment() -> datetime:
    """Now, and a little later: times of objects are in whole seconds."""
    now = datetime.now(UTC)
    while datetime.now(UTC) < now + timedelta(seconds=0.002):
        await asyncio.sleep(0.001)
    return now


async def until_older(blobs: Blobs, ref: str) -> None:
    """Waits until what was just kept would be collected."""
    seen = list[bool]()

    async def referenced(refs: Sequence[str]) -> Collection[str]:
        seen.append(ref in refs)
        return refs

    async with asyncio.timeout(60):
        while True:
            seen.clear()
            before = await moment()
            await blobs.collect(referenced, before)
            if any(seen):
                return
            await asyncio.sleep(0.05)


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3)),
        st.tuples(st.just("list"), st.integers(0, 3)),
        st.tuples(st.just("unlist"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.sampled_from([1, 30, 59, 61, 200])),
        st.tuples(st.just("collect"), st.lists(st.integers(0, 3), max_size=2)),
        st.tuples(st.just("die"), st.just(0)),
    ),
    max_size=40,
)
GRACE = timedelta(minutes=60)


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_what_is_listed_can_be_read_after_any_sequence(tmp_path_factory: Any, steps: list[Any]) -> None:
    """Puts that list in time or die, references that go and come, and collections with puts in their midst.

    A put may list what it kept for an hour; whoever is later gives up, as an upload does.
    """
    folder = tmp_path_factory.mktemp("collect")
    clock = Clock()
    blobs = LocalBlobs(folder, WrappedKeyring(GivenMasters([b"m" * 32]), FileVault(folder / "keys")), now=clock)
    await blobs.prepare()
    under_way, listed, ever = dict[int, datetime](), dict[int, str](), dict[int, str]()

    async def put(number: int) -> None:
        ever[number] = (await blobs.put("e01", pieces(b"content %d" % number))).ref
        under_way[number] = clock.at

    async def collect(beside: list[int]) -> None:
        async def referenced(refs: Sequence[str]) -> Collection[str]:
            held = set(listed.values()) & set(refs)
            for number in beside:
                await put(number)
                listed[number] = ever[number]
            return held

        await blobs.collect(referenced, clock.at - GRACE)

    for kind, value in steps:
        match kind:
            case "put":
                await put(value)
            case "list" if value in under_way and clock.at - under_way[value] < GRACE:
                listed[value] = ever[value]
            case "unlist":
                listed.pop(value, None)
            case "wait":
                clock.at += timedelta(minutes=value)
            case "collect":
                await collect(value)
            case "die":
                under_way.clear()
        for number, ref in listed.items():
            assert await read(blobs, ref) == b"content %d" % number
    clock.at += 2 * GRACE
    listed.clear()
    await collect([])
    assert not [path for path in (folder / "content").rglob("*") if path.is_file()]
