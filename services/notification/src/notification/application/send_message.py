"""Use case: one message goes to a provider, whatever dies on the way, once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import telemetry
from directory_view import View
from errors import Invalid

from notification.application.people import address, works_here
from notification.application.ports import Notifications, Provider, Vault
from notification.domain import texts
from notification.domain.notification import Notification
from notification.domain.texts import Message
from notification.domain.vocabulary import Channel, Status

_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Intent (the notification), submission record, provider call, outcome.

    A process that dies in between leaves the submission record, and the next one calls again under the
    same idempotency key: the provider takes it as the same message.
    """

    notifications: Notifications
    vault: Vault
    providers: Mapping[Channel, Provider]
    view: View
    now: Callable[[], datetime]

    async def __call__(self, notification_id: str, channel: Channel) -> None:
        """Sends what is still to be sent.

        Raises:
            Invalid: there is no such notification, or no provider for the channel.
            Transient: the provider, or the store, will take it later.
        """
        notification = await self.notifications.get(notification_id)
        dispatch = notification.on(channel) if notification else None
        if notification is None or dispatch is None or channel not in self.providers:
            raise Invalid("nothing is known of this message", reason="NOTIFICATION_UNKNOWN")
        if dispatch.status is not Status.PENDING:
            return
        if notification.expires_at <= self.now():
            await self._give_up(notification_id, channel, "expired")
            return
        message = await self._message(notification, channel)
        if message is None:
            await self._give_up(notification_id, channel, "no-address")
            return
        await self._submit(notification, channel, message)

    async def _submit(self, notification: Notification, channel: Channel, message: Message) -> None:
        notification_id = notification.notification_id
        provider = self.providers[channel]
        await self.notifications.change(
            notification_id, lambda each: each.submitting(channel, provider.name, self.now())
        )
        telemetry.points.reached("notification.submission.recorded")
        try:
            with telemetry.span("notification.submit", kind=telemetry.Kind.CLIENT, done=_timed(provider.name)):
                reference = await provider.submit(
                    message,
                    key=f"{notification_id}.{channel}",
                    notification_id=notification_id,
                    topic=notification.topic,
                )
        except Invalid as error:
            _log.warning("message refused", channel=channel.value, provider=provider.name, reason=error.reason)
            await self._give_up(notification_id, channel, "refused")
            return
        telemetry.points.reached("notification.submitted")
        await self.notifications.change(notification_id, lambda each: each.submitted(channel, reference, self.now()))
        telemetry.points.reached("notification.outcome.recorded")

    async def _give_up(self, notification_id: str, channel: Channel, reason: str) -> None:
        await self.vault.destroy(notification_id, channel)
        await self.notifications.change(
            notification_id, lambda each: each.ended(channel, Status.FAILED, self.now(), reason)
        )

    async def _message(self, notification: Notification, channel: Channel) -> Message | None:
        """What is sent; None when there is nothing to send (any more), or nowhere to send it to."""
        if channel in notification.sealed:
            return await self.vault.open(notification.notification_id, channel, notification.sealed[channel])
        person = self.view.person(notification.person_id)
        if person is None or not works_here(person) or not (to := address(person, channel)):
            return None
        title = texts.in_locale(notification.titles, person.locale)
        return texts.as_sms(to, title) if channel is Channel.SMS else texts.as_mail(to, title, person.locale)


def _timed(provider: str) -> Callable[[str, float, str], None]:
    """Takes down how long a provider took."""

    def done(_name: str, seconds: float, outcome: str) -> None:
        telemetry.names.PROVIDER.bind(provider=provider, outcome=outcome).observe(seconds)

    return done
