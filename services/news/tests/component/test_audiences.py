"""Joiners, movers and leavers: what a frozen and a live audience make of them."""

import asyncio

from rossio.news.v1 import news_pb2
from rossio.news.v1 import service_pb2 as pb

AT_C = 'entity = "news-c" and profession = "nurse"'
LIVE = news_pb2.PostOptions(audience_kind=news_pb2.AUDIENCE_KIND_LIVE)


async def test_a_frozen_audience_stays_and_a_live_one_follows_the_directory(start_service, caller, works):
    news = start_service("news")
    editor = caller(news, "news-rui")
    await works("news-stayer", 340_900, "news-c")
    await works("news-mover", 340_901, "news-c")
    await works("news-leaver", 340_902, "news-c")
    await until(editor, {"news-mover", "news-stayer", "news-leaver"})
    frozen = await editor.publish(await editor.draft(AT_C, mandatory=True))
    live = await editor.publish(await editor.draft(AT_C, mandatory=True, options=LIVE))
    assert frozen.audience_size == live.audience_size == 3
    assert (await editor.get(live.post_id)).post.options.audience_kind == news_pb2.AUDIENCE_KIND_LIVE

    await works("news-joiner", 340_903, "news-c")
    await works("news-mover", 340_901, "news-d", version=2)
    await works("news-leaver", 340_902, "news-c", version=2, left=True)
    await until(editor, {"news-stayer", "news-joiner"})
    assert set((await editor.missing(frozen.post_id))[0]) == {"news-stayer", "news-mover"}, (
        "who has left is not missing"
    )
    assert set((await editor.missing(live.post_id))[0]) == {"news-stayer", "news-joiner"}
    feeds = {person: set(await caller(news, person, "").feed()) for person in ("news-mover", "news-joiner")}
    assert feeds == {"news-mover": {frozen.post_id}, "news-joiner": {live.post_id}}


async def until(editor, people) -> None:
    """Waits until the directory view of the service has these people in the audience."""
    preview: set[str] = set()
    async with asyncio.timeout(60):
        while preview != people:
            await asyncio.sleep(0.05)
            preview = set((await editor.stub.PreviewAudience(pb.PreviewAudienceRequest(audience=AT_C))).sample)
