"""Our own reports, followed by every process: what happened reaches its readers and watchers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import telemetry
from errors import Transient
from messaging import Delivery, Follower, Kafka
from rossio.notification.v1.events_pb2 import NotificationReported
from rossio.notification.v1.notification_pb2 import CHANNEL_IN_APP
from service import now

from notification.adapters import wire
from notification.application.tell_watchers import TellWatchers

_log = telemetry.logger(__name__)
STREAM: Final = "notification.message.v1"
_AGAIN_SECONDS: Final = 1.0


class InboxFollower:
    """Follows from now on, then loads what there is: between the two nothing is missed."""

    def __init__(self, kafka: Kafka, tell: TellWatchers) -> None:
        self._tell = tell
        self._follower = Follower(kafka, [STREAM], self._apply, from_now=True)

    async def start(self) -> None:
        await self._follower.start()
        try:
            await self._tell.load(now())
        except Transient:
            await self._follower.stop()
            raise

    async def stop(self) -> None:
        await self._follower.stop()

    async def _apply(self, deliveries: Sequence[Delivery]) -> None:
        reports = [each.message for each in deliveries if isinstance(each.message, NotificationReported)]
        item_ids = {each.notification_id for each in reports if each.channel == CHANNEL_IN_APP}
        self._tell.of_reads(wire.reads(each.message for each in deliveries))
        await self._until_told(self._tell, item_ids)
        await self._until_told(self._tell.of_statuses, {each.notification_id for each in reports})

    async def _until_told(self, tell: Callable[[set[str]], Awaitable[None]], ids: set[str]) -> None:
        while ids:
            try:
                return await tell(ids)
            except Transient as error:
                _log.warning("watchers wait for the store", reason=error.reason)
                await asyncio.sleep(_AGAIN_SECONDS)
        return None
