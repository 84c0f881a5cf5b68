"""Nothing lost and nothing twice: the process is killed between its writes, its answers and its publishing."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from devstack.program import Failed

POINTS = (
    "news.post.published:1",
    "news.marks.grouped:2",
    "news.marks.written:2",
    "news.post.acknowledged:3",
    "messaging.relay.published:2",
)
PEOPLE = ("news-ana", "news-rui", "news-eva", "news-nuno")
EVERYBODY = 'person in ("news-ana", "news-rui", "news-eva", "news-nuno")'


@pytest.mark.slow
async def test_a_post_is_published_once_and_no_acknowledgement_is_lost(start_service, caller, told):
    """Clients say the same again, under the same request, until they are answered."""
    news = start_service("news")
    drafts = [await caller(news, "news-rui").draft(EVERYBODY) for _ in POINTS]
    for draft, point in zip(drafts, POINTS, strict=True):
        news.stop()
        news.settings["ROSSIO_KILL_AT"] = point
        news.launch()
        with suppress(Failed):  # what the last one left to publish may bring it to the point at once
            news.wait()
        async with asyncio.timeout(120):
            while news.exit_code is None:
                await say_all(caller, news, draft)
                await asyncio.sleep(0.05)
        assert news.exit_code == -9, news.output()
        news.restart(ROSSIO_KILL_AT="")
        async with asyncio.timeout(120):
            while not await say_all(caller, news, draft):
                await asyncio.sleep(0.05)

    for draft in drafts:
        assert (await caller(news, "news-rui").missing(draft.post_id))[1:] == (0, 4)
        events = await told.about(draft.post_id, 7)
        kinds = Counter(getattr(event, "action", type(event).__name__) for event in events)
        assert kinds == {"news.post.create": 1, "news.post.publish": 1, "PostPublished": 1, "PostAcknowledged": 4}
        told_of = [one.person_id for event in events for one in getattr(event, "acknowledgements", ())]
        assert sorted(told_of) == sorted(PEOPLE)


async def say_all(caller, news, draft) -> bool:
    """Publishes and acknowledges as everybody; whether all of it was answered."""
    with suppress(grpc.aio.AioRpcError):
        await caller(news, "news-rui").publish(draft, f"publish-{draft.post_id}")
        for person in PEOPLE:
            await caller(news, person).acknowledge(draft.post_id, request_id=f"acknowledge-{draft.post_id}")
        return True
    return False


@pytest.mark.slow
async def test_what_time_does_is_done_once(start_service, caller, told):
    """The process dies between deciding, writing and telling; the next one decides anew on what it finds."""
    news = start_service("news")
    for point in ("news.time.decided", "news.time.written"):
        news.restart(ROSSIO_KILL_AT=point)
        editor = caller(news, "news-rui")
        post = await editor.schedule(await editor.draft(EVERYBODY), datetime.now(UTC) + timedelta(seconds=8))
        await news.killed(120)
        news.restart(ROSSIO_KILL_AT="")
        kinds = Counter(getattr(event, "action", type(event).__name__) for event in await told.about(post.post_id, 4))
        once = ("news.post.create", "news.post.schedule", "news.post.publish", "PostPublished")
        assert kinds == dict.fromkeys(once, 1)
        assert (await caller(news, "news-rui").get(post.post_id)).post.text_version == 1
