"""A bucket whose server has no room: a real server behind a door that answers as MinIO does then."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import pytest
from aiohttp import web
from blobs import CHUNK, Blobs, GivenMasters, StoreVault, WrappedKeyring
from blobs.s3 import Bucket, S3Blobs
from errors import Transient
from store import Database
from testkit.s3 import ACCESS_KEY, REGION, S3, SECRET_KEY
from yarl import URL

FULL = "<Error><Code>XMinioStorageFull</Code><Message>minimum free drive threshold</Message></Error>"
KEPT = frozenset({"etag", "content-type", "last-modified", "content-range", "accept-ranges"})
WHOLE = bytes(range(256)) * (40 * CHUNK // 256)


class Door:
    """Passes on what comes, and no more writes than it has room for."""

    def __init__(self, server: str, session: aiohttp.ClientSession) -> None:
        self._server = server
        self._session = session
        self.room = 1 << 30

    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "PUT":
            self.room -= 1
            if self.room < 0:
                return web.Response(status=507, text=FULL, content_type="application/xml")
        asked = {name: value for name, value in request.headers.items() if name != "Transfer-Encoding"}
        url = URL(f"{self._server}{request.raw_path}", encoded=True)
        async with self._session.request(
            request.method, url, data=BytesIO(await request.read()), headers=asked
        ) as answer:
            said = {name: value for name, value in answer.headers.items() if name.lower() in KEPT}
            return web.Response(status=answer.status, body=await answer.read(), headers=said)


@pytest.fixture
async def door(s3: S3) -> AsyncIterator[tuple[Door, str]]:
    """The door, and its address."""
    async with aiohttp.ClientSession() as session:
        door = Door(s3.endpoint, session)
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{path:.*}", door.answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield door, f"http://{host}:{port}"
        await runner.cleanup()


async def pieces() -> AsyncIterator[bytes]:
    for at in range(0, len(WHOLE), CHUNK):
        yield WHOLE[at : at + CHUNK]


async def read(blobs: Blobs, ref: str) -> bytes:
    return b"".join([part async for part in blobs.get(ref)])


@pytest.mark.parametrize("room", range(6))
async def test_a_full_bucket_is_said_soon_and_takes_the_rest_when_there_is_room_again(
    door: tuple[Door, str], bucket: str, database: Database, room: int
) -> None:
    """Wherever in a put, or in an upload in several goes, the room ends: nothing half can be read."""
    opened, address = door
    keyring = WrappedKeyring(GivenMasters([b"m" * 32]), StoreVault(database.collection("keys")))
    blobs = S3Blobs(Bucket(address, bucket, REGION, ACCESS_KEY, SECRET_KEY), keyring)
    await blobs.prepare()
    draft = await blobs.begin("e01")

    async def go_on() -> str:
        async with blobs.resume(draft) as incoming:
            for at in range(incoming.size, len(WHOLE), CHUNK):
                await incoming.write(WHOLE[at : at + CHUNK])
            return (await incoming.keep()).ref

    for act, writes in ((lambda: blobs.put("e01", pieces()), 6), (go_on, 5)):
        opened.room = room
        if room < writes:
            async with asyncio.timeout(60):
                with pytest.raises(Transient) as refused:
                    await act()
            assert refused.value.reason == "S3_UNAVAILABLE"
        opened.room = 1 << 30
    ref = await go_on()
    assert await read(blobs, ref) == WHOLE
