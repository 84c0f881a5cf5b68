"""The change feed; the program that lives on it is tested in test_sync.py."""

import asyncio
import base64
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import messaging
import pytest
import rpc
import store
from devstack.issuer import Issuer
from rossio.directory.v1 import directory_pb2, events_pb2
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1.service_pb2_grpc import ChangeServiceStub

pytestmark = pytest.mark.usefixtures("ministry")


class Feed:
    """What was told: the nodes by name, or "-" and the id of one that is gone."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.token = ""

    async def told(self) -> list[str]:
        """All until it has caught up."""
        names = list[str]()
        async with asyncio.timeout(60):
            while True:
                answer = await self._call.read()
                self.token = answer.resume_token
                match answer.WhichOneof("change"):
                    case "node":
                        names.append(answer.node.name)
                    case "gone_node_id":
                        names.append(f"-{answer.gone_node_id}")
                    case _:
                        return names


@pytest.fixture
async def feed(issuer: Issuer) -> AsyncIterator[Any]:
    async with AsyncExitStack() as channels:

        @asynccontextmanager
        async def watching(program: Any, person_id: str, space_id: str, token: str = "") -> AsyncIterator[Feed]:
            bearer = issuer.token(person_id, entity="doc-a" if person_id in {"doc-ana", "doc-rui"} else "doc-b")
            channel = rpc.channel(program.grpc, token=lambda: bearer)
            channels.push_async_callback(channel.close)
            call = ChangeServiceStub(channel).Watch(pb.WatchRequest(space_id=space_id, resume_token=token))
            try:
                yield Feed(call)
            finally:
                call.cancel()

        yield watching


async def test_a_feed_tells_what_is_there_then_what_changes_and_goes_on_from_a_token(
    start_service: Any, caller: Any, feed: Any
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    folder = await ana.folder(space_id, "pasta")
    async with feed(program, "doc-rui", space_id) as told:
        assert await told.told() == ["Casa", "pasta"]
        file = await ana.put(b"one", parent_id=folder.node_id, name="a")
        assert await told.told() == ["a"]
        await ana.put(b"two", node_id=file.node_id)
        assert await told.told() == ["a"]
        await ana.trash(file.node_id)
        assert await told.told() == [f"-{file.node_id}"]
        token = told.token
    program.kill()
    program.start()
    ana = caller(program, "doc-ana")
    await ana.put(b"three", parent_id=folder.node_id, name="b")
    head = base64.urlsafe_b64decode(token)[: struct.calcsize(">Bq")]
    of_before = base64.urlsafe_b64encode(b"\x01" + head[1:]).decode()
    for known in (token, of_before):  # the release before knew of no groups
        async with feed(program, "doc-rui", space_id, known) as told:
            seen = await told.told()
        assert "b" in seen
        assert set(seen) <= {"Casa", "pasta", "b", f"-{file.node_id}"}


async def test_a_feed_tells_only_what_the_caller_sees_as_it_is_now(
    start_service: Any, caller: Any, feed: Any, refused: Any
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa", personal=True)
    secret = await ana.folder(space_id, "segredo")
    inside = await ana.put(b"x", parent_id=secret.node_id, name="dentro")
    with refused("NOT_FOUND"):
        async with feed(program, "doc-eva", space_id) as told:
            await told.told()
    grant = await ana.share(space_id, document_pb2.ROLE_READER, person_id="doc-eva")
    await ana.do(
        "Share", node_id=secret.node_id, grantee={"person_id": "doc-eva"}, role=document_pb2.ROLE_READER, deny=True
    )
    async with feed(program, "doc-eva", space_id) as told:
        first = await told.told()
        assert "segredo" not in first
        assert "dentro" not in first
        assert f"-{inside.node_id}" not in first
        await ana.unshare(space_id, grant.grant_id)
        with refused("NOT_FOUND"):
            await told.told()
    with refused("INVALID_ARGUMENT", "RESUME_TOKEN"):
        async with feed(program, "doc-ana", space_id, "no token") as told:
            await told.told()


async def test_a_feed_tells_those_who_saw_it_of_what_was_moved_out_of_their_sight(
    start_service: Any, caller: Any, feed: Any
):
    """Live and afterwards; and nobody of what moves where they never looked."""
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    hidden = await ana.folder(space_id, "segredo")
    deeper = await ana.folder(hidden.node_id, "fundo")
    file = await ana.put(b"x", parent_id=space_id, name="a")
    inside = await ana.put(b"x", parent_id=hidden.node_id, name="dentro")
    await ana.do(
        "Share", node_id=hidden.node_id, grantee={"entity_id": "doc-a"}, role=document_pb2.ROLE_READER, deny=True
    )
    async with feed(program, "doc-rui", space_id) as told:
        assert "a" in await told.told()
        token = told.token
        await ana.do("Move", node_id=inside.node_id, parent_id=deeper.node_id)
        await ana.do("Move", node_id=file.node_id, parent_id=hidden.node_id)
        assert await told.told() == [f"-{file.node_id}"]
        await ana.do("Move", node_id=file.node_id, parent_id=deeper.node_id)
        assert await told.told() == [f"-{file.node_id}"]
    async with feed(program, "doc-rui", space_id, token) as told:
        seen = await told.told()
    assert f"-{file.node_id}" in seen
    assert f"-{inside.node_id}" not in seen


async def test_a_feed_tells_of_what_was_purged_long_after_it_was_removed(
    start_service: Any, caller: Any, feed: Any, refused: Any, mongo: str
):
    """Who was away from before it was trashed; and who was away for longer than that is known begins anew."""
    program = start_service("document", PURGE_RESTS_SECONDS="0")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    folder = await ana.folder(space_id, "pasta")
    mine = await ana.put(b"x", parent_id=space_id, name="a")
    async with feed(program, "doc-rui", space_id) as told:
        await told.told()
        token = told.token
    await ana.do("Move", node_id=mine.node_id, parent_id=folder.node_id)
    await ana.trash(folder.node_id)
    await ana.do("Purge", node_id=folder.node_id)
    database = store.connect(mongo, program.environment()["MONGODB_DATABASE"])
    nodes = database.collection("nodes")
    async with asyncio.timeout(60):
        while not all([(await nodes.get(each.node_id) or {}).get("swept") for each in (folder, mine)]):
            await asyncio.sleep(0.1)
    async with feed(program, "doc-rui", space_id, token) as told:
        assert {f"-{folder.node_id}", f"-{mine.node_id}"} <= set(await told.told())
    long_ago = datetime.now(UTC) - timedelta(days=31)
    for each in (folder, mine):
        left = await nodes.get(each.node_id)
        assert left is not None
        assert (left["name"], left["versions"], left["grants"]) == ("", [], [])
        await nodes.update(each.node_id, {"$set": {"key": f"~{long_ago:%Y%m%d%H%M%S}.{each.node_id}"}})
    async with asyncio.timeout(60):
        while [await nodes.get(each.node_id) for each in (folder, mine)] != [None, None]:
            await asyncio.sleep(0.1)
    await database.close()
    old = base64.urlsafe_b64encode(struct.pack(">Bq8s", 2, round(long_ago.timestamp() * 1000), b"")).decode()
    with refused("INVALID_ARGUMENT", "RESUME_TOKEN_EXPIRED"):
        async with feed(program, "doc-rui", space_id, old) as told:
            await told.told()


@pytest.mark.parametrize("away", [False, True])
async def test_a_feed_tells_anew_what_a_group_has_given_or_taken(
    start_service: Any, caller: Any, feed: Any, streams: str, mongo: str, away: bool
):
    """No node was written, for longer than a feed looks back; whether the stream is open or goes on from a token."""
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id, group_id = await ana.space("Casa"), uuid4().hex
    folder = await ana.folder(space_id, "pasta")
    file = await ana.put(b"x", parent_id=folder.node_id, name="a")
    producer = messaging.Producer(messaging.Kafka(streams))
    await producer.start()

    async def published(version: int, *people: str) -> None:
        group = directory_pb2.Group(group_id=group_id, entity_id="doc-a", version=version)
        group.members.extend(directory_pb2.Member(person_id=person) for person in people)
        change = events_pb2.GroupChanged(group=group)
        await producer.publish([messaging.fact(change, id=messaging.new_id(), at=datetime.now(UTC))])

    async def denied() -> None:
        grantee = document_pb2.Grantee(group_id=group_id)
        await ana.do("Share", node_id=folder.node_id, grantee=grantee, role=document_pb2.ROLE_READER, deny=True)

    async def rui_sees(expected: bool) -> None:
        async with asyncio.timeout(60):
            while ("pasta" in await caller(program, "doc-rui").names(space_id)) is not expected:
                await asyncio.sleep(0.05)

    await published(1)
    async with asyncio.timeout(60):
        while True:
            with suppress(grpc.aio.AioRpcError):  # until the group is known here
                await denied()
                break
            await asyncio.sleep(0.05)
    database = store.connect(mongo, program.environment()["MONGODB_DATABASE"])
    earlier = datetime.now(UTC) - timedelta(minutes=10)
    for node_id in (space_id, folder.node_id, file.node_id):
        await database.collection("nodes").update(node_id, {"$set": {"changed_at": earlier}})
    await database.close()
    gone = f"-{folder.node_id}"
    async with feed(program, "doc-rui", space_id) as told:
        assert {"pasta", "a"} <= set(await told.told())
        if not away:
            await published(2, "doc-rui")
            assert gone in await told.told()
            await published(3)
            assert {"pasta", "a"} <= set(await told.told())
        token = told.token
    if away:
        for version, people, expected in ((2, ["doc-rui"], {gone}), (3, [], {"pasta", "a"})):
            await published(version, *people)
            await rui_sees(expected != {gone})
            async with feed(program, "doc-rui", space_id, token) as told:
                assert expected <= set(await told.told())
                token = told.token
    await producer.stop()
