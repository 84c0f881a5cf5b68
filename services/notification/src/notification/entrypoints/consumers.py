"""Facts of other services that people are told of, and our own requests to send."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import telemetry
from directory_view import Bitmap, View
from errors import Invalid, Transient
from messaging import Delivery
from rossio.directory.v1.directory_pb2 import Person
from rossio.document.v1.events_pb2 import LinkEnding, NodeShared
from rossio.mail.v1 import events_pb2 as mail_pb2
from rossio.mail.v1.events_pb2 import DeliveryReported
from rossio.news.v1.events_pb2 import AcknowledgementDue, PostArchived, PostExpired, PostPublished, PostRetracted
from rossio.notification.v1.events_pb2 import NotificationReported, NotificationRequested

from notification.adapters import wire
from notification.adapters.mail import is_gone
from notification.application.announce import Announce
from notification.application.call_back import CallBack
from notification.application.notify_people import NotifyPeople
from notification.application.people import works_here
from notification.application.record_mail_outcome import RecordMailOutcome
from notification.application.right_of_way import RightOfWay
from notification.application.send_message import SendMessage
from notification.application.withdraw import Withdraw
from notification.domain.vocabulary import Channel, Receipted, Topic

# A directory that has not heard of somebody catches up within moments; after that the event is wrong.
_DIRECTORY_CATCHES_UP: Final = timedelta(seconds=30)
# A group with more people is told by one item for all, as an entity is.
_BROADCAST_ABOVE: Final = 1000
_ENDS: Final = {
    mail_pb2.DELIVERY_STATE_DELIVERED: True,
    mail_pb2.DELIVERY_STATE_BOUNCED: False,
    mail_pb2.DELIVERY_STATE_QUARANTINED: False,
    mail_pb2.DELIVERY_STATE_DROPPED: False,
}


@dataclass(frozen=True, slots=True)
class Reactions:
    """What each fact of another service leads to. Handlers take one event at a time."""

    notify_people: NotifyPeople
    announce: Announce
    withdraw: Withdraw
    record_mail_outcome: RecordMailOutcome
    view: View
    # The subject of our own token: mails of this principal are ours, and nobody is told of them.
    principal: str
    now: Callable[[], datetime]

    async def mail(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            event = delivery.message
            assert isinstance(event, DeliveryReported)
            if event.principal == self.principal:
                await self._own_mail(event, delivery.time)
            else:
                notice, person_ids = wire.mail_arrived(event, delivery.time)
                people, unknown = self._people(person_ids)
                await self.notify_people(notice, people)
                if unknown:
                    raise self._unknown(delivery.time)

    async def _own_mail(self, event: DeliveryReported, reported_at: datetime) -> None:
        ends = [_ENDS[outcome.state] for outcome in event.outcomes if outcome.state in _ENDS]
        if ends:
            done = await self.record_mail_outcome(
                event.message_id,
                delivered=any(ends),
                gone=any(is_gone(outcome.status) for outcome in event.outcomes),
                reported_at=reported_at,
                at=self.now(),
            )
            _receipts(Channel.EMAIL, done)

    async def shared(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            event = delivery.message
            assert isinstance(event, NodeShared)
            notice, grantee = wire.document_shared(event, delivery.time), event.grant.grantee
            granter = self.view.person(event.grant.granted_by)
            others = Bitmap() if granter is None else Bitmap([granter.number])
            match grantee.WhichOneof("grantee"):
                case "person_id":
                    people, unknown = self._people([grantee.person_id])
                    if unknown:
                        raise self._unknown(delivery.time)
                    await self.notify_people(notice, [each for each in people if each.number not in others])
                case "group_id":
                    members = self.view.members(grantee.group_id) - others
                    if len(members) > _BROADCAST_ABOVE:
                        await self.announce(notice, members)
                    else:
                        await self.notify_people(notice, list(self.view.people(members)))
                case "entity_id":
                    await self.announce(notice, self.view.audience(f'entity = "{grantee.entity_id}"') - others)
                case "service_id" | "citizen_id":
                    pass  # neither has an inbox here
                case _:
                    raise Invalid("the grant names nobody", reason="GRANTEE_MISSING")

    async def link_ending(self, deliveries: Sequence[Delivery]) -> None:
        """Services have no inbox here, and whoever has left is not told."""
        for delivery in deliveries:
            event = delivery.message
            assert isinstance(event, LinkEnding)
            people, _ = self._people(filter(None, [event.maker.person_id]))
            await self.notify_people(wire.link_ending(event, delivery.time), people)

    async def published(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            assert isinstance(delivery.message, PostPublished)
            notice, people = wire.post_published(delivery.message, delivery.time)
            await self.announce(notice, people)
            if notice.topic is Topic.ALERT:
                # It stands in their inboxes; beside that it goes to all of them on every channel.
                await self.notify_people(notice, list(self.view.people(people)), broadcast=True)

    async def acknowledgement_due(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            assert isinstance(delivery.message, AcknowledgementDue)
            await self.announce(*wire.acknowledgement_due(delivery.message, delivery.time))

    async def gone(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            event = delivery.message
            assert isinstance(event, PostRetracted | PostExpired | PostArchived)
            key = wire.post_key(event.post_id)
            await self.withdraw(key, Topic.NEWS, event.entity_id, delivery.time, subject_id=event.post_id)

    def _people(self, person_ids: Iterable[str]) -> tuple[list[Person], bool]:
        """Those who work here, and whether the directory knows nothing of somebody."""
        found = [self.view.person(person_id) for person_id in person_ids]
        return [person for person in found if person is not None and works_here(person)], None in found

    def _unknown(self, at: datetime) -> Invalid | Transient:
        if self.now() - at < _DIRECTORY_CATCHES_UP:
            return Transient("the directory does not know the person yet", reason="PERSON_UNKNOWN")
        return Invalid("the directory does not know the person", reason="PERSON_UNKNOWN")


@dataclass(frozen=True, slots=True)
class Reports:
    """Our own reports, of which those are told who want to be called back."""

    call_back: CallBack

    async def tell(self, deliveries: Sequence[Delivery]) -> None:
        reports = [each.message for each in deliveries if isinstance(each.message, NotificationReported)]
        if reports:
            changes = [(each.notification_id, wire.channel(each.channel), wire.status(each.status)) for each in reports]
            await self.call_back(changes, max(each.time for each in deliveries))


@dataclass(frozen=True, slots=True)
class Requests:
    """Messages to send, from the stream of a lane."""

    send_message: SendMessage
    right_of_way: RightOfWay
    now: Callable[[], datetime]

    async def send(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            event = delivery.message
            assert isinstance(event, NotificationRequested)
            await self.right_of_way.begin(wire.lane(event.lane), delivery.time, self.now())
            await self.send_message(event.notification_id, wire.channel(event.channel))


def _receipts(channel: Channel, outcome: Receipted) -> None:
    telemetry.names.NOTIFICATION_RECEIPTS.bind(channel=channel.value, outcome=outcome.value).inc()
