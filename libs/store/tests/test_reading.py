from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from store import DESCENDING, Collection, Insert, Position

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def _fill(posts: Collection, minutes: list[int]) -> None:
    await posts.bulk(
        [
            Insert({"_id": f"p{n:04}", "owner": "e01", "at": NOON + timedelta(minutes=minute)})
            for n, minute in enumerate(minutes)
        ]
        + [Insert({"_id": "other", "owner": "e02", "at": NOON})]
    )


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 7, 50])
@pytest.mark.parametrize("sort_field", ["at", "_id"])
async def test_pages_show_each_document_once_and_in_order_however_many_share_a_value(
    posts: Collection, limit: int, descending: bool, sort_field: str
) -> None:
    await _fill(posts, [n // 6 for n in range(25)])
    seen = []
    after: Position | None = None
    while True:
        page = await posts.page({"owner": "e01"}, sort_field, after, limit, descending=descending)
        seen += page.documents
        after = page.after
        if after is None:
            break
        assert len(page.documents) == limit
    assert len(seen) == 25
    keys = [(document[sort_field], document["_id"]) for document in seen]
    assert all(before > behind if descending else before < behind for before, behind in pairwise(keys))


async def test_the_last_page_that_is_just_full_says_that_it_is_the_last(posts: Collection) -> None:
    await _fill(posts, [1, 2, 3, 4])
    first = await posts.page({"owner": "e01"}, "at", None, 2)
    second = await posts.page({"owner": "e01"}, "at", first.after, 2)
    assert len(second.documents) == 2
    assert second.after is None


async def test_what_is_inserted_before_the_position_does_not_shift_the_next_page(posts: Collection) -> None:
    await _fill(posts, [10, 20, 30, 40])
    first = await posts.page({"owner": "e01"}, "at", None, 2)
    await posts.insert({"_id": "early", "owner": "e01", "at": NOON})
    second = await posts.page({"owner": "e01"}, "at", first.after, 2)
    assert [document["_id"] for document in second.documents] == ["p0002", "p0003"]


async def test_find_sorts_limits_projects_and_spans_many_batches(posts: Collection) -> None:
    await _fill(posts, list(range(450)))
    assert len([1 async for _ in posts.find({"owner": "e01"})]) == 450
    newest = [d async for d in posts.find({"owner": "e01"}, sort=[("at", DESCENDING)], limit=2, projection={"at": 1})]
    assert newest == [
        {"_id": "p0449", "at": NOON + timedelta(minutes=449)},
        {"_id": "p0448", "at": NOON + timedelta(minutes=448)},
    ]
    assert [d async for d in posts.find({"owner": "nobody"})] == []


async def test_a_reader_may_stop_early(posts: Collection) -> None:
    await _fill(posts, list(range(450)))
    found = posts.find({"owner": "e01"})
    async for document in found:
        assert document["owner"] == "e01"
        break
    await found.aclose()
    assert await posts.find_one({"owner": "e02"}, projection={"_id": 1}) == {"_id": "other"}
