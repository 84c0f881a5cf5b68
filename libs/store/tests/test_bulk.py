import asyncio
from collections.abc import Callable

import pytest
from pymongo.errors import BulkWriteError
from store import BulkResult, Change, Collection, Delete, Insert, OutboxRecord

Fact = Callable[[int], OutboxRecord]


async def test_a_bulk_does_what_can_be_done_and_tells_what_was_refused(posts: Collection, fact: Fact) -> None:
    await posts.insert({"_id": "there", "n": 1})
    await posts.insert({"_id": "old", "n": 1})
    result = await posts.bulk(
        [
            Insert({"_id": "there", "n": 99}, [fact(1)]),
            Insert({"_id": "new"}, [fact(2)]),
            Change("there", {"$inc": {"n": 1}}, facts=[fact(3)]),
            Change("made", {"$set": {"n": 5}}, upsert=True),
            Change("missing", {"$set": {"n": 5}}),
            Change("there", {"$set": {"n": 0}}, where={"n": {"$gt": 100}}, upsert=True),
            Delete("old"),
        ]
    )
    assert result == BulkResult(inserted=1, changed=1, upserted=1, deleted=1, refused=(0, 5))
    assert {d["_id"]: (d.get("n"), d["version"]) async for d in posts.find({})} == {
        "there": (2, 2),
        "new": (None, 1),
        "made": (5, 1),
    }
    assert dict(await posts.pending(10)) == {"new": [fact(2)], "there": [fact(3)]}


async def test_effects_with_a_natural_key_happen_once_however_often_they_are_written(posts: Collection) -> None:
    effects = [Insert({"_id": f"event-1:user-{n}"}) for n in range(100)]
    results = await asyncio.gather(posts.bulk(effects), posts.bulk(effects), posts.bulk(effects[:50]))
    assert sum(result.inserted for result in results) == 100
    assert sum(len(result.refused) for result in results) == 150


async def test_racing_bulk_upserts_all_count(posts: Collection) -> None:
    counts = [Change(f"c{n}", {"$inc": {"n": 1}}, upsert=True) for n in range(20)]
    await asyncio.gather(*(posts.bulk(counts) for _ in range(8)))
    assert {d["n"] async for d in posts.find({})} == {8}


async def test_a_bulk_of_nothing_is_nothing(posts: Collection) -> None:
    assert await posts.bulk([]) == BulkResult(0, 0, 0, 0, ())


async def test_a_change_that_can_never_be_made_is_a_bug_and_raises(posts: Collection) -> None:
    await posts.insert({"_id": "p1", "n": "text"})
    with pytest.raises(BulkWriteError):
        await posts.bulk([Change("p1", {"$inc": {"n": 1}})])


async def test_an_ordered_bulk_does_nothing_after_what_was_refused(posts: Collection) -> None:
    await posts.insert({"_id": 3})
    result = await posts.bulk([Insert({"_id": n}) for n in range(6)], ordered=True)
    assert (result.inserted, result.refused) == (3, (3,))
    assert await posts.get(4) is None


async def test_the_same_change_of_many_leaves_those_whose_condition_does_not_hold(posts: Collection) -> None:
    await posts.bulk([Insert({"_id": number, "due": number}) for number in range(1200)])
    ids = [*range(1100), 5000]
    assert await posts.update_all(ids, {"$set": {"due": -1}}, where={"due": {"$gte": 100}}) == 1000
    found = {each["_id"]: (each["due"], each["version"]) async for each in posts.find({})}
    changed = set(range(100, 1100))
    assert found == {each: (-1, 2) if each in changed else (each, 1) for each in range(1200)}
    assert await posts.update_all([], {"$set": {"due": 0}}, where={}) == 0
