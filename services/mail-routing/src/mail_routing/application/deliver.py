"""Bring an accepted mail to its recipients: resolve, try at once, record what became of it."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain, islice

import errors
import telemetry

from mail_routing.application.attempt import Attempt
from mail_routing.application.ports import Contents, Deliveries
from mail_routing.application.take_bounce import TakeBounce
from mail_routing.domain import delivery, route
from mail_routing.domain.delivery import SHARD_RECIPIENTS, Delivery, Plan, Shard
from mail_routing.domain.message import Message
from mail_routing.domain.route import Destination, Route, Sender


class Deliver:
    """Handles one accepted mail; a repeat of one that was recorded does nothing.

    A mail of up to a thousand recipients is tried here and now. A larger one is cut into shards, which any
    worker takes up as soon as all of them are recorded.
    """

    def __init__(
        self,
        the_route: Route,
        attempt: Attempt,
        contents: Contents,
        deliveries: Deliveries,
        take_bounce: TakeBounce,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._route = the_route
        self._attempt = attempt
        self._contents = contents
        self._deliveries = deliveries
        self._now = now
        self._new_id = new_id
        self._take_bounce = take_bounce

    async def __call__(self, message: Message) -> None:
        if not message.recipients or not message.size:
            raise errors.Invalid("an accepted mail without recipients or content", reason="EMPTY_MAIL")
        if await self._deliveries.seen(message.message_id):
            return
        await self._take_bounce(message)
        sender = Sender(message.sender, message.origin.trusted)
        destinations = route.resolve(self._route, sender, message.recipients)
        first = list(islice(destinations, SHARD_RECIPIENTS + 1))
        if len(first) > SHARD_RECIPIENTS:
            await self._plan(message, chain(first, destinations))
            return
        trace = telemetry.current_traceparent()
        shard = Shard(message, 0, tuple(map(Delivery, first)), self._now(), traceparent=trace)
        progress, report = await self._attempt(shard)
        await self._deliveries.begin(progress, report)
        telemetry.points.reached("mail.deliver.recorded")
        _recipients(message).inc(len(first))

    async def _plan(self, message: Message, destinations: Iterator[Destination]) -> None:
        message = delivery.as_plan(await self._contents.kept_outside(message))
        plan_id, number, trace = self._new_id(), 0, telemetry.current_traceparent()
        first = _next(destinations)
        recipients = len(first)
        while part := _next(destinations):
            number += 1
            recipients += len(part)
            plan = Plan(plan_id, number + 1)
            await self._deliveries.plan(Shard(message, number, part, None, plan=plan, traceparent=trace))
            telemetry.points.reached("mail.deliver.planned")
        # Written last and once: what makes this expansion the one that counts, and due at once.
        plan = Plan(plan_id, number + 1)
        await self._deliveries.plan(Shard(message, 0, first, self._now(), plan=plan, traceparent=trace))
        telemetry.points.reached("mail.deliver.recorded")
        _recipients(message).inc(recipients)


def _recipients(message: Message) -> telemetry.Count:
    return telemetry.names.MAIL_RECIPIENTS.bind(lane=message.message_class.value)


def _next(destinations: Iterator[Destination]) -> tuple[Delivery, ...]:
    return tuple(map(Delivery, islice(destinations, SHARD_RECIPIENTS)))
