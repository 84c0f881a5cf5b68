"""Protobuf messages of the contracts from and to the domain."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import messaging
from directory_view import Bitmap
from errors import Invalid
from rossio.document.v1 import events_pb2 as document_pb2
from rossio.mail.v1 import events_pb2 as mail_pb2
from rossio.news.v1 import events_pb2 as news_pb2
from rossio.news.v1.news_pb2 import Post
from rossio.notification.v1 import events_pb2, notification_pb2, service_pb2
from rpc import Caller
from store import OutboxRecord

from notification.domain import texts
from notification.domain.broadcast import Broadcast
from notification.domain.decision import Rule
from notification.domain.inbox import Item, Reads, ReadState
from notification.domain.notice import Notice
from notification.domain.notification import Dispatch, Notification
from notification.domain.quiet import Digest, QuietHours
from notification.domain.vocabulary import Channel, Lane, Status, Topic

REQUESTS: Final[Mapping[Lane, str]] = {
    Lane.EMERGENCY: "notification.request.emergency.v1",
    Lane.TRANSACTIONAL: "notification.request.v1",
    Lane.BULK: "notification.request.bulk.v1",
}
_TOPICS: Final = {each: notification_pb2.Topic.Value(f"TOPIC_{each.name}") for each in Topic}
_CHANNELS: Final = {each: notification_pb2.Channel.Value(f"CHANNEL_{each.name}") for each in Channel}
_LANES: Final = {each: notification_pb2.Lane.Value(f"LANE_{each.name}") for each in Lane}
_STATUSES: Final = {each: notification_pb2.Status.Value(f"STATUS_{each.name}") for each in Status}


_TOPIC_OF: Final[Mapping[int, Topic]] = {value: each for each, value in _TOPICS.items()}
_DIGESTS: Final = {each: notification_pb2.DigestPeriod.Value(f"DIGEST_PERIOD_{each.name}") for each in Digest}
_DIGEST_OF: Final[Mapping[int, Digest]] = {value: each for each, value in _DIGESTS.items()}
_RULES: Final = {each: notification_pb2.PolicyRule.Value(f"POLICY_RULE_{each.name}") for each in Rule}
_RULE_OF: Final[Mapping[int, Rule]] = {value: each for each, value in _RULES.items()}
_STATUS_OF: Final[Mapping[int, Status]] = {value: each for each, value in _STATUSES.items()}
_LANE_OF: Final[Mapping[int, Lane]] = {value: each for each, value in _LANES.items()}
_CHANNEL_OF: Final[Mapping[int, Channel]] = {value: each for each, value in _CHANNELS.items()}


def topic(value: int) -> Topic:
    """Raises Invalid for a topic that this release does not know."""
    if value not in _TOPIC_OF:
        raise Invalid("there is no such topic", reason="TOPIC_UNKNOWN")
    return _TOPIC_OF[value]


def channel(value: int) -> Channel:
    """Raises Invalid for a channel that this release does not know."""
    if value not in _CHANNEL_OF:
        raise Invalid("there is no such channel", reason="CHANNEL_UNKNOWN")
    return _CHANNEL_OF[value]


def quiet_hours(message: notification_pb2.QuietHours) -> QuietHours | None:
    """None for none; raises Invalid for times that there are not."""
    try:
        begin, end = (datetime.strptime(each, "%H:%M").time() for each in (message.begin, message.end))  # noqa: DTZ007
    except ValueError as error:
        raise Invalid("a time of day is like 22:00", reason="TIME_MALFORMED") from error
    return QuietHours(begin, end) if begin != end else None


def quiet_hours_message(hours: QuietHours, zone: str) -> notification_pb2.QuietHours:
    begin, end = (each.isoformat("minutes") for each in (hours.begin, hours.end))
    return notification_pb2.QuietHours(begin=begin, end=end, zone=zone)


def digest(value: int) -> Digest:
    """Immediate when unspecified; raises Invalid for a period that this release does not know."""
    if value == notification_pb2.DIGEST_PERIOD_UNSPECIFIED:
        return Digest.IMMEDIATE
    if value not in _DIGEST_OF:
        raise Invalid("there is no such period", reason="DIGEST_UNKNOWN")
    return _DIGEST_OF[value]


def digest_message(topic: Topic, digest: Digest) -> notification_pb2.Digest:
    return notification_pb2.Digest(topic=_TOPICS[topic], period=_DIGESTS[digest])


def rule(value: int) -> Rule | None:
    """None when unspecified; raises Invalid for one that this release does not know."""
    if value == notification_pb2.POLICY_RULE_UNSPECIFIED:
        return None
    if value not in _RULE_OF:
        raise Invalid("there is no such rule", reason="RULE_UNKNOWN")
    return _RULE_OF[value]


def policy_message(topic: Topic, channel: Channel, rule: Rule) -> notification_pb2.Policy:
    return notification_pb2.Policy(topic=_TOPICS[topic], channel=_CHANNELS[channel], rule=_RULES[rule])


def lane(value: int) -> Lane:
    """Transactional when unspecified; raises Invalid for one that this release does not know."""
    if value == notification_pb2.LANE_UNSPECIFIED:
        return Lane.TRANSACTIONAL
    if value not in _LANE_OF:
        raise Invalid("there is no such lane", reason="LANE_UNKNOWN")
    return _LANE_OF[value]


def status(value: int) -> Status:
    """Raises Invalid for a status that this release does not know."""
    if value not in _STATUS_OF:
        raise Invalid("there is no such status", reason="STATUS_UNKNOWN")
    return _STATUS_OF[value]


def topic_value(topic: Topic) -> notification_pb2.Topic.ValueType:
    return _TOPICS[topic]


def preference_message(topic: Topic, channel: Channel, *, enabled: bool) -> notification_pb2.Preference:
    return notification_pb2.Preference(topic=_TOPICS[topic], channel=_CHANNELS[channel], enabled=enabled)


def item_message(item: Item) -> notification_pb2.InboxItem:
    message = notification_pb2.InboxItem(
        item_id=item.item_id,
        topic=_TOPICS[item.topic],
        title=item.title,
        subject_id=item.subject_id,
        read=item.read,
    )
    message.at.FromDatetime(item.at)
    return message


def reads_message(state: ReadState) -> service_pb2.InboxReads:
    return service_pb2.InboxReads(item_ids=sorted(state.item_ids), unread=state.unread, cursor=state.cursor)


def decision_message(dispatch: Dispatch) -> notification_pb2.Decision:
    message = notification_pb2.Decision(
        channel=_CHANNELS[dispatch.channel],
        send=dispatch.send,
        reason=dispatch.reason,
        status=_STATUSES[dispatch.status],
        provider=dispatch.provider,
        held=dispatch.held.value,
        attempts=dispatch.attempts,
        after=_CHANNELS[dispatch.after] if dispatch.after else notification_pb2.CHANNEL_UNSPECIFIED,
    )
    message.at.FromDatetime(dispatch.at)
    if dispatch.due_at is not None:
        message.due_at.FromDatetime(dispatch.due_at)
    if dispatch.falls_back_at is not None:
        message.falls_back_at.FromDatetime(dispatch.falls_back_at)
    return message


def mail_arrived(event: mail_pb2.DeliveryReported, at: datetime) -> tuple[Notice, list[str]]:
    """What is told of a mail, and the ids of the people into whose mailboxes it came."""
    notice = Notice(
        key=f"mail/{event.message_id}",
        topic=Topic.MAIL,
        entity_id=event.entity_id,
        titles=texts.mail_arrived(),
        subject_id=event.message_id,
        at=at,
    )
    arrived = (each for each in event.outcomes if each.state == mail_pb2.DELIVERY_STATE_DELIVERED)
    return notice, sorted({each.person_id for each in arrived if each.person_id})


def document_shared(event: document_pb2.NodeShared, at: datetime) -> Notice:
    return Notice(
        key=f"grant/{event.grant.grant_id}",
        topic=Topic.DOCUMENT,
        entity_id=event.entity_id,
        titles=texts.document_shared(event.name),
        subject_id=event.node_id,
        at=at,
    )


def link_ending(event: document_pb2.LinkEnding, at: datetime) -> Notice:
    return Notice(
        key=f"link/{event.link_id}/ending",
        topic=Topic.DOCUMENT,
        entity_id=event.entity_id,
        titles=texts.link_ending(event.name),
        subject_id=event.node_id,
        at=at,
    )


def post_published(event: news_pb2.PostPublished, at: datetime) -> tuple[Notice, Bitmap]:
    """What is told of a post, and its audience.

    Raises:
        Invalid: the event has no text, or its audience is no bitmap.
    """
    topic = Topic.ALERT if event.post.options.HasField("alert") else Topic.NEWS
    key, titles = post_key(event.post_id), _titles(event.post)
    version = event.post.text_version
    if version > 1 and (event.post.mandatory or topic is Topic.ALERT):
        # Each version is acknowledged anew, and an alert that changes is an alert; other changes are not told.
        key = f"{key}/version/{version}"
        titles = texts.alert_changed(titles) if topic is Topic.ALERT else texts.acknowledge_again(titles)
    return _of_post(event.post, key, topic, titles, at), _people(event.audience)


def acknowledgement_due(event: news_pb2.AcknowledgementDue, at: datetime) -> tuple[Notice, Bitmap]:
    """What those are told who have not acknowledged a post; raises as `post_published` does."""
    key = f"{post_key(event.post_id)}/due/{event.post.text_version}/{event.reminder}"
    titles = texts.acknowledgement_due(_titles(event.post))
    return _of_post(event.post, key, Topic.NEWS, titles, at), _people(event.missing)


def _of_post(post: Post, key: str, topic: Topic, titles: Mapping[str, str], at: datetime) -> Notice:
    root = post_key(post.post_id)
    return Notice(
        key=key,
        topic=topic,
        entity_id=post.entity_id,
        titles=titles,
        subject_id=post.post_id,
        at=at,
        part_of="" if key == root else root,
    )


def _titles(post: Post) -> dict[str, str]:
    if not post.variants:
        raise Invalid("the post has no text", reason="TEXT_MISSING")
    return {variant.locale: variant.title for variant in post.variants}


def _people(serialised: bytes) -> Bitmap:
    try:
        return Bitmap.deserialize(serialised)
    except (ValueError, IndexError) as error:  # cut off, or empty
        raise Invalid("the audience is no bitmap", reason="AUDIENCE_UNREADABLE") from error


def post_key(post_id: str) -> str:
    return f"post/{post_id}"


def requests(notification: Notification, ready: Iterable[Dispatch], at: datetime) -> Iterator[OutboxRecord]:
    """A request for each message that is to go to a provider, on the stream of its lane."""
    for dispatch in ready:
        event = events_pb2.NotificationRequested(
            notification_id=notification.notification_id,
            entity_id=notification.entity_id,
            topic=_TOPICS[notification.topic],
            channel=_CHANNELS[dispatch.channel],
            lane=_LANES[notification.lane],
        )
        event.expires_at.FromDatetime(notification.expires_at)
        yield messaging.fact(event, id=messaging.new_id(), at=at, stream=REQUESTS[notification.lane])


def reports(notification: Notification, changed: Iterable[Dispatch]) -> Iterator[OutboxRecord]:
    """A report for each message whose status changed."""
    for dispatch in changed:
        yield _report(
            events_pb2.NotificationReported(
                notification_id=notification.notification_id,
                entity_id=notification.entity_id,
                topic=_TOPICS[notification.topic],
                channel=_CHANNELS[dispatch.channel],
                status=_STATUSES[dispatch.status],
                provider=dispatch.provider,
            ),
            dispatch.at,
        )


def read_fact(item_id: str, by: Caller, at: datetime) -> OutboxRecord:
    """That the caller has read an item."""
    event = events_pb2.NotificationRead(notification_id=item_id, entity_id=by.entity_id, person_id=by.subject)
    event.at.FromDatetime(at)
    return messaging.fact(event, id=messaging.new_id(), at=at)


def reads(events: Iterable[object]) -> dict[str, Reads]:
    """By person, what these events say that they have read."""
    found: dict[str, Reads] = {}
    for event in events:
        if isinstance(event, events_pb2.NotificationRead):
            at, known = event.at.ToDatetime(UTC), found.get(event.person_id)
            found[event.person_id] = Reads(
                item_ids=frozenset({event.notification_id}) | (known.item_ids if known else frozenset()),
                at=max(at, known.at) if known else at,
            )
    return found


def broadcast_report(broadcast: Broadcast, at: datetime) -> OutboxRecord:
    """That it came into inboxes, or was withdrawn from them."""
    status = Status.SUPPRESSED if broadcast.withdrawn else Status.DELIVERED
    event = events_pb2.NotificationReported(
        notification_id=broadcast.broadcast_id,
        entity_id=broadcast.entity_id,
        topic=_TOPICS[broadcast.topic],
        channel=notification_pb2.CHANNEL_IN_APP,
        status=_STATUSES[status],
    )
    return _report(event, at)


def _report(event: events_pb2.NotificationReported, at: datetime) -> OutboxRecord:
    event.at.FromDatetime(at)
    return messaging.fact(event, id=messaging.new_id(), at=at)


def audited(action: str, by: Caller, *, resource: str, at: datetime, details: Mapping[str, str]) -> OutboxRecord:
    """That somebody did something here; `details` hold no content."""
    return messaging.audited(
        action,
        at=at,
        entity_id=by.entity_id,
        actor=by.subject,
        actor_entity_id=by.entity_id,
        resource=resource,
        details=details,
    )
