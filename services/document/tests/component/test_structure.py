"""Moving, copying, renaming, the trash, versions and locks, as people see them over gRPC."""

import asyncio
from typing import Any
from uuid import uuid4

import grpc
import pytest
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb

pytestmark = pytest.mark.usefixtures("ministry")


async def tree(person: Any, node_id: str) -> dict[str, Any]:
    """What lies below a folder: name -> the same of a folder, None for a file."""
    nodes = (await person.do("ListFolder", node_id=node_id, page_size=1000)).nodes
    return {
        node.name: await tree(person, node.node_id) if node.kind == document_pb2.NODE_KIND_FOLDER else None
        for node in nodes
    }


async def test_a_folder_moves_with_all_below_and_what_is_granted_follows_the_new_place(
    start_service: Any, caller: Any, refused: Any, told: Any
):
    program = start_service("document")
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    space_id = await ana.space()
    old, new = await ana.folder(space_id, "old"), await ana.folder(space_id, "new")
    moving = await ana.folder(old.node_id, "moving")
    file = await ana.put(b"content", parent_id=moving.node_id, name="a.txt")
    await ana.share(new.node_id, person_id="doc-eva")
    moved = (await ana.do("Move", node_id=moving.node_id, parent_id=new.node_id, name="Movido")).node
    assert (moved.parent_id, moved.name) == (new.node_id, "Movido")
    assert await tree(ana, space_id) == {"new": {"Movido": {"a.txt": None}}, "old": {}}
    assert await eva.get(file.node_id) == b"content"
    assert (await told.names_about(moving.node_id, 3))[1:] == ["NodeChanged", "document.node.move"]
    await ana.do("Move", node_id=file.node_id, parent_id=old.node_id)
    with refused("NOT_FOUND"):
        await eva.get(file.node_id)


async def test_what_cannot_be_moved_stays(start_service: Any, caller: Any, refused: Any):
    program = start_service("document")
    ana, rui = caller(program, "doc-ana"), caller(program, "doc-rui")
    space_id, other_id = await ana.space(), await ana.space()
    a = await ana.folder(space_id, "a")
    b = await ana.folder(a.node_id, "b")
    file = await ana.put(b"", parent_id=b.node_id, name="file")
    await ana.folder(space_id, "B")
    for node_id, parent_id, code, reason in (
        (a.node_id, a.node_id, "INVALID_ARGUMENT", "CYCLE"),
        (a.node_id, b.node_id, "INVALID_ARGUMENT", "CYCLE"),
        (space_id, b.node_id, "INVALID_ARGUMENT", "SPACE"),
        (b.node_id, other_id, "INVALID_ARGUMENT", "OTHER_SPACE"),
        (a.node_id, file.node_id, "INVALID_ARGUMENT", ""),
        (b.node_id, "no-such-node", "NOT_FOUND", ""),
        (b.node_id, space_id, "ALREADY_EXISTS", ""),
    ):
        with refused(code, reason):
            await ana.do("Move", node_id=node_id, parent_id=parent_id)
    with refused("PERMISSION_DENIED", "ROLE"):
        await rui.do("Move", node_id=file.node_id, parent_id=space_id)
    await ana.share(file.node_id, document_pb2.ROLE_EDITOR, person_id="doc-rui")
    await ana.share(a.node_id, document_pb2.ROLE_EDITOR, person_id="doc-rui")
    denied = document_pb2.Grantee(person_id="doc-rui")
    await ana.do("Share", node_id=b.node_id, grantee=denied, role=document_pb2.ROLE_MANAGER, deny=True)
    assert (await rui.do("Move", node_id=file.node_id, parent_id=a.node_id)).node.parent_id == a.node_id
    assert await tree(ana, space_id) == {"B": {}, "a": {"b": {}, "file": None}}


async def test_a_label_goes_with_what_is_moved_or_copied(start_service: Any, caller: Any):
    ana = caller(start_service("document"), "doc-ana")
    space_id = await ana.space()
    guarded = await ana.folder(space_id, "guarded")
    await ana.do("SetLabel", node_id=guarded.node_id, label=document_pb2.LABEL_CLINICAL)
    file = await ana.put(b"content", parent_id=guarded.node_id, name="a")
    copy = (await ana.do("Copy", node_id=file.node_id, parent_id=space_id, name="copy")).node
    moved = (await ana.do("Move", node_id=file.node_id, parent_id=space_id)).node
    assert {copy.label, moved.label} == {document_pb2.LABEL_CLINICAL}


async def test_a_copy_holds_all_that_the_caller_may_read_and_goes_its_own_way(
    start_service: Any, caller: Any, refused: Any
):
    program = start_service("document")
    ana, rui = caller(program, "doc-ana"), caller(program, "doc-rui")
    space_id, team_id = await ana.space(), await rui.space()
    a = await ana.folder(space_id, "a")
    b = await ana.folder(a.node_id, "b")
    file = await ana.put(b"one", parent_id=b.node_id, name="file")
    await ana.put(b"two", node_id=file.node_id)
    hidden = await ana.folder(a.node_id, "hidden")
    grantee = document_pb2.Grantee(entity_id="doc-a")
    await ana.do("Share", node_id=hidden.node_id, grantee=grantee, role=document_pb2.ROLE_READER, deny=True)
    request = pb.CopyRequest(request_id=uuid4().hex, node_id=a.node_id, parent_id=team_id, name="Cópia")
    copy = (await rui.stub.Copy(request)).node
    assert (await rui.stub.Copy(request)).node == copy
    assert await tree(rui, team_id) == {"Cópia": {"b": {"file": None}}}
    below = (await rui.do("ListFolder", node_id=copy.node_id)).nodes[0]
    twin = (await rui.do("ListFolder", node_id=below.node_id)).nodes[0]
    assert twin.version.number == 1
    await rui.put(b"three", node_id=twin.node_id)
    assert [await rui.get(twin.node_id), await ana.get(file.node_id)] == [b"three", b"two"]
    assert list((await rui.do("Copy", node_id=a.node_id, parent_id=copy.node_id, name="in itself")).node.name)
    with refused("ALREADY_EXISTS"):
        await rui.do("Copy", node_id=a.node_id, parent_id=team_id, name="CÓPIA")
    with refused("ALREADY_EXISTS"):
        await rui.do("Copy", node_id=twin.node_id, parent_id=below.node_id)
    eva = caller(program, "doc-eva")
    await ana.share(a.node_id, person_id="doc-eva")
    with refused("INVALID_ARGUMENT", "OTHER_ENTITY"):
        await eva.do("Copy", node_id=a.node_id, parent_id=await eva.space())


async def test_a_copy_of_a_folder_into_itself_ends(start_service: Any, caller: Any):
    ana = caller(start_service("document"), "doc-ana")
    space_id = await ana.space()
    a = await ana.folder(space_id, "a")
    await ana.folder(a.node_id, "b")
    await ana.do("Copy", node_id=a.node_id, parent_id=a.node_id, name="c")
    assert await tree(ana, space_id) == {"a": {"b": {}, "c": {"b": {}}}}


async def test_what_was_trashed_comes_back(start_service: Any, caller: Any, refused: Any):
    program = start_service("document")
    ana, rui = caller(program, "doc-ana"), caller(program, "doc-rui")
    space_id = await ana.space()
    a = await ana.folder(space_id, "a")
    b = await ana.folder(a.node_id, "b")
    with refused("ABORTED", "NOT_TRASHED"):
        await ana.do("Restore", node_id=b.node_id)
    await ana.trash(b.node_id)
    await ana.trash(a.node_id)
    for page_size in (1, 10):
        found, token = set[str](), ""
        while True:
            page = await ana.do("ListTrash", space_id=space_id, page_size=page_size, page_token=token)
            found |= {node.name for node in page.nodes}
            token = page.next_page_token
            if not token:
                break
        assert found == {"a", "b"}
    assert list((await rui.do("ListTrash", space_id=space_id)).nodes) == []
    with refused("ABORTED", "PARENT_TRASHED"):
        await ana.do("Restore", node_id=b.node_id)
    with refused("NOT_FOUND"):
        await rui.do("Restore", node_id=a.node_id)
    await ana.folder(space_id, "A")
    with refused("ALREADY_EXISTS"):
        await ana.do("Restore", node_id=a.node_id)
    assert (await ana.do("Restore", node_id=a.node_id, name="a de novo")).node.trashed is False
    await ana.do("Restore", node_id=b.node_id)
    assert await tree(ana, space_id) == {"A": {}, "a de novo": {"b": {}}}
    await ana.trash(space_id)
    await ana.do("Restore", node_id=space_id)
    assert await rui.names(space_id) == ["A", "a de novo"]


async def test_a_name_is_changed_unless_it_is_taken(start_service: Any, caller: Any, refused: Any):
    program = start_service("document")
    ana, rui = caller(program, "doc-ana"), caller(program, "doc-rui")
    space_id = await ana.space()
    folder = await ana.folder(space_id, "relatório")
    await ana.folder(space_id, "other")
    assert (await ana.do("Rename", node_id=folder.node_id, name="RELATO\u0301RIO")).node.name == "RELATÓRIO"
    with refused("ALREADY_EXISTS"):
        await ana.do("Rename", node_id=folder.node_id, name="Other")
    with refused("INVALID_ARGUMENT"):
        await ana.do("Rename", node_id=folder.node_id, name="..")
    with refused("PERMISSION_DENIED", "ROLE"):
        await rui.do("Rename", node_id=space_id, name="mine")
    await ana.do("Rename", node_id=space_id, name="Actas")
    assert [space.name for space in (await rui.do("ListSpaces")).spaces if space.space_id == space_id] == ["Actas"]


async def test_versions_are_restored_frozen_and_deleted(start_service: Any, caller: Any, refused: Any):
    program = start_service("document")
    ana, rui = caller(program, "doc-ana"), caller(program, "doc-rui")
    space_id = await ana.space()
    file = await ana.put(b"one", parent_id=space_id, name="a")
    await ana.put(b"two", node_id=file.node_id)
    await ana.share(file.node_id, document_pb2.ROLE_EDITOR, person_id="doc-rui")
    restored = (await rui.do("RestoreVersion", node_id=file.node_id, number=1)).node
    assert (restored.version.number, await rui.get(file.node_id)) == (3, b"one")
    await rui.do("FreezeVersion", node_id=file.node_id, number=1)
    with refused("ABORTED", "FROZEN"):
        await ana.do("DeleteVersion", node_id=file.node_id, number=1)
    with refused("ABORTED", "CURRENT_VERSION"):
        await ana.do("DeleteVersion", node_id=file.node_id, number=3)
    with refused("PERMISSION_DENIED", "ROLE"):
        await rui.do("DeleteVersion", node_id=file.node_id, number=2)
    with refused("PERMISSION_DENIED", "ROLE"):
        await rui.do("FreezeVersion", node_id=file.node_id, number=1, thaw=True)
    await ana.do("DeleteVersion", node_id=file.node_id, number=2)
    versions = (await ana.do("ListVersions", node_id=file.node_id)).versions
    assert [(version.number, version.frozen) for version in versions] == [(3, False), (1, True)]
    with refused("NOT_FOUND"):
        await ana.get(file.node_id, version=2)
    await ana.do("FreezeVersion", node_id=file.node_id, number=1, thaw=True)
    await ana.do("DeleteVersion", node_id=file.node_id, number=1)
    assert (await ana.put(b"four", node_id=file.node_id)).version.number == 4
    with refused("INVALID_ARGUMENT", "NOT_A_FILE"):
        await ana.do("RestoreVersion", node_id=space_id, number=1)


async def test_who_holds_the_lock_writes_and_nobody_else_until_it_ends(start_service: Any, caller: Any, refused: Any):
    program = start_service("document")
    ana, rui, nuno = (caller(program, person) for person in ("doc-ana", "doc-rui", "doc-nuno"))
    space_id = await ana.space()
    folder = await ana.folder(space_id, "f")
    file = await ana.put(b"one", parent_id=space_id, name="a")
    for person in ("doc-rui", "doc-nuno"):
        await ana.share(space_id, document_pb2.ROLE_EDITOR, person_id=person)
    lock = (await rui.do("Lock", node_id=file.node_id)).node.lock
    assert lock.owner.person_id == "doc-rui"
    longer = (await rui.do("Lock", node_id=file.node_id, lease_seconds=7200)).node.lock
    assert longer.until.seconds > lock.until.seconds
    for write in (
        nuno.put(b"two", node_id=file.node_id),
        nuno.do("Rename", node_id=file.node_id, name="b"),
        nuno.do("Move", node_id=file.node_id, parent_id=folder.node_id),
        nuno.do("RestoreVersion", node_id=file.node_id, number=1),
        nuno.do("Lock", node_id=file.node_id),
        nuno.trash(file.node_id),
    ):
        with refused("ABORTED", "LOCKED"):
            await write
    with refused("PERMISSION_DENIED", "LOCKED"):
        await nuno.do("Unlock", node_id=file.node_id)
    assert (await rui.put(b"two", node_id=file.node_id)).version.number == 2
    assert await nuno.get(file.node_id) == b"two"
    assert not (await ana.do("Unlock", node_id=file.node_id)).node.HasField("lock")
    assert (await nuno.put(b"three", node_id=file.node_id)).version.number == 3
    await rui.do("Lock", node_id=file.node_id, lease_seconds=1)
    async with asyncio.timeout(60):
        while True:
            try:
                await nuno.put(b"four", node_id=file.node_id)
                break
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.ABORTED  # noqa: PT017  it is repeated until it holds no more
                await asyncio.sleep(0.05)
    with refused("INVALID_ARGUMENT", "NOT_A_FILE"):
        await ana.do("Lock", node_id=folder.node_id)
    with refused("INVALID_ARGUMENT", "LEASE"):
        await ana.do("Lock", node_id=file.node_id, lease_seconds=86_401)
