from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import store
from store import Collection, Database, OutboxRecord

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
async def posts(database: Database) -> Collection:
    posts = database.collection("posts")
    await database.ensure(posts, [store.Index(["slug"], unique=True, sparse=True), store.Index(["owner", "-at"])])
    return posts


@pytest.fixture
def fact() -> Callable[[int], OutboxRecord]:
    """Makes a fact whose every field tells its number, with a header that is no text."""
    return lambda number: OutboxRecord(
        id=f"fact-{number}",
        at=NOON + timedelta(milliseconds=number),
        topic="news.post.v1",
        key=b"post\x00%d" % number,
        payload=bytes(range(256)) + b"%d" % number,
        headers=(("ce_id", b"fact-%d" % number), ("binary", b"\xff\x00"), ("ce_id", b"again")),
    )
