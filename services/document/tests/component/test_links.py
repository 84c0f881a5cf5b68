"""Links, as those who make them and those who hold them see them."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import rpc
from google.protobuf.timestamp_pb2 import Timestamp
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb

pytestmark = pytest.mark.usefixtures("ministry")
TEXT = b"Acta. " * 100_000


def after(**life: float) -> Timestamp:
    until = Timestamp()
    until.FromDatetime(datetime.now(UTC) + timedelta(**life))
    return until


def wanted(node_id: str, **said: Any) -> pb.CreateLinkRequest:
    return pb.CreateLinkRequest(**{"request_id": uuid4().hex, "node_id": node_id, "expires_at": after(days=7), **said})


async def opened(person: Any, text: str, **said: Any) -> bytes:
    request = pb.OpenLinkRequest(**{"request_id": uuid4().hex, "text": text, **said})
    return b"".join([part.chunk async for part in person.stub.OpenLink(request)])


async def test_whoever_holds_a_link_reads_that_file_until_it_is_taken_back(
    start_service: Any, caller: Any, refused: Any, told: Any
):
    program = start_service("document")
    ana, rui = caller(program, "doc-ana"), caller(program, "doc-rui")
    joana = caller(program, "c-joana", "citizen")
    space_id = await ana.space()
    file = await ana.put(TEXT, parent_id=space_id, name="Acta.txt")
    request = wanted(file.node_id)
    made = await ana.stub.CreateLink(request)
    assert (await ana.stub.CreateLink(request)).text == made.text
    assert await opened(joana, made.text) == TEXT
    assert await opened(joana, made.text, offset=6, length=5) == b"Acta."
    with refused("NOT_FOUND"):
        await joana.get(file.node_id)
    for wrong in (made.text[:-1], made.text.split(".")[0], f"{made.text}x", "x.y"):
        with refused("NOT_FOUND"):
            await opened(joana, wrong)
    for manage in (wanted(file.node_id), wanted(space_id)):
        with refused("PERMISSION_DENIED", "ROLE"):
            await rui.stub.CreateLink(manage)
    listed = (await ana.do("ListLinks", node_id=file.node_id)).links
    assert [(link.link_id, link.used, link.maker.person_id) for link in listed] == [(made.link.link_id, 2, "doc-ana")]
    with refused("NOT_FOUND"):
        await ana.do("RevokeLink", node_id=space_id, link_id=made.link.link_id)
    for _ in range(2):
        await ana.do("RevokeLink", node_id=file.node_id, link_id=made.link.link_id)
    with refused("PERMISSION_DENIED", "LINK_REVOKED"):
        await opened(joana, made.text)
    assert Counter(await told.names_about(file.node_id, 6)) == {
        "FileStored": 1,
        "document.file.store": 1,
        "document.link.create": 1,
        "document.link.use": 2,
        "document.link.revoke": 1,
    }


@pytest.mark.parametrize("uses", [1, 5])
async def test_of_many_at_once_as_many_are_let_in_as_the_link_gives(
    start_service: Any, caller: Any, refused: Any, tmp_path: Path, uses: int
):
    shared = {"DATA_PATH": str(tmp_path / "content")}
    programs = start_service("document", **shared), start_service("document", **shared)
    ana = caller(programs[0], "doc-ana")
    holders = [caller(program, "c-joana", "citizen") for program in programs]
    file = await ana.put(b"content", parent_id=await ana.space(), name="a")
    made = await ana.stub.CreateLink(wanted(file.node_id, max_uses=uses))

    async def use(number: int) -> tuple[str, str]:
        """The end of a use, and its request_id."""
        request_id = f"use-{uuid4().hex}"
        try:
            assert await opened(holders[number % 2], made.text, request_id=request_id) == b"content"
        except grpc.aio.AioRpcError as error:
            return rpc.error_of(error).reason, request_id
        return "read", request_id

    ends = await asyncio.gather(*(use(number) for number in range(20)))
    assert Counter(end for end, _ in ends) == {"read": uses, "LINK_USED_UP": 20 - uses}
    first = next(request_id for end, request_id in ends if end == "read")
    halves = await asyncio.gather(
        *(opened(holder, made.text, request_id=first, offset=3) for holder in holders), return_exceptions=True
    )
    assert halves.count(b"tent") == 2, "a use that broke off goes on"
    with refused("RESOURCE_EXHAUSTED", "LINK_USED_UP"):
        await opened(holders[0], made.text)
    assert (await ana.do("ListLinks", node_id=file.node_id)).links[0].used == uses


async def test_a_password_is_asked_for_and_cannot_be_guessed(start_service: Any, caller: Any, refused: Any):
    program = start_service("document")
    ana, joana = caller(program, "doc-ana"), caller(program, "c-joana", "citizen")
    file = await ana.put(b"content", parent_id=await ana.space(), name="a")
    made = await ana.stub.CreateLink(wanted(file.node_id, password="açorda", max_uses=3))
    assert made.link.password
    with refused("PERMISSION_DENIED", "LINK_PASSWORD"):
        await opened(joana, made.text)
    with refused("PERMISSION_DENIED", "LINK_PASSWORD"):
        await opened(joana, made.text, password="wrong")
    assert await opened(joana, made.text, password="açorda") == b"content"
    guesses = [opened(joana, made.text, password=f"guess {number}") for number in range(12)]
    refusals = await asyncio.gather(*guesses, return_exceptions=True)
    reasons = Counter(rpc.error_of(error).reason for error in refusals if isinstance(error, grpc.aio.AioRpcError))
    assert reasons == {"LINK_PASSWORD": 10, "LINK_CLOSED": 2}
    with refused("PERMISSION_DENIED", "LINK_CLOSED"):
        await opened(joana, made.text, password="açorda")
    assert (await ana.do("ListLinks", node_id=file.node_id)).links[0].used == 1


async def test_its_maker_is_told_before_a_link_ends(start_service: Any, caller: Any, refused: Any, told: Any):
    program = start_service("document")
    ana, joana = caller(program, "doc-ana"), caller(program, "c-joana", "citizen")
    file = await ana.put(b"content", parent_id=await ana.space(), name="Acta.txt")
    made = await ana.stub.CreateLink(wanted(file.node_id, expires_at=after(seconds=30)))
    async with asyncio.timeout(90):
        while not (endings := [e for e in await told.about(file.node_id) if type(e).__name__ == "LinkEnding"]):
            await asyncio.sleep(0.2)
    assert [(e.link_id, e.name, e.maker.person_id) for e in endings] == [(made.link.link_id, "Acta.txt", "doc-ana")]
    soon = await ana.stub.CreateLink(wanted(file.node_id, expires_at=after(seconds=1)))
    async with asyncio.timeout(60):
        while True:
            try:
                await opened(joana, soon.text)
            except grpc.aio.AioRpcError as error:
                assert rpc.error_of(error).reason == "LINK_EXPIRED"  # noqa: PT017  it holds until then
                break
    for life in ({"days": 367}, {"days": -1}):
        with refused("INVALID_ARGUMENT", "EXPIRY"):
            await ana.stub.CreateLink(wanted(file.node_id, expires_at=after(**life)))
    with refused("INVALID_ARGUMENT", "MAX_USES"):
        await ana.stub.CreateLink(wanted(file.node_id, max_uses=1001))


async def test_a_link_gives_no_more_than_its_maker_may_give(start_service: Any, caller: Any, refused: Any):
    program = start_service("document")
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    joana = caller(program, "c-joana", "citizen")
    space_id = await ana.space()
    folder = await ana.folder(space_id, "f")
    file = await ana.put(b"content", parent_id=folder.node_id, name="a")
    grant = await ana.share(file.node_id, document_pb2.ROLE_MANAGER, person_id="doc-eva")
    text = (await eva.stub.CreateLink(wanted(file.node_id))).text
    assert await opened(joana, text) == b"content"
    await ana.do("SetLabel", node_id=folder.node_id, label=document_pb2.LABEL_INTERNAL)
    with refused("NOT_FOUND"):
        await opened(joana, text)
    with refused("INVALID_ARGUMENT", "LABEL"):
        await ana.stub.CreateLink(wanted(file.node_id))
    await ana.do("SetLabel", node_id=folder.node_id, label=document_pb2.LABEL_PUBLIC)
    await ana.trash(folder.node_id)
    with refused("NOT_FOUND"):
        await opened(joana, text)
    await ana.do("Restore", node_id=folder.node_id)
    assert await opened(joana, text) == b"content"
    await ana.unshare(file.node_id, grant.grant_id)
    with refused("NOT_FOUND"):
        await opened(joana, text)
    with refused("INVALID_ARGUMENT", "NOT_A_FILE"):
        await ana.stub.CreateLink(wanted(folder.node_id))


async def test_making_and_using_a_link_survive_the_death_of_the_process(
    start_service: Any, caller: Any, until_killed: Any
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    file = await ana.put(b"content", parent_id=await ana.space(), name="a")
    making = wanted(file.node_id, max_uses=1)
    program.restart(ROSSIO_KILL_AT="document.link.created")
    await until_killed(program, caller(program, "doc-ana").stub.CreateLink(making))
    program.restart(ROSSIO_KILL_AT="document.link.used")
    text = (await caller(program, "doc-ana").stub.CreateLink(making)).text
    using = {"request_id": uuid4().hex}
    await until_killed(program, opened(caller(program, "c-joana", "citizen"), text, **using))
    program.restart(ROSSIO_KILL_AT="")
    assert await opened(caller(program, "c-joana", "citizen"), text, **using) == b"content"
    links = (await caller(program, "doc-ana").do("ListLinks", node_id=file.node_id)).links
    assert [(link.used, link.max_uses) for link in links] == [(1, 1)]
