"""News as a program on a real Kafka and store, and people of two entities who speak to it over gRPC."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from devstack.services import ServiceProgram
from google.protobuf.message import Message
from rossio.directory.v1 import directory_pb2, events_pb2
from rossio.news.v1 import news_pb2
from rossio.news.v1 import service_pb2 as pb
from rossio.news.v1.service_pb2_grpc import NewsServiceStub
from testkit.plugin import Dial
from testkit.streams import Told, publish

PEOPLE = {
    "news-ana": ("news-a", "nurse", "pt-PT"),
    "news-rui": ("news-a", "doctor", "en-GB"),
    "news-eva": ("news-b", "nurse", ""),
    "news-nuno": ("news-b", "doctor", "pt-PT"),
    "news-zoe": ("news-z", "other", ""),
}
"""Person -> entity, profession and locale; the numbers are far from those of other tests on the same streams.

The last one is in no audience of the tests, so that none of those is everybody.
"""
FIRST = 340_001
VARIANTS = (
    news_pb2.Variant(locale="pt-PT", title="Higiene das mãos", body="Leitura **obrigatória**"),
    news_pb2.Variant(locale="en", title="Hand hygiene", body="**Mandatory** reading <script>x</script>"),
)
NURSES = 'entity in ("news-a", "news-b") and profession = "nurse"'


def directory() -> Iterator[Message]:
    for entity_id in ("news-a", "news-b"):
        yield events_pb2.EntityChanged(entity=directory_pb2.Entity(entity_id=entity_id, name=entity_id, version=1))
    for number, (person_id, (entity_id, profession, locale)) in enumerate(PEOPLE.items(), start=FIRST):
        yield person(person_id, number, entity_id, profession, locale)


def person(
    person_id: str, number: int, entity_id: str, profession: str, locale: str, *, version: int = 1, left: bool = False
) -> Message:
    return events_pb2.PersonChanged(
        person=directory_pb2.Person(
            person_id=person_id,
            number=number,
            entity_id=entity_id,
            unit_id=f"u-{entity_id}",
            profession=profession,
            locale=locale,
            state=directory_pb2.PERSON_STATE_LEFT if left else directory_pb2.PERSON_STATE_ACTIVE,
            version=version,
        )
    )


@pytest.fixture
async def ministry(streams: str) -> None:
    """Two entities with a nurse and a doctor each, on the directory's streams."""
    await publish(streams, directory())


Works = Callable[..., Awaitable[None]]


@pytest.fixture
def works(streams: str) -> Works:
    """`await works(person_id, number, entity_id, version=..., left=...)`: a nurse joins, moves or leaves."""

    async def change(person_id: str, number: int, entity_id: str, **how: Any) -> None:
        await publish(streams, [person(person_id, number, entity_id, "nurse", "", **how)])

    return change


def new_id() -> str:
    return uuid4().hex


class Person:
    """Somebody's stub, and the longer conversations in short."""

    def __init__(self, stub: NewsServiceStub) -> None:
        self.stub = stub

    async def draft(self, audience: str = NURSES, **said: Any) -> news_pb2.Post:
        request = {"request_id": new_id(), "variants": VARIANTS, "audience": audience, **said}
        return (await self.stub.CreatePost(pb.CreatePostRequest(**request))).post

    async def update(self, post: news_pb2.Post, request_id: str = "", **said: Any) -> news_pb2.Post:
        """With the same content but for what is said."""
        same = {name: getattr(post, name) for name in ("variants", "audience", "mandatory", "options")}
        if post.HasField("acknowledge_by"):
            same["acknowledge_by"] = post.acknowledge_by
        request = {"request_id": request_id or new_id(), "post_id": post.post_id, "etag": post.etag, **same, **said}
        return (await self.stub.UpdatePost(pb.UpdatePostRequest(**request))).post

    async def publish(self, post: news_pb2.Post, request_id: str = "", *, confirm: bool = False) -> news_pb2.Post:
        request = pb.PublishPostRequest(
            request_id=request_id or new_id(), post_id=post.post_id, etag=post.etag, confirm_audience=confirm
        )
        return (await self.stub.PublishPost(request)).post

    async def submit(self, post: news_pb2.Post) -> news_pb2.Post:
        request = pb.SubmitPostRequest(request_id=new_id(), post_id=post.post_id, etag=post.etag)
        return (await self.stub.SubmitPost(request)).post

    async def review(self, post: news_pb2.Post, *, approve: bool, reason: str = "") -> news_pb2.Post:
        request = pb.ReviewPostRequest(
            request_id=new_id(), post_id=post.post_id, etag=post.etag, approve=approve, reason=reason
        )
        return (await self.stub.ReviewPost(request)).post

    async def schedule(self, post: news_pb2.Post, at: datetime) -> news_pb2.Post:
        request = pb.SchedulePostRequest(request_id=new_id(), post_id=post.post_id, etag=post.etag)
        request.publish_at.FromDatetime(at)
        return (await self.stub.SchedulePost(request)).post

    async def read(self, *post_ids: str) -> None:
        await self.stub.MarkRead(pb.MarkReadRequest(request_id=new_id(), post_ids=post_ids))

    async def retract(self, post_id: str) -> news_pb2.Post:
        request = pb.RetractPostRequest(request_id=new_id(), post_id=post_id, reason="engano")
        return (await self.stub.RetractPost(request)).post

    async def get(self, post_id: str) -> pb.GetPostResponse:
        return await self.stub.GetPost(pb.GetPostRequest(post_id=post_id))

    async def feed(self, **filters: Any) -> dict[str, pb.FeedItem]:
        """All items of the feed by post id, in their order, read in pages of one."""
        items: dict[str, pb.FeedItem] = {}
        token = ""
        while True:
            page = await self.stub.ListFeed(pb.ListFeedRequest(page_size=1, page_token=token, **filters))
            items |= {item.post.post_id: item for item in page.items}
            token = page.next_page_token
            if not token:
                return items

    async def acknowledge(self, post_id: str, text_version: int = 1, request_id: str = "", **said: str) -> None:
        await self.stub.Acknowledge(
            pb.AcknowledgeRequest(request_id=request_id or new_id(), post_id=post_id, text_version=text_version, **said)
        )

    async def missing(self, post_id: str, page_size: int = 0) -> tuple[list[str], int, int]:
        """Who has not acknowledged, how many of the whole audience have not, and its size."""
        people: list[str] = []
        token = ""
        while True:
            request = pb.ListMissingRequest(post_id=post_id, page_size=page_size, page_token=token)
            page = await self.stub.ListMissing(request)
            people += page.person_ids
            token = page.next_page_token
            if not token:
                return people, page.missing, page.audience_size


As = Callable[..., Person]


@pytest.fixture
def caller(dial: Dial, ministry: None) -> As:
    """`caller(program, person_id, role)` is that person, speaking to the program."""

    def speak(program: ServiceProgram, person_id: str, role: str = "news.editor") -> Person:
        entity_id, *_ = PEOPLE.get(person_id, ("news-c",))
        return Person(NewsServiceStub(dial(program, person_id, entity=entity_id, roles=[role] if role else [])))

    return speak


@pytest.fixture
def told(streams: str) -> Told:
    return Told(streams, "news.post.v1", "post_id")
