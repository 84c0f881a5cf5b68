"""Who sees what, before and after it was shared."""

from typing import Any

import pytest
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb

pytestmark = pytest.mark.usefixtures("ministry")


async def spaces(person: Any) -> list[str]:
    """The spaces that somebody sees, in pages of one."""
    found, token = [], ""
    while True:
        page = await person.stub.ListSpaces(pb.ListSpacesRequest(page_size=1, page_token=token))
        found += [space.space_id for space in page.spaces]
        token = page.next_page_token
        if not token:
            return found


async def test_an_entitys_space_is_read_by_its_people_and_does_not_exist_for_others(
    start_service: Any, caller: Any, refused: Any
):
    program = start_service("document")
    ana, rui, eva = (caller(program, person) for person in ("doc-ana", "doc-rui", "doc-eva"))
    space_id = await ana.space()
    personal_id = await ana.space("Meu", personal=True)
    file = await ana.put(b"content", parent_id=space_id, name="a.txt")
    mine = await ana.put(b"mine", parent_id=personal_id, name="b.txt")
    assert sorted(await spaces(ana)) == sorted([space_id, personal_id])
    assert await spaces(rui) == [space_id]
    assert await spaces(eva) == []
    assert await rui.get(file.node_id) == b"content"
    with refused("PERMISSION_DENIED", "ROLE"):
        await rui.put(b"more", node_id=file.node_id)
    for stranger, node_id in ((rui, mine.node_id), (eva, mine.node_id), (eva, file.node_id), (eva, "no-such-node")):
        await sees_nothing(stranger, node_id, refused)


async def test_a_teams_space_is_edited_by_its_members_and_does_not_exist_for_others(
    start_service: Any, caller: Any, refused: Any
):
    program = start_service("document")
    ana, rui, nuno = (caller(program, person) for person in ("doc-ana", "doc-rui", "doc-nuno"))
    space_id = await ana.space("Equipa", team_group_id="doc-wards")
    file = await nuno.put(b"by the team", parent_id=space_id, name="a")
    assert await ana.get(file.node_id) == b"by the team"
    assert space_id in await spaces(nuno)
    assert await spaces(rui) == []
    with refused("PERMISSION_DENIED", "ROLE"):
        await nuno.share(space_id, person_id="doc-eva")
    await sees_nothing(rui, file.node_id, refused)
    with refused("INVALID_ARGUMENT", "GRANTEE"):
        await ana.space("x", team_group_id="no-such-group")
    with refused("INVALID_ARGUMENT", "SPACE"):
        await ana.space("x", team_group_id="doc-wards", personal=True)


async def sees_nothing(stranger: Any, node_id: str, refused: Any) -> None:
    """Every method answers as if the node were not there."""
    grantee = document_pb2.Grantee(person_id="doc-eva")
    calls = [
        stranger.stub.GetNode(pb.GetNodeRequest(node_id=node_id)),
        stranger.names(node_id),
        stranger.get(node_id),
        stranger.stub.ListVersions(pb.ListVersionsRequest(node_id=node_id)),
        stranger.stub.ListGrants(pb.ListGrantsRequest(node_id=node_id)),
        stranger.folder(node_id, "below"),
        stranger.put(b"", parent_id=node_id, name="below"),
        stranger.put(b"", node_id=node_id),
        stranger.stub.Share(
            pb.ShareRequest(request_id="r", node_id=node_id, grantee=grantee, role=document_pb2.ROLE_MANAGER)
        ),
        stranger.unshare(node_id, "g"),
        stranger.trash(node_id),
    ]
    for call in calls:
        with refused("NOT_FOUND"):
            await call


@pytest.mark.parametrize(
    ("to", "sees", "sees_not"),
    [
        ({"person_id": "doc-nuno"}, "doc-nuno", "doc-eva"),
        ({"group_id": "doc-ward"}, "doc-nuno", "doc-eva"),
        ({"group_id": "doc-wards"}, "doc-nuno", "doc-eva"),
        ({"entity_id": "doc-b"}, "doc-eva", None),
    ],
)
async def test_a_grant_holds_on_all_below_until_it_is_taken_back(
    start_service: Any, caller: Any, refused: Any, told: Any, to: dict[str, str], sees: str, sees_not: str | None
):
    program = start_service("document")
    ana, friend = caller(program, "doc-ana"), caller(program, sees)
    space_id = await ana.space()
    folder = await ana.folder(space_id, "partilha")
    below = await ana.folder(folder.node_id, "abaixo")
    file = await ana.put(b"content", parent_id=below.node_id, name="a.txt")
    with refused("NOT_FOUND"):
        await friend.get(file.node_id)
    grant = await ana.share(folder.node_id, document_pb2.ROLE_EDITOR, **to)
    assert await friend.get(file.node_id) == b"content"
    assert await friend.names(below.node_id) == ["a.txt"]
    assert await spaces(friend) == [space_id]
    assert (await friend.put(b"theirs", node_id=file.node_id)).version.number == 2
    with refused("NOT_FOUND"):
        await friend.names(space_id)
    with refused("PERMISSION_DENIED", "ROLE"):
        await friend.share(file.node_id, person_id="doc-eva")
    if sees_not:
        with refused("NOT_FOUND"):
            await caller(program, sees_not).get(file.node_id)
    await ana.unshare(folder.node_id, grant.grant_id)
    with refused("NOT_FOUND"):
        await friend.get(file.node_id)
    assert await spaces(friend) == []
    assert await told.names_about(folder.node_id, 5) == [
        "document.folder.create",
        "NodeShared",
        "document.node.share",
        "NodeUnshared",
        "document.node.unshare",
    ]


async def test_the_grants_are_listed_for_managers_with_those_above(start_service: Any, caller: Any, refused: Any):
    program = start_service("document")
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    space_id = await ana.space(personal=True)
    folder = await ana.folder(space_id, "a")
    file = await ana.put(b"", parent_id=folder.node_id, name="b")
    await ana.share(folder.node_id, document_pb2.ROLE_MANAGER, person_id="doc-eva")
    await ana.share(file.node_id, document_pb2.ROLE_READER, entity_id="doc-b")
    assert await grants(ana, file.node_id) == {
        (space_id, "doc-ana", "MANAGER"),
        (folder.node_id, "doc-eva", "MANAGER"),
        (file.node_id, "doc-b", "READER"),
    }
    assert await grants(eva, file.node_id) == {
        (folder.node_id, "doc-eva", "MANAGER"),
        (file.node_id, "doc-b", "READER"),
    }
    with refused("PERMISSION_DENIED", "ROLE"):
        await grants(caller(program, "doc-nuno"), file.node_id)


async def grants(person: Any, node_id: str) -> set[tuple[str, str, str]]:
    """(node, grantee, role) of all grants on a node, in pages of one."""
    found, token = set(), ""
    while True:
        request = pb.ListGrantsRequest(node_id=node_id, page_size=1, page_token=token)
        page = await person.stub.ListGrants(request)
        for grant in page.grants:
            grantee = getattr(grant.grantee, grant.grantee.WhichOneof("grantee"))
            found.add((grant.node_id, grantee, document_pb2.Role.Name(grant.role).removeprefix("ROLE_")))
        token = page.next_page_token
        if not token:
            return found


async def test_what_cannot_be_granted_is_refused(start_service: Any, caller: Any, refused: Any):
    ana = caller(start_service("document"), "doc-ana")
    space_id = await ana.space()
    for nobody in ({"person_id": "nobody"}, {"group_id": "nobody"}, {"entity_id": "nobody"}):
        with refused("INVALID_ARGUMENT", "GRANTEE"):
            await ana.share(space_id, **nobody)
    with refused("INVALID_ARGUMENT"):
        await ana.share(space_id, document_pb2.ROLE_UNSPECIFIED, person_id="doc-eva")
    with refused("ABORTED", "LAST_MANAGER"):
        await ana.share(space_id, document_pb2.ROLE_READER, person_id="doc-ana")
    with refused("NOT_FOUND"):
        await ana.unshare(space_id, "no-such-grant")


async def test_a_grantee_has_one_role_on_a_node(start_service: Any, caller: Any):
    program = start_service("document")
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    space_id = await ana.space()
    for role in (document_pb2.ROLE_READER, document_pb2.ROLE_MANAGER, document_pb2.ROLE_EDITOR):
        await ana.share(space_id, role, person_id="doc-eva")
        assert (await eva.stub.GetNode(pb.GetNodeRequest(node_id=space_id))).role == role


async def shared(person: Any) -> list[str]:
    """The names of what was shared with somebody, in pages of one."""
    found, token = list[str](), ""
    while True:
        page = await person.do("ListShared", page_size=1, page_token=token)
        found += [node.name for node in page.nodes]
        token = page.next_page_token
        if not token:
            return sorted(found)


async def test_what_was_shared_is_found_by_those_who_see_nothing_around_it(start_service: Any, caller: Any):
    program = start_service("document")
    ana, rui, nuno = (caller(program, person) for person in ("doc-ana", "doc-rui", "doc-nuno"))
    joana = caller(program, "c-joana", "citizen")
    space_id = await ana.space()
    folder = await ana.folder(space_id, "pasta")
    below = await ana.put(b"x", parent_id=folder.node_id, name="abaixo")
    alone = await ana.put(b"x", parent_id=space_id, name="só")
    await ana.share(folder.node_id, group_id="doc-wards")
    await ana.share(below.node_id, person_id="doc-nuno")
    await ana.share(alone.node_id, person_id="doc-nuno")
    await ana.share(alone.node_id, citizen_id="c-joana")
    await ana.share(alone.node_id, person_id="doc-rui")
    assert await shared(nuno) == ["pasta", "só"], "what is below is found there"
    assert await shared(joana) == ["só"]
    assert await shared(rui) == await shared(ana) == [], "they come upon it in the space"
    await ana.do("SetLabel", node_id=folder.node_id, label=document_pb2.LABEL_CONFIDENTIAL)
    await ana.trash(alone.node_id)
    assert await shared(nuno) == await shared(joana) == []
