"""Moves and copies at the same time, and a process that is killed between any two of their effects."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import grpc
import pytest
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb

pytestmark = pytest.mark.usefixtures("ministry")


async def below(person: Any, node_id: str) -> list[str]:
    """The ids of all that lies below a folder; one that lay in a circle, or nowhere, is missing."""
    found = list[str]()
    waiting = [node_id]
    while waiting:
        for node in (await person.do("ListFolder", node_id=waiting.pop(), page_size=1000)).nodes:
            found.append(node.node_id)
            if node.kind == document_pb2.NODE_KIND_FOLDER:
                waiting.append(node.node_id)
    return found


async def test_folders_that_move_into_each_other_at_once_are_all_still_there(start_service: Any, caller: Any):
    programs = start_service("document"), start_service("document")
    people = [caller(program, "doc-ana") for program in programs]
    ana = people[0]
    space_id = await ana.space()
    folders = [(await ana.folder(space_id, f"f{number}")).node_id for number in range(8)]
    chance = random.Random(5)

    async def move(number: int) -> str:
        node_id, parent_id = chance.sample([*folders, space_id], 2)
        try:
            await people[number % 2].do("Move", node_id=node_id, parent_id=parent_id)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "moved"

    ends = await asyncio.gather(*(move(number) for number in range(60)))
    assert sorted(await below(ana, space_id)) == sorted(folders)
    assert set(ends) <= {"moved", "INVALID_ARGUMENT", "ABORTED"}
    assert ends.count("moved") >= len(folders)


@pytest.mark.parametrize("point", ["document.move.begun", "document.move.written", "messaging.relay.published"])
async def test_a_move_survives_the_death_of_the_process(
    start_service: Any, caller: Any, told: Any, until_killed: Any, point: str
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    a, b = await ana.folder(space_id, "a"), await ana.folder(space_id, "b")
    await told.names_about(b.node_id, 1)
    program.restart(ROSSIO_KILL_AT=point)
    request = pb.MoveRequest(request_id=uuid4().hex, node_id=a.node_id, parent_id=b.node_id)
    await until_killed(program, caller(program, "doc-ana").stub.Move(request))
    program.restart(ROSSIO_KILL_AT="")
    ana = caller(program, "doc-ana")
    other = await ana.folder(space_id, "other")
    await ana.do("Move", node_id=other.node_id, parent_id=b.node_id)
    assert (await ana.do("ListFolder", node_id=b.node_id)).nodes[0].name == "a", "whoever comes next finishes it"
    assert (await ana.stub.Move(request)).node.parent_id == b.node_id
    assert await told.names_about(a.node_id, 3) == ["document.folder.create", "NodeChanged", "document.node.move"]


@pytest.mark.parametrize(
    "point", ["document.copy.begun", "document.copy.some", "document.copy.filled", "document.copy.arrived"]
)
async def test_a_copy_is_there_whole_or_not_at_all(
    start_service: Any, caller: Any, told: Any, until_killed: Any, point: str
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    a = await ana.folder(space_id, "a")
    b = await ana.folder(a.node_id, "b")
    await ana.put(b"content", parent_id=b.node_id, name="file")
    program.restart(ROSSIO_KILL_AT=point)
    request = pb.CopyRequest(request_id=uuid4().hex, node_id=a.node_id, parent_id=space_id, name="copy")
    await until_killed(program, caller(program, "doc-ana").stub.Copy(request))
    program.restart(ROSSIO_KILL_AT="")
    ana = caller(program, "doc-ana")
    assert await ana.names(space_id) == (["a", "copy"] if point.endswith("arrived") else ["a"])
    copy = (await ana.stub.Copy(request)).node
    assert len(await below(ana, copy.node_id)) == 2
    assert await ana.names(space_id) == ["a", "copy"]
    assert await told.names_about(copy.node_id, 2) == ["NodeChanged", "document.node.copy"]
