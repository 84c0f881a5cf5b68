"""Bring an accepted mail to its recipients: resolve, try at once, record what became of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain

import errors
import telemetry

from mail_routing.application.apply_rules import ApplyRules
from mail_routing.application.attempt import Attempt
from mail_routing.application.ports import Contents, Deliveries
from mail_routing.application.reading import Reading
from mail_routing.application.take_bounce import TakeBounce
from mail_routing.domain import delivery
from mail_routing.domain.delivery import SHARD_RECIPIENTS, Delivery, Plan, Shard
from mail_routing.domain.destinations import Resolved
from mail_routing.domain.message import Message
from mail_routing.domain.route import Destination, Route, Sender
from mail_routing.domain.sameness import Lately, may_have_come_before
from mail_routing.domain.treatment import MODERATED, NONE, Treatment

Part = tuple[Treatment, tuple[Delivery, ...]]
"""Up to a thousand recipients for whom the rules do the same to the mail."""


class Deliver:
    """Handles one accepted mail; a repeat of one that was recorded only publishes again what became of it.

    A mail of up to a thousand recipients is tried here and now. A larger one, or one that the rules treat in
    several ways, is cut into shards, which any worker takes up as soon as all of them are recorded.
    """

    def __init__(
        self,
        the_route: Route,
        apply_rules: ApplyRules,
        attempt: Attempt,
        contents: Contents,
        deliveries: Deliveries,
        take_bounce: TakeBounce,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._route = the_route
        self._apply_rules = apply_rules
        self._attempt = attempt
        self._contents = contents
        self._deliveries = deliveries
        self._now = now
        self._new_id = new_id
        self._take_bounce = take_bounce
        self._lately = Lately()

    async def __call__(self, message: Message, *, fresh: bool = False) -> None:
        """`fresh`: nobody has had its record before, so that the store need not be asked about a new mail by SMTP.

        The id of one that was submitted, or that we report with, may stand on the stream twice, and so may that of a
        mail that its client has had for some time, or has handed in twice at once: that comes to the same process.
        """
        if not message.recipients or not message.size:
            raise errors.Invalid("an accepted mail without recipients or content", reason="EMPTY_MAIL")
        new = fresh and message.origin.unique and not may_have_come_before(message)
        if (not new or message.message_id in self._lately) and await self._deliveries.seen(message.message_id):
            await self._deliveries.report(message.message_id)
            return
        self._lately.add(message.message_id)
        reading = Reading(self._contents, message)
        await self._take_bounce(message, reading)
        sender = Sender(message.sender, message.origin.trusted, reports=not message.sender)
        destinations = Resolved(self._route, sender, message.recipients)
        treated = await self._apply_rules(message, destinations, reading)
        parts = in_parts(chain(treated, _waiting(destinations)))
        treatment, deliveries = next(parts, (NONE, ()))
        second = next(parts, None)
        if second is not None:
            await self._plan(message, chain([(treatment, deliveries), second], parts))
            return
        trace = telemetry.current_traceparent()
        shard = Shard(
            as_treated(message, treatment), 0, deliveries, self._now(), traceparent=trace, treatment=treatment
        )
        progress, ours = await self._attempt(shard, reading)
        await self._deliveries.begin(progress, ours)
        telemetry.points.reached("mail.deliver.recorded")
        _recipients(message).inc(len(deliveries))

    async def _plan(self, message: Message, parts: Iterator[Part]) -> None:
        message = await self._contents.kept_outside(message)
        treatment, first = next(parts)
        if len(first) == SHARD_RECIPIENTS:  # the full parts come first
            message = delivery.as_plan(message)
        whole = Shard(message, 0, (), None, plan=Plan(self._new_id(), 0), traceparent=telemetry.current_traceparent())
        number = 0
        recipients = len(first)
        for number, (treated, deliveries) in enumerate(parts, 1):
            recipients += len(deliveries)
            await self._deliveries.plan(_numbered(whole, number, treated, deliveries))
            telemetry.points.reached("mail.deliver.planned")
        # Written last and once: what makes this expansion the one that counts, and due at once.
        last = replace(_numbered(whole, number, treatment, first), number=0, due=self._now())
        await self._deliveries.plan(last)
        telemetry.points.reached("mail.deliver.recorded")
        _recipients(message).inc(recipients)


def _recipients(message: Message) -> telemetry.Count:
    return telemetry.names.MAIL_RECIPIENTS.bind(lane=message.message_class.value)


def _numbered(whole: Shard, number: int, treatment: Treatment, deliveries: tuple[Delivery, ...]) -> Shard:
    assert whole.plan is not None
    plan = Plan(whole.plan.id, number + 1)
    message = as_treated(whole.message, treatment)
    return replace(whole, message=message, number=number, deliveries=deliveries, plan=plan, treatment=treatment)


def _waiting(destinations: Resolved) -> Iterator[tuple[Treatment, Destination]]:
    """The lists that wait for their moderators, known once all else is resolved. Rules are asked when they go on."""
    for held in destinations.waiting.values():
        yield MODERATED, held


def as_treated(message: Message, treatment: Treatment) -> Message:
    return replace(message, require_tls=True) if treatment.require_tls else message


def in_parts(treated: Iterator[tuple[Treatment, Destination]]) -> Iterator[Part]:
    """The destinations by treatment, each part as soon as it is full, the rest at the end."""
    open_parts: dict[Treatment, list[Delivery]] = {}
    for treatment, destination in treated:
        deliveries = open_parts.setdefault(treatment, [])
        deliveries.append(Delivery(destination))
        if len(deliveries) == SHARD_RECIPIENTS:
            yield treatment, tuple(open_parts.pop(treatment))
    for treatment, deliveries in open_parts.items():
        yield treatment, tuple(deliveries)
