"""The state made anew from the stream is the live state; what was answered in a crowd survives a SIGKILL."""

import asyncio
from collections.abc import Iterable

import grpc
import pytest
from directory_view import Bitmap
from google.protobuf.message import Message
from rossio.news.v1 import events_pb2, news_pb2
from rossio.news.v1 import service_pb2 as pb

READERS = ("news-ana", "news-rui", "news-eva", "news-nuno")
ALL = 'person in ("news-ana", "news-rui", "news-eva", "news-nuno")'
NURSES = 'entity in ("news-a", "news-b") and profession = "nurse"'


class Rebuilt:
    """One post as its events tell it."""

    def __init__(self, events: Iterable[Message]) -> None:
        self.post = news_pb2.Post()
        self.people = Bitmap()
        self.acknowledged = Bitmap()
        self.live = False
        for event in events:
            match event:
                case events_pb2.PostPublished():
                    self.post, self.people, self.live = event.post, Bitmap.deserialize(event.audience), True
                    self.acknowledged = Bitmap()
                case events_pb2.PostRetracted() | events_pb2.PostExpired() | events_pb2.PostArchived():
                    self.live = False
                case events_pb2.PostAcknowledged() if event.text_version == self.post.text_version:
                    self.acknowledged.update(each.number for each in event.acknowledgements)
                case _:
                    pass


async def test_the_state_made_from_the_stream_is_the_live_state(start_service, caller, told):
    news = start_service("news")
    editor = caller(news, "news-rui")
    kept = await editor.publish(await editor.draft(ALL, mandatory=True))
    revised = await editor.publish(await editor.draft(NURSES, mandatory=True))
    gone = await editor.publish(await editor.draft(ALL, mandatory=True))
    archived = await editor.publish(await editor.draft(ALL))
    for reader in ("news-ana", "news-eva"):
        await asyncio.gather(*(caller(news, reader, "").acknowledge(post.post_id) for post in (kept, revised, gone)))
    revised = await editor.publish(await editor.update(revised, audience='person = "news-eva"'))
    await caller(news, "news-eva", "").acknowledge(revised.post_id, text_version=2)
    await editor.retract(gone.post_id)
    await editor.stub.ArchivePost(pb.ArchivePostRequest(request_id="a", post_id=archived.post_id))

    feeds = {reader: await caller(news, reader, "").feed() for reader in READERS}
    # Facts, audits among them: create and publish each; the rest as it was done above.
    for post, facts in ((kept, 5), (revised, 9), (gone, 7), (archived, 5)):
        rebuilt = Rebuilt(await told.about(post.post_id, facts))
        assert rebuilt.live == (post in (kept, revised))
        holders = {reader for reader, feed in feeds.items() if post.post_id in feed}
        people = {reader for at, reader in enumerate(READERS, start=340_001) if at in rebuilt.people}
        assert holders == (people if rebuilt.live else set())
        if rebuilt.live:
            shown = (await editor.get(post.post_id)).post
            assert rebuilt.post == shown
            missing, count, size = await editor.missing(post.post_id)
            late = rebuilt.people - rebuilt.acknowledged
            assert (count, size) == (len(late), len(rebuilt.people))
            assert missing == [reader for at, reader in enumerate(READERS, start=340_001) if at in late]


@pytest.mark.slow
async def test_no_acknowledgement_that_was_answered_is_lost_when_many_come_at_once(start_service, caller):
    """They come faster than they are written, so the process dies with groups of them in hand."""
    news = start_service("news")
    editor = caller(news, "news-rui")
    posts = [(await editor.publish(await editor.draft(ALL, mandatory=True))).post_id for _ in range(60)]
    for point in ("news.marks.grouped:3", "news.marks.written:3"):
        news.stop()
        news.settings["ROSSIO_KILL_AT"] = point
        news.start()
        people = {reader: caller(news, reader, "") for reader in READERS}

        async def say(reader: str, post_id: str, people=people) -> tuple[str, str] | None:
            try:
                await people[reader].acknowledge(post_id)
            except grpc.aio.AioRpcError:
                return None
            return reader, post_id

        some = posts[::3] if "grouped" in point else posts[1::3]
        async with asyncio.TaskGroup() as group:
            said = []
            for start in range(0, len(some), 5):
                said += [group.create_task(say(reader, post)) for reader in READERS for post in some[start : start + 5]]
                await asyncio.sleep(0.01)
        async with asyncio.timeout(60):
            spare = iter(posts[2::3])
            while news.exit_code is None:  # should all have come in two groups
                await say("news-ana", next(spare, some[-1]))
        answered = {done for task in said if (done := task.result())}
        news.restart(ROSSIO_KILL_AT="")
        editor = caller(news, "news-rui")
        for post_id in some:
            late = set((await editor.missing(post_id))[0])
            assert not {reader for reader, post in answered if post == post_id} & late
        people = {reader: caller(news, reader, "") for reader in READERS}
        await asyncio.gather(*(say(reader, post, people) for reader in READERS for post in some))
        assert [(await editor.missing(post_id))[1] for post_id in some] == [0] * len(some)
