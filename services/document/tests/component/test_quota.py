"""What spaces and entities may hold, also when many write at once and processes die."""

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import rpc
import store
from devstack.issuer import Issuer
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1.service_pb2_grpc import DocumentServiceStub

pytestmark = pytest.mark.usefixtures("ministry")
KIB = 1024


async def used(person: Any, space_id: str) -> tuple[int, int]:
    """Of the space, and of its entity."""
    quota = await person.do("GetQuota", space_id=space_id)
    return quota.space.used, quota.entity.used


async def test_every_version_counts_until_it_is_deleted(start_service: Any, caller: Any, refused: Any):
    program = start_service("document", SPACE_QUOTA_BYTES=str(10 * KIB), ENTITY_QUOTA_BYTES=str(15 * KIB))
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    space_id, other_id = await ana.space(), await ana.space(personal=True)
    folder = await ana.folder(space_id, "f")
    file = await ana.put(bytes(4 * KIB), parent_id=folder.node_id, name="a")
    await ana.put(bytes(3 * KIB), node_id=file.node_id)
    assert await used(ana, space_id) == (7 * KIB, 7 * KIB)
    for write in (
        ana.put(bytes(4 * KIB), node_id=file.node_id),
        ana.put(bytes(4 * KIB), parent_id=space_id, name="b"),
        ana.do("RestoreVersion", node_id=file.node_id, number=1),
    ):
        with refused("RESOURCE_EXHAUSTED", "QUOTA"):
            await write
    await ana.do("DeleteVersion", node_id=file.node_id, number=1)
    assert await used(ana, space_id) == (3 * KIB, 3 * KIB)
    await ana.do("Copy", node_id=folder.node_id, parent_id=space_id, name="copy")
    await ana.do("Copy", node_id=folder.node_id, parent_id=other_id)
    await ana.trash(file.node_id)
    assert await used(ana, space_id) == (6 * KIB, 9 * KIB), "what lies in the trash counts"
    with refused("RESOURCE_EXHAUSTED", "QUOTA"):
        await ana.put(bytes(7 * KIB), parent_id=other_id, name="more than the entity may hold")
    await ana.share(space_id, person_id="doc-eva")
    assert not (await eva.do("GetQuota", space_id=space_id)).HasField("entity")


async def test_an_administrator_says_how_much_a_space_may_hold(
    start_service: Any, caller: Any, refused: Any, issuer: Issuer
):
    program = start_service("document")
    ana, rui = caller(program, "doc-ana"), caller(program, "doc-rui")
    space_id = await ana.space(personal=True)
    await ana.put(bytes(4 * KIB), parent_id=space_id, name="a")
    with refused("PERMISSION_DENIED"):
        await rui.do("SetSpaceQuota", space_id=space_id, limit=KIB)

    async def as_admin(entity: str, role: str, method: str, **fields: Any) -> Any:
        token = issuer.token("doc-admin", entity=entity, roles=[role])
        async with rpc.channel(program.grpc, token=lambda: token) as channel:
            request = getattr(pb, f"{method}Request")(request_id=uuid4().hex, **fields)
            return await getattr(DocumentServiceStub(channel), method)(request)

    with refused("NOT_FOUND"):
        await as_admin("doc-b", "document.admin", "SetSpaceQuota", space_id=space_id, limit=KIB)
    with refused("PERMISSION_DENIED"):
        await as_admin("doc-a", "document.admin", "SetEntityQuota", entity_id="doc-a", limit=KIB)
    set_to = await as_admin("doc-a", "document.admin", "SetSpaceQuota", space_id=space_id, limit=5 * KIB)
    assert (set_to.space.used, set_to.space.limit) == (4 * KIB, 5 * KIB)
    with refused("RESOURCE_EXHAUSTED", "QUOTA"):
        await ana.put(bytes(2 * KIB), parent_id=space_id, name="b")
    await as_admin("doc-a", "document.admin", "SetSpaceQuota", space_id=space_id, limit=0)
    await ana.put(bytes(2 * KIB), parent_id=space_id, name="b")
    await as_admin("doc-b", "ministry.admin", "SetEntityQuota", entity_id="doc-a", limit=6 * KIB)
    with refused("RESOURCE_EXHAUSTED", "QUOTA"):
        await ana.put(b"x", parent_id=space_id, name="c")
    assert await used(ana, space_id) == (6 * KIB, 6 * KIB)


async def test_of_many_at_once_as_many_are_stored_as_there_is_room_for(start_service: Any, caller: Any, tmp_path: Path):
    settings = {"SPACE_QUOTA_BYTES": str(10 * KIB), "DATA_PATH": str(tmp_path / "content")}
    programs = start_service("document", **settings), start_service("document", **settings)
    people = [caller(program, "doc-ana") for program in programs]
    space_id = await people[0].space()

    async def store(number: int) -> str:
        try:
            await people[number % 2].put(bytes(KIB), parent_id=space_id, name=f"{number}")
        except grpc.aio.AioRpcError as error:
            return rpc.error_of(error).reason
        return "stored"

    ends = Counter(await asyncio.gather(*(store(number) for number in range(24))))
    assert set(ends) == {"stored", "QUOTA"}
    assert len(await people[0].names(space_id)) == ends["stored"] <= 10
    while ends["stored"] < 10:  # those that met others' reservations were refused, and have room now
        await people[0].put(bytes(KIB), parent_id=space_id, name=uuid4().hex)
        ends["stored"] += 1
    assert await used(people[0], space_id) == (10 * KIB, 10 * KIB)


@pytest.mark.parametrize(
    "point", ["document.quota.reserved", "document.quota.written", "document.quota.booked", "document.copy.some"]
)
async def test_what_is_booked_is_what_is_stored_whatever_dies(
    start_service: Any, caller: Any, until_killed: Any, point: str
):
    """The process dies in the middle of a version, then of a copy; both are asked for again."""
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    folder = await ana.folder(space_id, "f")
    file = await ana.put(bytes(KIB), parent_id=folder.node_id, name="a")
    version = {"request_id": uuid4().hex, "node_id": file.node_id}
    copy = pb.CopyRequest(request_id=uuid4().hex, node_id=folder.node_id, parent_id=space_id, name="copy")
    for doing in ("version", "copy"):
        if doing == "version" and point == "document.copy.some":
            await ana.put(bytes(2 * KIB), **version)
            continue
        program.restart(ROSSIO_KILL_AT=point)
        ana = caller(program, "doc-ana")
        await until_killed(program, ana.put(bytes(2 * KIB), **version) if doing == "version" else ana.stub.Copy(copy))
        program.restart(ROSSIO_KILL_AT="")
        ana = caller(program, "doc-ana")
        await (ana.put(bytes(2 * KIB), **version) if doing == "version" else ana.stub.Copy(copy))
    assert (await ana.do("GetNode", node_id=file.node_id)).node.version.number == 2
    assert await used(ana, space_id) == (5 * KIB, 5 * KIB)


async def test_a_recount_beside_those_who_write_makes_nothing_wrong(start_service: Any, caller: Any, told: Any):
    """It corrects only what nobody has written since it looked; and each correction is audited."""
    program = start_service("document")
    ana, admin = caller(program, "doc-ana"), caller(program, "doc-rui", roles=["document.admin"])
    space_id = await ana.space()
    database = store.connect(program.environment()["MONGODB_URI"], program.environment()["MONGODB_DATABASE"])
    await ana.put(bytes(KIB), parent_id=space_id, name="first")
    await database.collection("usages").update(f"space:{space_id}", {"$inc": {"used": 5, "free": -5}})
    await database.close()
    writing = asyncio.create_task(_write(ana, space_id))
    while not writing.done():
        with suppress(grpc.aio.AioRpcError):  # BUSY
            await admin.do("RecountUsage", entity_id="doc-a")
    await writing
    await admin.do("RecountUsage", entity_id="doc-a")
    assert await used(ana, space_id) == (21 * KIB, 21 * KIB)
    assert "document.quota.recount" in await told.names_about(f"space:{space_id}", 1)


async def _write(person: Any, space_id: str) -> None:
    for number in range(20):
        await person.put(bytes(KIB), parent_id=space_id, name=str(number))


async def test_the_usage_of_another_entity_is_recounted_by_nobody(start_service: Any, caller: Any, refused: Any):
    program = start_service("document")
    with refused("NOT_FOUND"):
        await caller(program, "doc-eva", roles=["document.admin"]).do("RecountUsage", entity_id="doc-a")
    with refused("PERMISSION_DENIED"):
        await caller(program, "doc-ana").do("RecountUsage", entity_id="doc-a")
