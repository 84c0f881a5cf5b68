"""Use case: a service or an employee sends a message by template."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import telemetry
from directory_view import View
from errors import Invalid, NotAllowed, NotFound
from rpc import Caller

from notification.application.deciding import Deciding, Wish
from notification.application.people import recipient, works_here
from notification.application.ports import Letter, Notifications, Templates, Vault
from notification.application.rates import Rating
from notification.application.sealing import sealed_by_channel
from notification.application.templates import usable
from notification.domain import linter, telephone
from notification.domain.notice import Periods
from notification.domain.notification import Dispatch, Notification
from notification.domain.recipient import Recipient
from notification.domain.template import Rendered
from notification.domain.texts import Message
from notification.domain.vocabulary import Channel, Lane, Topic

EMERGENCY_ROLE = "notification.emergency"
TEST_ROLE = "notification.test"
_FARTHEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for; nothing personal of it shows in a traceback or a log.

    `to` is a person of the directory by id alone, or somebody outside with addresses. `expires_in` None: as the
    service is set; `fallback_after` None: likewise.
    """

    template: str
    version: int
    values: Mapping[str, str] = field(repr=False)
    to: Recipient
    lane: Lane = Lane.TRANSACTIONAL
    channels: Sequence[Channel] = ()
    fallback: bool = False
    fallback_after: timedelta | None = None
    send_at: datetime | None = None
    expires_in: timedelta | None = None
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    notifications: Notifications
    templates: Templates
    vault: Vault
    deciding: Deciding
    view: View
    periods: Periods
    sms_rules: linter.SmsRules
    rating: Rating
    new_id: Callable[[], str]

    async def __call__(self, caller: Caller, order: Order, *, request_key: str, at: datetime) -> Notification:
        """Renders and seals the messages at once, and takes them in, once per `request_key`.

        Raises:
            NotFound: there is no such template, or no such person.
            Invalid: a value, an address or a time cannot be right, or the lane is not for the template.
            Exhausted: the caller or its entity has sent too much.
            NotAllowed: the emergency lane is not for this caller.
        """
        key = f"order/{request_key}"
        known = await self.notifications.named(key)
        if known is not None:
            return known
        if order.lane is not Lane.EMERGENCY:
            await self.rating.admit(caller, at)
        template = await usable(self.templates, caller.entity_id, order.template, order.version)
        self._must_fit(caller, order, template.topic, at)
        to = self._recipient(order.to)
        said = template.render(order.values, to.locale)
        said_on = offered(said, order.channels)
        if Channel.SMS in said_on and to.addresses.get(Channel.SMS):
            linter.must_be_sendable(said.sms, self.sms_rules)
        said.must_fit()
        order_of = order.channels if order.fallback else ()
        limited_until = await self.rating.room_for(to.person_id or self._target(to), at)
        wish = Wish(offered=said_on, order=order_of, not_before=order.send_at, limited_until=limited_until)
        (dispatches,) = await self.deciding(template.topic, [to], at, wish)
        begin = max(at, order.send_at or at)
        expires_at = begin + (order.expires_in or self.periods.send)
        kept_until = begin + self.periods.kept(caller.subject)
        notification_id = self.new_id()
        letters = letters_of(notification_id, dispatches, said, to)
        sealed = sealed_by_channel(self.vault, letters)
        telemetry.points.reached("notification.order.sealed")
        notification = Notification(
            notification_id=notification_id,
            key=key,
            topic=template.topic,
            lane=order.lane,
            entity_id=caller.entity_id,
            person_id=to.person_id,
            requested_by=caller.subject,
            at=at,
            expires_at=expires_at,
            kept_until=max(kept_until, expires_at),
            dispatches=dispatches,
            sealed=sealed,
            reference=order.reference,
            followed=True,
            test=caller.has(TEST_ROLE),
        )
        if order.fallback:
            # Who says that it is worth little time leaves each channel its part of that.
            longest = (expires_at - begin) / len(order.channels)
            notification = notification.taking_turns(min(order.fallback_after or self.periods.turn, longest), at)
        return await self.notifications.request(notification, caller)

    def _target(self, to: Recipient) -> str:
        """A digest of the first address of somebody who has no name here."""
        channel, address = next((channel, address) for channel, address in to.addresses.items() if address)
        return self.deciding.suppressions.target(channel, address)

    def _must_fit(self, caller: Caller, order: Order, topic: Topic, at: datetime) -> None:
        if order.lane is Lane.EMERGENCY and not caller.has(EMERGENCY_ROLE):
            raise NotAllowed("the emergency lane asks for a role of its own", reason="EMERGENCY_NOT_ALLOWED")
        if topic is Topic.ALERT and order.lane is not Lane.EMERGENCY:
            raise Invalid("an alert goes by the emergency lane", reason="LANE_NOT_FOR_TOPIC")
        if order.send_at is not None and order.send_at > at + _FARTHEST:
            raise Invalid("it is scheduled for more than a year from now", reason="TIME_TOO_FAR")
        if order.expires_in is not None and not timedelta(0) < order.expires_in <= _FARTHEST:
            raise Invalid("it is worth sending for more than no time, and at most a year", reason="EXPIRY_MALFORMED")
        if order.fallback_after is not None and not timedelta(0) < order.fallback_after <= _FARTHEST:
            raise Invalid("a channel has more than no time, and at most a year", reason="FALLBACK_TIME_MALFORMED")
        if order.fallback and len(set(order.channels)) < 2:
            raise Invalid("to fall back takes two channels", reason="FALLBACK_WITHOUT_CHANNELS")

    def _recipient(self, to: Recipient) -> Recipient:
        """A person of the directory as it knows them, or somebody outside as given."""
        if any(to.addresses.values()):
            if number := to.addresses.get(Channel.SMS):
                telephone.must_be_mobile(number)
            return to
        if not to.person_id:
            raise Invalid("the recipient has no address", reason="RECIPIENT_MISSING")
        person = self.view.person(to.person_id)
        if person is None or not works_here(person):
            raise NotFound("there is no such person", reason="PERSON_NOT_FOUND")
        known = recipient(person)
        return replace(known, locale=to.locale or known.locale)


def letters_of(notification_id: str, dispatches: Iterable[Dispatch], said: Rendered, to: Recipient) -> list[Letter]:
    """What is to be sealed of a message, for each channel on which it is sent."""
    return [Letter(notification_id, each.channel, message(said, to, each.channel)) for each in dispatches if each.send]


def offered(said: Rendered, channels: Sequence[Channel]) -> set[Channel]:
    """The channels for which there is a text, of those that were asked for."""
    said_on = {
        Channel.IN_APP: said.title,
        Channel.EMAIL: said.mail,
        Channel.SMS: said.sms,
        Channel.PUSH: said.title,
        Channel.WEBHOOK: said.title,
    }
    return {channel for channel, text in said_on.items() if text and (not channels or channel in channels)}


def message(said: Rendered, to: Recipient, channel: Channel) -> Message:
    """What goes out on a channel."""
    address = to.addresses.get(channel, "")
    match channel:
        case Channel.EMAIL:
            return Message(to=address, subject=said.title, text=said.mail, html=said.html)
        case Channel.SMS:
            return Message(to=address, subject="", text=said.sms)
        case Channel.IN_APP | Channel.PUSH | Channel.WEBHOOK:
            return Message(to=to.person_id, subject=said.title, text=said.title)
