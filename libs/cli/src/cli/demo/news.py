"""A mandatory news item, published to an audience, read, acknowledged, and who has not."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import telemetry
from rossio.news.v1 import news_pb2, service_pb2

from cli.client import Client
from cli.demo.stage import Shown, Stage, check, until

AUDIENCE = 'entity in ("e01", "e03") and profession in ("nurse", "doctor")'
VARIANTS = (
    news_pb2.Variant(locale="pt-PT", title="Higiene das mãos", body="Leitura **obrigatória** até sexta-feira."),
    news_pb2.Variant(locale="en-GB", title="Hand hygiene", body="**Mandatory** reading until Friday."),
)


async def news(stage: Stage) -> Shown:
    editor = stage.cast.person("e01", "news.editor")
    audience = [
        p for p in stage.cast.people.values() if p.entity_id in {"e01", "e03"} and p.profession in {"nurse", "doctor"}
    ]
    reader = next(person for person in audience if person.entity_id == "e03")
    editing, reading = await stage.client(editor), await stage.client(reader)
    request = service_pb2.CreatePostRequest(
        request_id=str(uuid4()), variants=VARIANTS, audience=AUDIENCE, mandatory=True
    )
    request.acknowledge_by.FromDatetime(datetime.now(UTC) + timedelta(days=7))
    draft = (await editing.news.CreatePost(request)).post
    publish = service_pb2.PublishPostRequest(request_id=str(uuid4()), post_id=draft.post_id, etag=draft.etag)
    post = (await editing.news.PublishPost(publish)).post
    check(post.audience_size == len(audience), f"the audience is {len(audience)} people, it says {post.audience_size}")
    await until("the post is in the reader's feed", lambda: _listed(reading, post.post_id))
    await reading.news.Acknowledge(
        service_pb2.AcknowledgeRequest(request_id=str(uuid4()), post_id=post.post_id, text_version=post.text_version)
    )
    missing = await editing.news.ListMissing(service_pb2.ListMissingRequest(post_id=post.post_id, page_size=1000))
    check(missing.missing == post.audience_size - 1, "one has acknowledged, the others have not")
    check(reader.person_id not in missing.person_ids, "the reader is not among those who have not")
    return Shown(
        [
            f"published {post.post_id} to {post.audience_size} nurses and doctors of e01 and e03, due in 7 days",
            f"{reader.person_id} read and acknowledged; {missing.missing} of {missing.audience_size} have not",
        ],
        telemetry.current_traceparent().split("-")[1],
    )


async def _listed(reading: Client, post_id: str) -> bool:
    """Whether the feed holds the post: of several processes, those that did not publish it know within a second."""
    feed = await reading.news.ListFeed(service_pb2.ListFeedRequest(page_size=10))
    return post_id in {item.post.post_id for item in feed.items}
