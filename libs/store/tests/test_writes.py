import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import store
from errors import Conflict, Invalid, NotFound
from store import Collection, Database, OutboxRecord

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

Fact = Callable[[int], OutboxRecord]


async def test_a_document_comes_back_as_it_was_with_version_one_and_no_outbox(posts: Collection, fact: Fact) -> None:
    await posts.insert({"_id": "p1", "title": "Olá", "at": NOON, "blob": b"\x00\xff", "tags": ["a"]}, [fact(1)])
    assert await posts.get("p1") == {
        "_id": "p1", "version": 1, "title": "Olá", "at": NOON, "blob": b"\x00\xff", "tags": ["a"],
    }  # fmt: skip
    assert await posts.get("p2") is None


async def test_a_second_document_with_the_id_is_refused_and_changes_nothing(posts: Collection, fact: Fact) -> None:
    await posts.insert({"_id": "p1", "title": "first"}, [fact(1)])
    with pytest.raises(Conflict) as refused:
        await posts.insert({"_id": "p1", "title": "second"}, [fact(2)])
    assert refused.value.reason == "ALREADY_EXISTS"
    assert (await posts.get("p1") or {})["title"] == "first"
    assert await posts.pending(10) == [("p1", [fact(1)])]


async def test_a_taken_unique_key_is_named_by_its_fields_and_never_by_its_value(posts: Collection) -> None:
    await posts.insert({"_id": "p1", "slug": "maria@example.pt"})
    with pytest.raises(Conflict) as refused:
        await posts.insert({"_id": "p2", "slug": "maria@example.pt"})
    assert refused.value.details == {"fields": "slug"}
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert "maria" not in str(refused.value)


async def test_an_update_goes_up_one_version_and_a_stale_one_is_refused(posts: Collection, fact: Fact) -> None:
    await posts.insert({"_id": "p1", "title": "a", "reads": 0})
    await posts.update("p1", {"$set": {"title": "b"}, "$inc": {"reads": 2}}, version=1)
    assert await posts.get("p1") == {"_id": "p1", "version": 2, "title": "b", "reads": 2}
    with pytest.raises(Conflict) as refused:
        await posts.update("p1", {"$set": {"title": "c"}}, version=1, facts=[fact(1)])
    assert refused.value.reason == "STALE"
    assert (await posts.get("p1") or {})["title"] == "b"
    assert await posts.pending(10) == []


async def test_an_update_without_a_version_always_holds(posts: Collection) -> None:
    await posts.insert({"_id": "p1", "n": 0})
    await asyncio.gather(*(posts.update("p1", {"$inc": {"n": 1}}) for _ in range(20)))
    assert await posts.get("p1") == {"_id": "p1", "version": 21, "n": 20}


async def test_of_many_writers_with_the_same_version_one_wins(posts: Collection, fact: Fact) -> None:
    await posts.insert({"_id": "p1", "by": None})
    results = await asyncio.gather(
        *(posts.update("p1", {"$set": {"by": n}}, version=1, facts=[fact(n)]) for n in range(10)),
        return_exceptions=True,
    )
    (winner,) = [n for n, result in enumerate(results) if result is None]
    assert all(isinstance(result, Conflict) for n, result in enumerate(results) if n != winner)
    assert await posts.get("p1") == {"_id": "p1", "version": 2, "by": winner}
    assert await posts.pending(10) == [("p1", [fact(winner)])]


async def test_a_condition_claims_a_document_once(posts: Collection) -> None:
    await posts.insert({"_id": "job", "state": "waiting"})
    claims = await asyncio.gather(
        *(posts.update("job", {"$set": {"state": "mine"}}, where={"state": "waiting"}) for _ in range(8)),
        return_exceptions=True,
    )
    assert [type(claim) for claim in claims].count(Conflict) == 7


@pytest.mark.parametrize("condition", [{}, {"version": 3}, {"where": {"a": 1}}])
async def test_an_update_of_what_is_not_there_says_so(posts: Collection, condition: dict[str, object]) -> None:
    with pytest.raises(NotFound):
        await posts.update("nobody", {"$set": {"a": 1}}, **condition)  # type: ignore[arg-type] # as parametrised
    assert await posts.get("nobody") is None


async def test_racing_upserts_make_one_document(posts: Collection) -> None:
    await asyncio.gather(*(posts.update("p1", {"$inc": {"n": 1}}, upsert=True) for _ in range(20)))
    assert await posts.get("p1") == {"_id": "p1", "version": 20, "n": 20}


async def test_an_upsert_that_carries_its_own_version_keeps_the_newer_one(posts: Collection) -> None:
    async def mirror(version: int) -> None:
        change = {"$set": {"title": f"v{version}", "version": version}}
        await posts.update("p1", change, where={"version": {"$lt": version}}, upsert=True)

    await mirror(5)
    with pytest.raises(Conflict):
        await mirror(4)
    await mirror(7)
    assert await posts.get("p1") == {"_id": "p1", "version": 7, "title": "v7"}


async def test_a_document_that_is_too_large_is_invalid(posts: Collection) -> None:
    with pytest.raises(Invalid) as refused:
        await posts.insert({"_id": "p1", "data": b"x" * (17 << 20)})
    assert refused.value.reason == "TOO_LARGE"
    await posts.insert({"_id": "p1"})
    with pytest.raises(Invalid):
        await posts.update("p1", {"$set": {"data": b"x" * (17 << 20)}})


async def test_delete_tells_whether_there_was_one(posts: Collection) -> None:
    await posts.insert({"_id": "p1", "state": "new"})
    assert not await posts.delete("p1", where={"state": "old"})
    assert await posts.delete("p1")
    assert not await posts.delete("p1")


async def test_an_index_with_other_options_is_a_conflict_that_says_what_to_do(
    database: Database, posts: Collection
) -> None:
    await database.ensure(posts, [store.Index(["slug"], unique=True, sparse=True)])
    with pytest.raises(Conflict, match=r'\.posts has indexes .*: slug_1\. .*\.posts\.dropIndex\("slug_1"\)$'):
        await database.ensure(posts, [store.Index(["owner"]), store.Index(["slug"])])


async def test_documents_that_an_index_does_not_allow_are_a_conflict_that_names_it(database: Database) -> None:
    cards = database.collection("cards")
    await cards.insert({"_id": "c1", "holder": "p1"})
    await cards.insert({"_id": "c2", "holder": "p1"})
    with pytest.raises(Conflict, match=r"\.cards has documents that are the same .*: holder_1 cannot be made\."):
        await database.ensure(cards, [store.Index(["at"]), store.Index(["holder"], unique=True)])


async def test_an_index_with_an_end_lets_documents_expire(database: Database) -> None:
    codes = database.collection("codes")
    await database.ensure(codes, [store.Index(["at"], expire_after=timedelta(hours=1))])
    await codes.insert({"_id": "c1", "at": NOON})  # when it goes is the server's matter


async def test_a_collection_is_one_object_by_name(database: Database) -> None:
    assert database.collection("a") is database.collection("a")
    assert database.collection("a") is not database.collection("b")


def test_a_connection_needs_the_loop_that_it_will_live_in(mongo: str) -> None:
    with pytest.raises(RuntimeError):
        store.connect(mongo, "nowhere")
