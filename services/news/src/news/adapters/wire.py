"""Protobuf messages of the contracts from and to the domain."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import messaging
from errors import Invalid
from rossio.news.v1 import events_pb2, news_pb2, service_pb2
from store import OutboxRecord
from telemetry import audit

from news.application.ports import Acknowledgement, Change
from news.domain.feed import Position
from news.domain.post import Content, Post, State, Variant

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_STATES: Final = {
    State.DRAFT: news_pb2.POST_STATE_DRAFT,
    State.PUBLISHED: news_pb2.POST_STATE_PUBLISHED,
    State.RETRACTED: news_pb2.POST_STATE_RETRACTED,
}


def content(request: service_pb2.CreatePostRequest | service_pb2.UpdatePostRequest) -> Content:
    """What an editor wrote.

    Raises:
        Invalid: as `Variant.of` and `Content` say, or a time that no calendar has.
    """
    return Content(
        variants=tuple(Variant.of(each.locale, each.title, each.body) for each in request.variants),
        audience=request.audience,
        mandatory=request.mandatory,
        acknowledge_by=_acknowledge_by(request) if request.HasField("acknowledge_by") else None,
    )


def _acknowledge_by(request: service_pb2.CreatePostRequest | service_pb2.UpdatePostRequest) -> datetime:
    try:
        return request.acknowledge_by.ToDatetime(UTC)
    except ValueError as error:
        raise Invalid("acknowledge_by is no time", reason="TIME_MALFORMED") from error


def post_message(post: Post) -> news_pb2.Post:
    content = post.content
    message = news_pb2.Post(
        post_id=post.post_id,
        entity_id=post.entity_id,
        state=_STATES[post.state],
        variants=_variants(content.variants),
        audience=content.audience,
        audience_size=len(post.people),
        mandatory=content.mandatory,
        author_id=post.author_id,
        text_version=post.text_version,
        etag=post.etag,
    )
    if content.acknowledge_by is not None:
        message.acknowledge_by.FromDatetime(content.acknowledge_by)
    if post.published_at is not None:
        message.published_at.FromDatetime(post.published_at)
    return message


def _variants(variants: Iterable[Variant]) -> list[news_pb2.Variant]:
    return [news_pb2.Variant(locale=each.locale, title=each.title, body=each.body, html=each.html) for each in variants]


def feed_key(at: Position) -> tuple[int, str]:
    """A position in a feed as a page token holds it: milliseconds since 1970, and the post's id."""
    return (at[0] - _EPOCH) // _MILLISECOND, at[1]


def feed_position(key: tuple[str | int, ...]) -> Position | None:
    """The reverse of `feed_key`; None for the first page."""
    if not key:
        return None
    milliseconds, post_id = key
    return _EPOCH + int(milliseconds) * _MILLISECOND, str(post_id)


def facts(post: Post, change: Change) -> list[OutboxRecord]:
    """The facts that a change of a post makes true, in their order."""
    audited = messaging.new_id()
    record = audit.action(
        f"news.post.{change.verb}",
        id=audited,
        at=change.at,
        entity_id=post.entity_id,
        actor=change.by.subject,
        actor_entity_id=change.by.entity_id,
        resource=post.post_id,
        details={"audience_size": str(len(post.people))} if change.verb == "publish" else {},
    )
    event: events_pb2.PostPublished | events_pb2.PostRetracted
    match change.verb:
        case "publish":
            people = post.people.serialize()
            event = events_pb2.PostPublished(post_id=post.post_id, post=post_message(post), audience=people)
        case "retract":
            event = events_pb2.PostRetracted(post_id=post.post_id, entity_id=post.entity_id, reason=change.reason)
        case _:
            return [messaging.fact(record, id=audited, at=change.at)]
    return [
        messaging.fact(event, id=messaging.new_id(), at=change.at),
        messaging.fact(record, id=audited, at=change.at),
    ]


def acknowledged(acknowledgement: Acknowledgement) -> OutboxRecord:
    event = events_pb2.PostAcknowledged(
        post_id=acknowledgement.post_id,
        entity_id=acknowledgement.entity_id,
        person_id=acknowledgement.person_id,
        text_version=acknowledgement.text_version,
    )
    event.at.FromDatetime(acknowledgement.at)
    return messaging.fact(event, id=messaging.new_id(), at=acknowledgement.at)
