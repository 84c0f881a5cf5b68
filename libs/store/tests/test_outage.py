import asyncio

import pytest
import store
from devstack.mongo import Mongo
from devstack.program import free_port
from errors import Transient
from store import Lease


async def test_a_store_that_is_away_is_transient_everywhere_and_taken_up_again_when_it_is_back(
    own_mongo: Mongo,
) -> None:
    database = store.connect(own_mongo.uri, "outage")
    posts = database.collection("posts")
    await database.ensure(posts)
    await posts.insert({"_id": "p1"})
    lease = Lease(database, "relay", "me")
    assert await lease.acquire()
    own_mongo.kill()

    async def read() -> None:
        async for _ in posts.find({}):
            pass

    results = await asyncio.gather(
        database.ping(),
        posts.get("p1"),
        posts.insert({"_id": "p2"}),
        posts.update("p1", {"$set": {"a": 1}}),
        posts.bulk([store.Insert({"_id": "p3"})]),
        posts.pending(10),
        read(),
        lease.acquire(),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [Transient] * 8

    await asyncio.to_thread(own_mongo.start)
    await database.ping()
    assert await posts.get("p1") == {"_id": "p1", "version": 1}
    await database.close()


async def test_nothing_listens_there() -> None:
    database = store.connect(f"mongodb://127.0.0.1:{free_port()}", "nowhere")
    with pytest.raises(Transient) as refused:
        await database.ping()
    assert refused.value.reason == "STORE_UNAVAILABLE"
    await database.close()
