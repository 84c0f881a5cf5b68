import asyncio
from collections.abc import Callable

import pytest
import store
from devstack.mongo import Mongo
from errors import Conflict, NotFound, Transient
from store import Change, Collection, Database, Insert, OutboxRecord

Fact = Callable[[int], OutboxRecord]


async def test_facts_are_pending_in_the_order_of_the_writes_until_published(posts: Collection, fact: Fact) -> None:
    await posts.insert({"_id": "p1"}, [fact(1), fact(2)])
    await posts.update("p1", {"$set": {"a": 1}}, version=1, facts=[fact(3)])
    await posts.insert({"_id": "p2"})
    assert await posts.pending(10) == [("p1", [fact(1), fact(2), fact(3)])]

    await posts.published("p1", ["fact-1", "fact-2"])
    assert await posts.pending(10) == [("p1", [fact(3)])]
    await posts.published("p1", ["fact-3"])
    assert await posts.pending(10) == []
    assert (await posts.get("p1") or {})["version"] == 2  # publishing is no change of the aggregate


async def test_a_fact_that_comes_while_others_are_published_stays(posts: Collection, fact: Fact) -> None:
    await posts.insert({"_id": "p1"}, [fact(1)])
    [(document, facts)] = await posts.pending(10)
    await posts.update("p1", {"$set": {"a": 1}}, facts=[fact(2)])
    await posts.published(document, [fact.id for fact in facts])
    assert await posts.pending(10) == [("p1", [fact(2)])]


async def test_pending_takes_at_most_so_many_documents(posts: Collection, fact: Fact) -> None:
    await posts.bulk([Insert({"_id": n}, [fact(n)]) for n in range(30)])
    seen: set[int] = set()
    while pending := await posts.pending(7):
        assert len(pending) <= 7
        seen |= {document for document, _ in pending}
        await posts.published_all([(document, [fact.id for fact in facts]) for document, facts in pending])
    assert seen == set(range(30))


async def test_the_hook_hears_of_writes_with_facts_that_were_done_and_no_others(
    database: Database, posts: Collection, fact: Fact
) -> None:
    heard: list[str] = []
    posts.on_facts(lambda: heard.append("a fact"))
    await posts.insert({"_id": "p1"})
    await posts.update("p1", {"$set": {"a": 1}})
    with pytest.raises(Conflict):
        await posts.insert({"_id": "p1"}, [fact(1)])
    with pytest.raises(NotFound):
        await posts.update("p2", {"$set": {"a": 1}}, facts=[fact(1)])
    assert heard == []
    await posts.insert({"_id": "p2"}, [fact(1)])
    await database.collection("posts").update("p2", {"$set": {"a": 1}}, facts=[fact(2)])
    await posts.bulk([Insert({"_id": "p3"}, [fact(3)]), Change("p1", {"$set": {"a": 2}}, facts=[fact(4)])])
    assert len(heard) == 3


async def test_acknowledged_writes_and_their_facts_outlive_a_power_cut(own_mongo: Mongo, fact: Fact) -> None:
    database = store.connect(own_mongo.uri, "durable")
    posts = database.collection("posts")
    await database.ensure(posts)
    acknowledged: list[int] = []

    async def write() -> None:
        for n in range(10_000):
            await posts.insert({"_id": n}, [fact(n)])
            acknowledged.append(n)
            if n == 40:
                own_mongo.kill()

    with pytest.raises(Transient):
        await write()
    await asyncio.to_thread(own_mongo.start)
    there = {document["_id"] async for document in posts.find({})}
    pending = dict(await posts.pending(10_000))
    assert there >= set(acknowledged)
    assert {n: [fact(n)] for n in there} == pending
    await database.close()
