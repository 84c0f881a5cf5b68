"""One person, one group: put, looked up, refused, seen by views and audited."""

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import messaging
import pytest
import store
from devstack.services import ServiceProgram
from grpc import StatusCode
from rossio.directory.v1.directory_pb2 import PERSON_STATE_ACTIVE, PERSON_STATE_LEFT, Group, Member, Person

ENTITIES = b"entity_id,name,kind,domains\ne1,Um,ULS,um.example\ne2,Dois,ULS,dois.example\n"
UNITS = b"unit_id,entity_id,name\nu1,e1,Hospital\nu2,e2,Hospital\n"
PEOPLE = (
    b"person_id,entity_id,unit_id,given_name,family_name,addresses,profession,roles\n"
    b"p1,e1,u1,Ana,Silva,ana@um.example ana.silva@um.example,nurse,directory.admin\n"
    b"p2,e1,,Rui,Costa,rui@um.example,doctor,\n"
    b"p3,e2,u2,Eva,Reis,eva@dois.example,other,\n"
)
GROUPS = b'group_id,entity_id,name,addresses,expression\ng1,e1,Todos,todos@um.example,"entity = ""e1"""\n'
FILES = {"entities": ENTITIES, "units": UNITS, "people": PEOPLE, "groups": GROUPS}


@pytest.fixture
async def running(directory: ServiceProgram, keeper: Any) -> ServiceProgram:
    """A directory of two entities with three people."""
    directory.start()
    assert (await keeper().import_(FILES)).applied
    return directory


@pytest.fixture
def admin(running: ServiceProgram, keeper: Any) -> Any:
    """Keeps the directory of e1."""
    return keeper("e1", "directory.admin", subject="p1")


def newcomer(**fields: Any) -> Person:
    known = {"person_id": "p9", "entity_id": "e1", "given_name": "Ivo", "family_name": "Melo", "profession": "other"}
    return Person(**{**known, "addresses": ["ivo@um.example"], "state": PERSON_STATE_ACTIVE, **fields})


async def refusal(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value


async def test_a_person_joins_changes_and_leaves(admin: Any, streams: Any) -> None:
    joined = await admin.put(newcomer(addresses=["Ivo@um.example"], number=77))
    assert (joined.number, joined.version, list(joined.addresses)) == (4, 1, ["ivo@um.example"])
    joined.mobile = "+351901234567"
    changed = await admin.put(joined)
    assert (changed.number, changed.version) == (4, 2)
    assert await admin.put(changed) == changed
    changed.state = PERSON_STATE_LEFT
    left = await admin.put(changed)
    assert (left.version, left.state) == (3, PERSON_STATE_LEFT)
    assert await admin.person("p9") == left
    assert (await refusal(admin.person("ivo@um.example"))).code() == StatusCode.NOT_FOUND
    heir = await admin.put(newcomer(person_id="p10"))
    assert heir.number == 5
    view = await streams.view(lambda view: view.person("p9") == left and view.person("p10") == heir)
    assert view.by_address("ivo@um.example") == heir
    audits = await streams.audits(lambda found: sum(audit.actor == "p1" for audit in found) >= 4)
    assert [(audit.action, audit.resource, audit.entity_id) for audit in audits if audit.actor == "p1"] == [
        ("directory.person.create", "p9", "e1"),
        ("directory.person.update", "p9", "e1"),
        ("directory.person.leave", "p9", "e1"),
        ("directory.person.create", "p10", "e1"),
    ]


async def test_the_same_request_again_is_one_effect(admin: Any) -> None:
    request_id = messaging.new_id()
    joined = await admin.put(newcomer(), request_id)
    assert await admin.put(newcomer(), request_id) == joined
    assert (await refusal(admin.put(newcomer()))).code() == StatusCode.ALREADY_EXISTS
    joined.mobile = "+351901234567"
    first, second = await asyncio.gather(admin.put(joined, "r-1"), admin.put(joined, "r-1"))
    assert first == second
    assert first.version == 2


async def test_many_who_join_at_once_have_a_number_each(admin: Any) -> None:
    people = [newcomer(person_id=f"q{n}", addresses=[f"q{n}@um.example"]) for n in range(12)]
    joined = await asyncio.gather(*map(admin.put, people))
    assert sorted(person.number for person in joined) == list(range(4, 16))


async def test_a_change_of_an_old_version_is_refused(admin: Any) -> None:
    old = await admin.person("p2")
    new = await admin.person("p2")
    new.mobile = "+351901234567"
    await admin.put(new)
    old.locale = "en-GB"
    error = await refusal(admin.put(old))
    assert error.code() == StatusCode.ABORTED
    assert (await refusal(admin.put(newcomer(version=3)))).code() == StatusCode.NOT_FOUND


def strangers() -> Iterator[tuple[str, Person | Group]]:
    yield (
        "another entity's person",
        Person(person_id="p3", entity_id="e2", given_name="Eva", family_name="Reis", profession="other", version=1),
    )
    yield (
        "taking a person in",
        Person(person_id="p3", entity_id="e1", given_name="Eva", family_name="Reis", profession="other", version=1),
    )
    yield "a person for another entity", newcomer(entity_id="e2", addresses=["ivo@dois.example"])
    yield "acting for the ministry", newcomer(roles=["ministry.admin"])
    yield "another entity's group", Group(group_id="g9", entity_id="e2", name="Nove")


async def test_an_entity_changes_its_own_only(admin: Any, keeper: Any, documents: Any) -> None:
    before = await documents()
    for case, record in strangers():
        put = admin.put if isinstance(record, Person) else admin.put_group
        assert (await refusal(put(record))).code() == StatusCode.PERMISSION_DENIED, case
    reader = keeper("e1", "news.editor")
    assert (await refusal(reader.put(newcomer()))).code() == StatusCode.PERMISSION_DENIED
    assert (await reader.person("eva@dois.example")).person_id == "p3"
    assert await documents() == before


async def test_a_field_that_cannot_be_is_named(admin: Any) -> None:
    wrong: dict[str, Any] = {
        "unit_id": "u2",
        "addresses": ["ivo@dois.example"],
        "profession": "plumber",
        "mobile": "91",
    }
    for field, value in wrong.items():
        error = await refusal(admin.put(newcomer(**{field: value})))
        assert error.code() == StatusCode.INVALID_ARGUMENT
        assert f"person.{field}" in str(error.details())


async def test_an_address_belongs_to_one_person_or_list(admin: Any) -> None:
    for address in ("rui@um.example", "todos@um.example"):
        assert (await refusal(admin.put(newcomer(addresses=[address])))).code() == StatusCode.ALREADY_EXISTS
    error = await refusal(
        admin.put_group(Group(group_id="g9", entity_id="e1", name="Nove", addresses=["ana@um.example"]))
    )
    assert error.code() == StatusCode.ALREADY_EXISTS


async def test_a_group_is_made_changed_and_removed(admin: Any, streams: Any) -> None:
    members = [Member(person_id="p3"), Member(group_id="g1"), Member(address="X@fora.example")]
    made = await admin.put_group(
        Group(group_id="g2", entity_id="e1", name="Dois", addresses=["dois@um.example"], members=members)
    )
    assert made.version == 1
    assert await admin.group("dois@um.example") == made
    view = await streams.view(lambda view: view.group("g2") == made and view.people_count == 3)
    assert [person.person_id for person in view.people(view.members("g2"))] == ["p1", "p2", "p3"]
    assert view.external_members("g2") == ("x@fora.example",)
    for wrong in ("nobody", "g2"):
        broken = Group(group_id="g3", entity_id="e1", name="Três", members=[Member(person_id=wrong)])
        assert (await refusal(admin.put_group(broken))).code() == StatusCode.INVALID_ARGUMENT
    made.removed = True
    removed = await admin.put_group(made)
    assert removed.version == 2
    assert (await refusal(admin.group("g2"))).code() == StatusCode.NOT_FOUND
    await streams.view(lambda view: view.people_count == 3 and view.group("g1") is not None and not view.group("g2"))


async def test_a_list_has_moderators_and_is_read_as_it_was_kept_before_it_could_have_them(
    admin: Any, streams: Any, directory: ServiceProgram, mongo: str
) -> None:
    made = await admin.put_group(
        Group(
            group_id="g2",
            entity_id="e1",
            name="Dois",
            addresses=["dois@um.example"],
            moderators=[Member(person_id="p3"), Member(group_id="g1")],
            unmoderated_senders=[Member(person_id="p2")],
        )
    )
    assert [each.WhichOneof("member") for each in made.moderators] == ["group_id", "person_id"]
    view = await streams.view(lambda view: view.group("g2") == made and view.people_count == 3)
    assert [person.person_id for person in view.people(view.moderators("g2"))] == ["p1", "p2", "p3"]
    made.moderators.add(address="x@fora.example")
    assert (await refusal(admin.put_group(made))).code() == StatusCode.INVALID_ARGUMENT
    database = store.connect(mongo, directory.environment()["MONGODB_DATABASE"])
    gone = {"$unset": {"body.moderators": True, "body.unmoderated_senders": True}}
    await database.collection("records").update("group/g2", gone)
    await database.close()
    assert list((await admin.group("g2")).moderators) == []


async def test_people_are_listed_page_by_page(running: ServiceProgram, keeper: Any) -> None:
    reader = keeper("e2")
    assert await reader.people("e1", 1) == [["p1"], ["p2"]]
    assert await reader.people("e1", 0) == [["p1", "p2"]]
    assert (await refusal(reader.people("e9", 1))).code() == StatusCode.NOT_FOUND


async def test_who_am_i(running: ServiceProgram, keeper: Any) -> None:
    from rossio.directory.v1 import service_pb2 as pb

    answer = await keeper("e1", subject="p2").stub.WhoAmI(pb.WhoAmIRequest())
    assert (answer.person.person_id, answer.entity.name) == ("p2", "Um")
    error = await refusal(keeper("e1", subject="p8").stub.WhoAmI(pb.WhoAmIRequest()))
    assert error.code() == StatusCode.NOT_FOUND
    entities = await keeper("e1").stub.ListEntities(pb.ListEntitiesRequest())
    assert [entity.entity_id for entity in entities.entities] == ["e1", "e2"]


async def test_a_number_that_was_reserved_by_who_was_killed_is_given_once(
    running: ServiceProgram, keeper: Any, documents: Any
) -> None:
    running.restart(ROSSIO_KILL_AT="directory.put.numbered")
    admin = keeper("e1", "directory.admin")
    assert (await refusal(admin.put(newcomer(), "r-1"))).code() == StatusCode.UNAVAILABLE
    running.restart(ROSSIO_KILL_AT="")
    admin = keeper("e1", "directory.admin")  # The connection before sits in gRPC's back-off.
    assert (await admin.put(newcomer(), "r-1")).number == 5
    more = PEOPLE + b"p5,e1,,Zeca,Dias,zeca@um.example,nurse,\np6,e1,,Lia,Dias,lia@um.example,nurse,\n"
    assert (await admin.import_({"people": more})).applied
    kept = await documents()
    assert {key: kept[key]["number"] for key in ("person/p9", "person/p5", "person/p6")} == {
        "person/p9": 5,
        "person/p5": 4,
        "person/p6": 6,
    }
