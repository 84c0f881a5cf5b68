"""Protobuf messages of the contracts from and to the domain."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import messaging
from errors import Invalid
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rossio.news.v1 import events_pb2, news_pb2, service_pb2
from rpc import Caller
from store import OutboxRecord

from news.adapters.roll_key import thumbprint
from news.application.list_feed import Place
from news.application.list_missing import Cell
from news.application.ports import Change, Deed, Delegation, Mark
from news.application.reading import Opened
from news.domain.accessibility import Finding
from news.domain.alert import Alert
from news.domain.content import Attachment, AudienceKind, Content
from news.domain.feed import Position
from news.domain.post import Post, State
from news.domain.reach import Count
from news.domain.talk import Comment, Reaction, Standing
from news.domain.text import Variant

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_STATES: Final = {
    State.DRAFT: news_pb2.POST_STATE_DRAFT,
    State.IN_REVIEW: news_pb2.POST_STATE_IN_REVIEW,
    State.APPROVED: news_pb2.POST_STATE_APPROVED,
    State.SCHEDULED: news_pb2.POST_STATE_SCHEDULED,
    State.PUBLISHED: news_pb2.POST_STATE_PUBLISHED,
    State.RETRACTED: news_pb2.POST_STATE_RETRACTED,
    State.EXPIRED: news_pb2.POST_STATE_EXPIRED,
    State.ARCHIVED: news_pb2.POST_STATE_ARCHIVED,
}
_KINDS: Final = {
    AudienceKind.FROZEN: news_pb2.AUDIENCE_KIND_FROZEN,
    AudienceKind.LIVE: news_pb2.AUDIENCE_KIND_LIVE,
}
_REACTIONS: Final = {each: news_pb2.Reaction.Value(f"REACTION_{each.name}") for each in Reaction}

# What comes in


def content(request: service_pb2.CreatePostRequest | service_pb2.UpdatePostRequest) -> Content:
    """What an editor wrote.

    Raises:
        Invalid: as `Variant.of`, `Content` and `Alert` say, or a time that no calendar has.
    """
    options = request.options
    live = options.audience_kind == news_pb2.AUDIENCE_KIND_LIVE
    return Content(
        variants=tuple(Variant.of(each.locale, each.title, each.body) for each in request.variants),
        audience=request.audience,
        audience_kind=AudienceKind.LIVE if live else AudienceKind.FROZEN,
        mandatory=request.mandatory,
        acknowledge_by=time(request.acknowledge_by) if request.HasField("acknowledge_by") else None,
        approvals=options.approvals,
        expire_at=time(options.expire_at) if options.HasField("expire_at") else None,
        category=options.category,
        pinned=options.pinned,
        comments_closed=options.comments_closed,
        attachments=tuple(Attachment(each.node_id, each.name) for each in options.attachments),
        alert=_alert(options.alert) if options.HasField("alert") else None,
    )


def _alert(said: news_pb2.Alert) -> Alert:
    return Alert(
        category=said.category,
        urgency=said.urgency,
        severity=said.severity,
        certainty=said.certainty,
        event=said.event,
        area=said.area,
        source=said.source,
    )


def time(said: Timestamp) -> datetime:
    """In UTC, in milliseconds, as the store keeps it; raises Invalid for one that no calendar has."""
    try:
        found = said.ToDatetime(UTC)
    except ValueError as error:
        raise Invalid("it is no time", reason="TIME_MALFORMED") from error
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def state(said: news_pb2.PostState.ValueType) -> State:
    """Raises Invalid for none that this release knows."""
    for known, message in _STATES.items():
        if message == said:
            return known
    raise Invalid("there is no such state", reason="STATE_UNKNOWN")


# Positions in pages and streams


def position_key(at: Position) -> tuple[int, str]:
    """A position as a token holds it: milliseconds since 1970, and the post's id."""
    return (at[0] - _EPOCH) // _MILLISECOND, at[1]


def _position(milliseconds: str | int, post_id: str | int) -> Position:
    return _EPOCH + int(milliseconds) * _MILLISECOND, str(post_id)


def position(key: tuple[str | int, ...]) -> Position | None:
    """The reverse of `position_key`; None for the first page."""
    return _position(*key) if key else None


def place_key(place: Place) -> tuple[int, int, str]:
    return place.part, *position_key(place.before)


def place(key: tuple[str | int, ...]) -> Place | None:
    """The reverse of `place_key`; None for the first page."""
    return Place(int(key[0]), _position(key[1], key[2])) if key else None


def resume_token(at: Position) -> str:
    milliseconds, post_id = position_key(at)
    return f"{milliseconds}.{post_id}"


def resumed(token: str) -> Position | None:
    """The reverse of `resume_token`; None for an empty one. Raises Invalid for what is none."""
    if not token:
        return None
    milliseconds, _, post_id = token.partition(".")
    try:
        return _position(milliseconds, post_id)
    except (ValueError, OverflowError) as error:
        raise Invalid("it is no token of this stream", reason="RESUME_TOKEN") from error


# What goes out


def post_message(post: Post) -> news_pb2.Post:
    """The text in hand, or what `for_reader` has put in its place."""
    said = post.content
    return news_pb2.Post(
        post_id=post.post_id,
        entity_id=post.entity_id,
        state=_STATES[post.state],
        variants=variants(said.variants),
        audience=said.audience,
        audience_size=post.audience_size,
        mandatory=said.mandatory,
        author_id=post.author_id,
        text_version=post.text_version,
        etag=post.etag,
        options=_options(said),
        acknowledge_by=_moment(said.acknowledge_by),
        published_at=_moment(post.live.published_at if post.live else None),
        publish_at=_moment(post.publish_at),
        approvals=[
            news_pb2.Approval(person_id=each.person_id, at=_moment(each.at), reason=each.reason)
            for each in post.approvals
        ],
    )


def _options(said: Content) -> news_pb2.PostOptions:
    return news_pb2.PostOptions(
        audience_kind=_KINDS[said.audience_kind],
        approvals=said.approvals,
        expire_at=_moment(said.expire_at),
        category=said.category,
        pinned=said.pinned,
        attachments=[news_pb2.Attachment(node_id=each.node_id, name=each.name) for each in said.attachments],
        comments_closed=said.comments_closed,
        alert=_alert_message(said.alert) if said.alert else None,
    )


def _alert_message(alert: Alert) -> news_pb2.Alert:
    return news_pb2.Alert(
        category=alert.category,
        urgency=alert.urgency,
        severity=alert.severity,
        certainty=alert.certainty,
        event=alert.event,
        area=alert.area,
        source=alert.source,
    )


def _moment(at: datetime | None) -> Timestamp | None:
    if at is None:
        return None
    said = Timestamp()
    said.FromDatetime(at)
    return said


def variants(texts: Iterable[Variant]) -> list[news_pb2.Variant]:
    return [news_pb2.Variant(locale=each.locale, title=each.title, body=each.body, html=each.html) for each in texts]


def feed_item(opened: Opened) -> service_pb2.FeedItem:
    return service_pb2.FeedItem(post=post_message(opened.post), acknowledged=opened.acknowledged, read=opened.read)


def comment(said: Comment) -> news_pb2.Comment:
    return news_pb2.Comment(
        comment_id=said.comment_id,
        post_id=said.post_id,
        person_id=said.person_id,
        text=said.text,
        reply_to=said.reply_to,
        at=_moment(said.at),
        hidden=said.standing is Standing.HIDDEN,
        reason=said.reason,
    )


def reaction(said: news_pb2.Reaction.ValueType) -> Reaction | None:
    """None for none, which takes back. Raises Invalid for one that this release does not know."""
    if said == news_pb2.REACTION_UNSPECIFIED:
        return None
    for known, message in _REACTIONS.items():
        if message == said:
            return known
    raise Invalid("there is no such reaction", reason="REACTION_UNKNOWN")


def reaction_message(said: Reaction | None) -> news_pb2.Reaction.ValueType:
    return _REACTIONS[said] if said else news_pb2.REACTION_UNSPECIFIED


def deed(done: Deed) -> news_pb2.Deed:
    return news_pb2.Deed(
        verb=done.verb, actor_id=done.actor_id, at=_moment(done.at), reason=done.reason, etag=done.etag
    )


def finding(found: Finding) -> news_pb2.Finding:
    return news_pb2.Finding(locale=found.locale, rule=found.rule, message=found.message, error=found.error)


def missing_count(cell: Cell) -> service_pb2.MissingCount:
    return service_pb2.MissingCount(
        entity_id=cell.entity_id, unit_id=cell.unit_id, audience_size=cell.audience_size, missing=cell.missing
    )


def roll_key(key: bytes) -> service_pb2.RollKey:
    return service_pb2.RollKey(key_id=thumbprint(key), public_key=key)


def reach_count(count: Count) -> service_pb2.ReachCount:
    return service_pb2.ReachCount(
        value=count.value, audience_size=count.audience, read=count.read, acknowledged=count.acknowledged
    )


# Facts


def facts(post: Post, change: Change) -> list[OutboxRecord]:
    """The facts that a change of a post makes true, in their order."""
    audited = audit_record(
        f"news.post.{change.verb}",
        by=change.by,
        at=change.at,
        entity_id=post.entity_id,
        resource=post.post_id,
        details={"audience_size": str(post.audience_size)} if change.verb == "publish" else {},
    )
    event = _event(post, change)
    return [audited] if event is None else [messaging.fact(event, id=messaging.new_id(), at=change.at), audited]


def _event(post: Post, change: Change) -> Message | None:
    match change.verb:
        case "publish":
            assert post.live is not None
            people = post.live.people.serialize()
            return events_pb2.PostPublished(post_id=post.post_id, post=post_message(post), audience=people)
        case "retract":
            return events_pb2.PostRetracted(post_id=post.post_id, entity_id=post.entity_id, reason=change.reason)
        case "archive":
            return events_pb2.PostArchived(post_id=post.post_id, entity_id=post.entity_id, reason=change.reason)
        case "expire":
            return events_pb2.PostExpired(post_id=post.post_id, entity_id=post.entity_id)
        case "remind" if change.missing and post.live is not None:
            return events_pb2.AcknowledgementDue(
                post_id=post.post_id,
                post=post_message(replace(post, content=post.live.content)),
                missing=change.missing.serialize(),
                reminder=post.live.reminders,
            )
        case _:
            return None


def acknowledged(marks: Sequence[Mark], at: datetime) -> OutboxRecord:
    """Of one version of one post."""
    event = events_pb2.PostAcknowledged(
        post_id=marks[0].post_id,
        entity_id=marks[0].entity_id,
        text_version=marks[0].text_version,
        at=_moment(at),
        acknowledgements=[
            events_pb2.Acknowledgement(person_id=each.person_id, number=each.number, delegate_id=each.delegate_id)
            for each in marks
        ],
    )
    return messaging.fact(event, id=messaging.new_id(), at=at)


def commented(said: Comment, verb: str, by: Caller, at: datetime) -> OutboxRecord:
    return audit_record(
        f"news.comment.{verb}",
        by=by,
        at=at,
        entity_id=said.entity_id,
        resource=said.comment_id,
        details={"post": said.post_id},
    )


def delegated(delegation: Delegation, by: Caller, at: datetime) -> OutboxRecord:
    details = {"delegate": delegation.delegate_id, "until": delegation.until.isoformat()}
    return audit_record(
        "news.delegation.put",
        by=by,
        at=at,
        entity_id=by.entity_id,
        resource=delegation.person_id,
        details=details,
    )


def audit_record(
    action: str, *, by: Caller, at: datetime, entity_id: str, resource: str, details: dict[str, str]
) -> OutboxRecord:
    """That somebody did something."""
    return messaging.audited(
        action,
        at=at,
        entity_id=entity_id,
        actor=by.subject,
        actor_entity_id=by.entity_id,
        resource=resource,
        details=details,
    )
