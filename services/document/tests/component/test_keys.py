"""Keys, collection and storage elsewhere, through the service: what dies in the middle loses nothing."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import rpc
from blobs import FileVault, MasterFile, WrappedKeyring
from blobs.keys import ScopeKeys
from blobs.sealing import HEADER, Header
from blobs.vault import DESTROYED
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from devstack.issuer import Issuer
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1.service_pb2_grpc import KeyServiceStub
from testkit.s3 import ACCESS_KEY, REGION, S3, SECRET_KEY

pytestmark = pytest.mark.usefixtures("ministry")
TEXT = b"Segredo da casa. " * 20_000


@pytest.fixture
async def guard(issuer: Issuer) -> AsyncIterator[Any]:
    """`guard(program)` is who guards the keys of doc-a."""
    async with AsyncExitStack() as channels:

        def speak(program: Any, entity: str = "doc-a", roles: tuple[str, ...] = ("document.keys",)) -> KeyServiceStub:
            token = issuer.token("doc-guard", entity=entity, roles=roles)
            channel = rpc.channel(program.grpc, token=lambda: token)
            channels.push_async_callback(channel.close)
            return KeyServiceStub(channel)

        yield speak


def rotation(entity_id: str = "doc-a") -> pb.RotateKeysRequest:
    return pb.RotateKeysRequest(request_id=uuid4().hex, entity_id=entity_id)


def shredding(entity_id: str = "doc-a") -> pb.ShredEntityRequest:
    return pb.ShredEntityRequest(request_id=uuid4().hex, entity_id=entity_id, reason="Despacho 7/2026")


def contents(folder: Path) -> set[Path]:
    return {path for path in (folder / "data" / "blobs" / "content").rglob("*") if path.is_file()}


async def test_a_file_and_its_copy_are_one_content_in_an_entity_and_two_in_two(start_service: Any, caller: Any):
    program = start_service("document")
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    for name in ("a", "b"):
        await ana.put(TEXT, parent_id=await ana.space(), name=name)
    assert len(contents(program.folder)) == 1
    await eva.put(TEXT, parent_id=await eva.space(), name="a")
    found = contents(program.folder)
    assert len(found) == 2
    assert len({path.name for path in found}) == 2
    one, two = [path.read_bytes() for path in found]
    assert not {one[at : at + 64] for at in range(0, len(one), 64)} & {two[at : at + 64] for at in range(len(two))}


async def test_only_who_guards_the_keys_of_the_entity_may_touch_them(start_service: Any, guard: Any, refused: Any):
    program = start_service("document")
    for act in (
        lambda stub: stub.RotateKeys(rotation()),
        lambda stub: stub.ShredEntity(shredding()),
    ):
        with refused("PERMISSION_DENIED"):
            await act(guard(program, roles=()))
        with refused("NOT_FOUND"):
            await act(guard(program, entity="doc-b"))


@pytest.mark.parametrize("point", ["blobs.rotate.renewed", "blobs.rotate.wrapped", "blobs.rotate.rewrapped"])
async def test_a_rotation_survives_the_death_of_the_process(start_service: Any, caller: Any, guard: Any, point: str):
    program = start_service("document", COLLECT_AFTER_SECONDS="1")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    files = {(await ana.put(TEXT + b"%d" % n, parent_id=space_id, name=str(n))).node_id: n for n in range(3)}
    sealed = {path.name: path.read_bytes()[200:] for path in contents(program.folder)}
    program.restart(ROSSIO_KILL_AT=point)
    request = rotation()
    await asyncio.gather(guard(program).RotateKeys(request), return_exceptions=True)
    await program.killed()
    program.restart(ROSSIO_KILL_AT="")
    await guard(program).RotateKeys(request)
    ana = caller(program, "doc-ana")
    for node_id, n in files.items():
        assert await ana.get(node_id) == TEXT + b"%d" % n
    assert {path.name: path.read_bytes()[200:] for path in contents(program.folder)} == sealed
    await only_the_newest_key_is_left(program.folder / "data" / "blobs")


async def only_the_newest_key_is_left(blobs: Path) -> None:
    """Every content is wrapped by one data key, and the others end."""
    headers = [Header.unpacked(path.read_bytes()[:HEADER]) for path in contents(blobs.parents[1])]
    (newest,) = {header.key_version for header in headers}
    assert newest > 1
    async with asyncio.timeout(60):
        while set((await keys_of("doc-a", blobs)).data) != {newest}:
            await asyncio.sleep(0.1)


async def keys_of(scope: str, blobs: Path) -> ScopeKeys:
    """The keys as they lie there now."""
    return await WrappedKeyring(MasterFile(blobs / "master.key"), FileVault(blobs / "keys")).keys(scope)


@pytest.mark.parametrize("point", ["blobs.collect.found", "blobs.collect.deleted"])
async def test_a_collection_survives_the_death_of_the_process_and_takes_what_nobody_lists(
    start_service: Any, caller: Any, refused: Any, point: str
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    file = await ana.put(TEXT, parent_id=space_id, name="a")
    for n in range(2):
        with refused("INVALID_ARGUMENT", "HASH_MISMATCH"):
            await ana.put(b"loose %d" % n, parent_id=space_id, name="b", sha256=hashlib.sha256(b"other").hexdigest())
    assert len(contents(program.folder)) == 3
    program.kill()
    program.settings |= {"ROSSIO_KILL_AT": point, "COLLECT_AFTER_SECONDS": "1"}
    program.launch()
    await program.killed()
    program.restart(ROSSIO_KILL_AT="")
    async with asyncio.timeout(60):
        while len(contents(program.folder)) > 1:
            await asyncio.sleep(0.1)
    assert await caller(program, "doc-ana").get(file.node_id) == TEXT


@pytest.mark.parametrize(
    "point",
    ["", "blobs.shred.begun", "blobs.shred.destroyed", "blobs.shred.rewrapped", "document.keys.shredded"],
)
async def test_a_shredded_entity_gives_a_signed_receipt_and_nothing_else(
    start_service: Any, caller: Any, guard: Any, refused: Any, told: Any, point: str
):
    program = start_service("document", ROSSIO_KILL_AT=point)
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    gone = await ana.put(TEXT, parent_id=await ana.space(), name="a")
    stays = await eva.put(TEXT, parent_id=await eva.space(), name="a")
    if point:
        await asyncio.gather(guard(program).ShredEntity(shredding()), return_exceptions=True)
        await program.killed()
        program.restart(ROSSIO_KILL_AT="")
    answer = await guard(program).ShredEntity(shredding())
    assert await guard(program).ShredEntity(shredding()) == answer
    Ed25519PublicKey.from_public_bytes(answer.public_key).verify(answer.signature, answer.receipt)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(answer.public_key).verify(answer.signature, answer.receipt + b"x")
    receipt = document_pb2.ShreddingReceipt.FromString(answer.receipt)
    assert (receipt.entity_id, receipt.reason, receipt.shredded_by) == ("doc-a", "Despacho 7/2026", "doc-guard")
    assert receipt.final
    assert receipt.retired_master_key != receipt.master_key
    blobs = program.folder / "data" / "blobs"
    assert len(MasterFile(blobs / "master.key").keys()) == 1, "the one that had wrapped them is destroyed"
    assert (blobs / "keys" / "doc-a.key").read_bytes() == DESTROYED
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    with refused("NOT_FOUND", "SHREDDED"):
        await ana.get(gone.node_id)
    with refused("NOT_FOUND", "SHREDDED"):
        await ana.put(b"new", parent_id=gone.space_id, name="b")
    assert await eva.get(stays.node_id) == TEXT
    program.restart()
    assert await caller(program, "doc-eva").get(stays.node_id) == TEXT


async def test_files_lie_on_s3_as_nobody_else_can_read_them(start_service: Any, caller: Any, s3: S3, bucket: str):
    program = start_service(
        "document",
        BLOBS="s3",
        BLOBS_MASTER_KEY="A" * 43 + "=",
        BLOBS_S3_ENDPOINT=s3.endpoint,
        BLOBS_S3_BUCKET=bucket,
        BLOBS_S3_REGION=REGION,
        BLOBS_S3_ACCESS_KEY=ACCESS_KEY,
        BLOBS_S3_SECRET_KEY=SECRET_KEY,
    )
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    file, same = [await ana.put(TEXT, parent_id=space_id, name=name) for name in "ab"]
    assert await ana.get(file.node_id) == await ana.get(same.node_id) == TEXT
    assert await ana.get(file.node_id, offset=300_000, length=10) == TEXT[300_000:300_010]

    def seen() -> dict[str, bytes]:
        client = boto3.client("s3", **s3.client())
        keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    objects = await asyncio.to_thread(seen)
    assert sorted(key.split("/")[0] for key in objects) == ["data", "names", "probe"]
    assert all(b"Segredo" not in body for body in objects.values())
