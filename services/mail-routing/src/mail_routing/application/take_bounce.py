"""Take in what another server reports about a mail that it had taken: the delivery has failed after all."""

from collections.abc import Callable
from datetime import datetime, timedelta

import errors
import telemetry

from mail_routing.application.ports import Deliveries
from mail_routing.application.reading import Reading
from mail_routing.domain import bounce, headers
from mail_routing.domain.delivery import Progress
from mail_routing.domain.message import Message

_MOST_READ = 1024 * 1024
_MOST_SHARDS = 1000
_RECORDED_WITHIN = timedelta(seconds=2)
"""A next hop may report before we have recorded that it took the mail."""


class TakeBounce:
    """Marks the recipients that a report names as bounced; a repeat finds them so and does nothing.

    Whoever has had the mail knows its id, and nobody else: that is what a report is believed for.
    """

    def __init__(self, deliveries: Deliveries, hostname: str, *, now: Callable[[], datetime]) -> None:
        self._deliveries = deliveries
        self._hostname = hostname
        self._now = now

    async def __call__(self, mail: Message, reading: Reading) -> None:
        """Any mail; those that are no reports are passed over. What a report returns of our mail may be large."""
        if mail.sender:
            return
        content = (await reading())[:_MOST_READ]
        if not bounce.is_report(mail.sender, headers.read(content)):
            return
        report = bounce.read(content, self._hostname)
        for message_id in report.message_ids if report.bounces else ():
            recorded = False
            async for shard in self._deliveries.trace(message_id=message_id, limit=_MOST_SHARDS):
                recorded = True
                progress = bounce.bounced(shard, report, self._now())
                if progress is not None:
                    await self._record(progress)
            if not recorded and self._now() < mail.accepted_at + _RECORDED_WITHIN:
                raise errors.Transient("the mail that a report is about is not recorded yet", reason="MAIL_IN_HAND")

    async def _record(self, progress: Progress) -> None:
        """While an attempt at the other recipients is made, the report waits for it in its lane."""
        message, in_hand = progress.shard.message, progress.shard.being_tried(self._now())
        try:
            if not in_hand:
                await self._deliveries.record(progress)
        except errors.Conflict:
            in_hand = True
        if in_hand:
            raise errors.Transient("the mail that a report is about is in hand", reason="MAIL_IN_HAND")
        telemetry.names.MAIL_OUTCOME.bind(lane=message.message_class.value, outcome="bounced").inc()
