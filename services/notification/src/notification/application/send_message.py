"""Use case: one message goes to a provider, whatever dies on the way, once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import telemetry
from directory_view import View
from errors import Invalid, Transient

from notification.application.people import recipient, works_here
from notification.application.pool import Pool
from notification.application.ports import AddressGone, Notifications, NotTaken, Provider, Suppressions, Vault
from notification.domain import backoff, simulated, texts
from notification.domain.notification import Dispatch, Notification
from notification.domain.texts import Message, Submission
from notification.domain.vocabulary import Channel, Status

_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Intent (the notification), submission record, provider call, outcome.

    A process that dies in between leaves the submission record, and the next one calls the same provider again
    under the same key: it takes it as the same message. A provider that knows no keys is not called again.
    """

    notifications: Notifications
    vault: Vault
    pools: Mapping[Channel, Pool]
    suppressions: Suppressions
    view: View
    now: Callable[[], datetime]
    chance: Callable[[], float]
    # Where mails like the one of a notification end by one click.
    unsubscribe: Callable[[Notification], str]

    async def __call__(self, notification_id: str, channel: Channel) -> None:
        """Sends what is still to be sent; what no provider takes now waits as it says itself.

        Raises:
            Invalid: there is no such notification, or no provider for the channel.
            Transient: the store will take it later.
        """
        notification = await self.notifications.get(notification_id)
        dispatch = notification.on(channel) if notification else None
        if notification is None or dispatch is None or channel not in self.pools:
            raise Invalid("nothing is known of this message", reason="NOTIFICATION_UNKNOWN")
        if not dispatch.ready:
            return
        if notification.expires_at <= self.now():
            await self._give_up(notification_id, channel, "expired")
            return
        message = await self._message(notification, channel)
        if message is None:
            await self._give_up(notification_id, channel, "no-address")
        elif notification.test or message.to in simulated.RECIPIENTS:
            await self._simulate(notification_id, dispatch, message)
        elif not dispatch.in_doubt:
            await self._submit(notification, dispatch, message)
        elif (provider := self.pools[channel].named(dispatch.provider)) is None or not provider.idempotent:
            await self._record(notification_id, channel, "", "unconfirmed")
        elif not await self._submitted(notification, dispatch, message, provider):
            await self._defer(notification_id, dispatch, taken=True)

    async def _simulate(self, notification_id: str, dispatch: Dispatch, message: Message) -> None:
        channel, outcome = dispatch.channel, simulated.outcome(message.to)
        await self.notifications.change(notification_id, lambda each: each.submitting(channel, "simulated", self.now()))
        if outcome is None:
            await self._defer(notification_id, dispatch, taken=False)
            return
        await self._record(notification_id, channel, "", "")
        reason = None if outcome is Status.DELIVERED else "undelivered"
        await self.notifications.change(notification_id, lambda each: each.ended(channel, outcome, self.now(), reason))

    async def _submit(self, notification: Notification, dispatch: Dispatch, message: Message) -> None:
        """One provider after the other, until one takes it, or may have taken it."""
        tried: set[str] = set()
        pool = self.pools[dispatch.channel]
        while (provider := pool.pick(notification.notification_id, tried)) is not None:
            if await self._submitted(notification, dispatch, message, provider, None if tried else notification):
                return
            tried.add(provider.name)
        await self._defer(notification.notification_id, dispatch, taken=False)

    async def _submitted(
        self,
        notification: Notification,
        dispatch: Dispatch,
        message: Message,
        provider: Provider,
        known: Notification | None = None,
    ) -> bool:
        """Whether that was all: False when the provider has certainly not taken it this time.

        `known` is the notification as it is stored, where nobody has changed it since.
        """
        notification_id, channel = notification.notification_id, dispatch.channel
        recorded = await self.notifications.change(
            notification_id, lambda each: each.submitting(channel, provider.name, self.now()), known
        )
        begun = recorded.on(channel) if recorded else None
        if begun is None or begun.status is not Status.PENDING:
            return True  # it has ended meanwhile
        telemetry.points.reached("notification.submission.recorded")
        submission = self._submission(notification, channel)
        measuring = self.pools[channel].measuring(provider.name)
        try:
            with telemetry.span("notification.submit", kind=telemetry.Kind.CLIENT, done=_timed(provider.name)):
                reference = await provider.submit(message, submission)
        except Invalid as error:
            _log.warning("message refused", channel=channel.value, provider=provider.name, reason=error.reason)
            if isinstance(error, AddressGone) and dispatch.target:
                await self.suppressions.add(dispatch.target, None, "refused", self.now())
            await self._give_up(notification_id, channel, "refused")
        except NotTaken as error:
            measuring.failed(self.now())
            _log.info("message not taken", channel=channel.value, provider=provider.name, reason=error.reason)
            return False
        except Transient as error:
            measuring.failed(self.now())
            _log.info("message in doubt", channel=channel.value, provider=provider.name, reason=error.reason)
            await self._defer(notification_id, dispatch, taken=True)
        else:
            taken_at = self.now()
            measuring.sent(taken_at)
            telemetry.points.reached("notification.submitted")
            await self._record(notification_id, channel, reference, "", recorded, at=taken_at)
            if provider.confirms:
                await self.notifications.change(
                    notification_id, lambda each: each.ended(channel, Status.DELIVERED, self.now())
                )
            telemetry.points.reached("notification.outcome.recorded")
        return True

    def _submission(self, notification: Notification, channel: Channel) -> Submission:
        return Submission(
            key=f"{notification.notification_id}.{channel}",
            notification_id=notification.notification_id,
            topic=notification.topic,
            lane=notification.lane,
            unsubscribe=self.unsubscribe(notification) if channel is Channel.EMAIL else "",
        )

    async def _record(
        self,
        notification_id: str,
        channel: Channel,
        reference: str,
        reason: str,
        known: Notification | None = None,
        *,
        at: datetime | None = None,
    ) -> None:
        at = at or self.now()
        await self.notifications.change(
            notification_id, lambda each: each.submitted(channel, reference, at, reason), known
        )

    async def _defer(self, notification_id: str, dispatch: Dispatch, *, taken: bool) -> None:
        due_at = self.now() + backoff.pause(dispatch.attempts + 1, self.chance())
        await self.notifications.change(
            notification_id, lambda each: each.deferred(dispatch.channel, due_at, taken=taken)
        )
        telemetry.points.reached("notification.deferred")

    async def _give_up(self, notification_id: str, channel: Channel, reason: str) -> None:
        await self.notifications.change(
            notification_id, lambda each: each.ended(channel, Status.FAILED, self.now(), reason)
        )

    async def _message(self, notification: Notification, channel: Channel) -> Message | None:
        """What is sent; None when there is nothing to send (any more), or nowhere to send it to."""
        if notification.of_directory and not works_here(self.view.person(notification.person_id)):
            return None
        if channel in notification.sealed:
            sealed = {notification.notification_id: notification.sealed[channel]}
            return (await self.vault.open(channel, sealed)).get(notification.notification_id)
        # Earlier releases left the title, for what was to be made of it.
        person = self.view.person(notification.person_id)
        if person is None:
            return None
        title = texts.in_locale(notification.titles, person.locale)
        if channel in {Channel.PUSH, Channel.WEBHOOK}:
            return Message(to=person.person_id, subject=title, text=title)
        if not (to := recipient(person).addresses.get(channel, "")):
            return None
        return texts.as_sms(to, title) if channel is Channel.SMS else texts.as_mail(to, title, person.locale)


def _timed(provider: str) -> Callable[[str, float, str], None]:
    """Takes down how long a provider took."""

    def done(_name: str, seconds: float, outcome: str) -> None:
        telemetry.names.PROVIDER.bind(provider=provider, outcome=outcome).observe(seconds)

    return done
