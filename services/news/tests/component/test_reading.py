"""The personal feed: its order, its filters, its live stream."""

import asyncio

from rossio.news.v1 import news_pb2
from rossio.news.v1 import service_pb2 as pb

NURSES = 'entity in ("news-a", "news-b") and profession = "nurse"'


def options(**said):
    return {"options": news_pb2.PostOptions(**said)}


async def test_what_is_pinned_then_unread_then_read(start_service, caller):
    news = start_service("news")
    editor, nurse = caller(news, "news-rui"), caller(news, "news-eva", "")
    pinned = await editor.publish(await editor.draft(**options(pinned=True)))
    first, second, third = [await editor.publish(await editor.draft()) for _ in range(3)]
    await nurse.read(third.post_id, "another")
    await nurse.acknowledge(first.post_id)
    feed = await nurse.feed()
    assert list(feed) == [each.post_id for each in (pinned, second, third, first)]
    assert [(each.read, each.acknowledged) for each in feed.values()] == [
        (False, False),
        (False, False),
        (True, False),
        (True, True),
    ]
    news.kill()
    news.start()
    # A channel of her own: the old one may still pause before it connects again.
    again = caller(news, "news-eva", "")
    assert list(await again.feed()) == list(feed), "what readers did outlives the process"


async def test_categories_are_followed_and_muted(start_service, caller, refused):
    news = start_service("news")
    editor, nurse = caller(news, "news-rui"), caller(news, "news-eva", "")
    sport = await editor.publish(await editor.draft(**options(category="sport")))
    duty = await editor.publish(await editor.draft(mandatory=True, **options(category="sport")))
    health = await editor.publish(await editor.draft(**options(category="health")))
    assert set(await nurse.feed(category="sport")) == {sport.post_id, duty.post_id}
    await taste(nurse, followed=["health"], muted=["sport"])
    assert set(await nurse.feed()) == {duty.post_id, health.post_id}, "a duty cannot be muted"
    assert set(await nurse.feed(followed_only=True)) == {health.post_id}
    assert list((await nurse.stub.GetTaste(pb.GetTasteRequest())).taste.muted) == ["sport"]
    with refused("INVALID_ARGUMENT", "FOLLOWED_AND_MUTED"):
        await taste(nurse, followed=["x"], muted=["x"])


async def taste(person, **said) -> None:
    await person.stub.SetTaste(pb.SetTasteRequest(request_id="t", taste=pb.Taste(**said)))


async def test_new_posts_come_by_a_stream_that_resumes(start_service, caller, refused):
    news = start_service("news")
    editor, nurse = caller(news, "news-rui"), caller(news, "news-eva", "")
    await editor.publish(await editor.draft())
    stream = nurse.stub.WatchFeed(pb.WatchFeedRequest())
    foreign = await editor.publish(await editor.draft('person = "news-ana"'))
    seen = asyncio.create_task(stream.read())
    published: list[str] = []
    async with asyncio.timeout(60):
        while not seen.done():  # the stream may begin to watch after a publication
            published.append((await editor.publish(await editor.draft())).post_id)
            await asyncio.wait([seen], timeout=1)
    event = seen.result()
    first = event.item.post.post_id
    assert first in published
    stream.cancel()
    missed = [(await editor.publish(await editor.draft())).post_id for _ in range(2)]
    again = nurse.stub.WatchFeed(pb.WatchFeedRequest(resume_token=event.resume_token))
    came: list[str] = []
    async with asyncio.timeout(60):
        while not set(missed) <= set(came):
            came.append((await again.read()).item.post.post_id)
    assert not {foreign.post_id, first} & set(came)
    assert [each for each in came if each in missed] == missed
    again.cancel()
    with refused("INVALID_ARGUMENT", "RESUME_TOKEN"):
        await nurse.stub.WatchFeed(pb.WatchFeedRequest(resume_token="x")).read()
