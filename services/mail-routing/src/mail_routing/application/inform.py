"""Say what has become of a mail to those who are to hear of it: its sender, and moderators for whom it waits."""

from collections import Counter
from collections.abc import Sequence

import telemetry

from mail_routing.application.accept import Accept
from mail_routing.application.ports import Moderators
from mail_routing.domain import dsn, moderation, moderation_notice
from mail_routing.domain.delivery import Progress, State
from mail_routing.domain.message import Message


class Inform:
    """Counts what has changed, and makes the mails of ours about it: they are sent by the write that records it."""

    def __init__(self, accept: Accept, moderators: Moderators, hostname: str) -> None:
        self._accept = accept
        self._moderators = moderators
        self._hostname = hostname

    async def __call__(self, progress: Progress, content: bytes) -> Sequence[Message]:
        """`content` of the mail, of which the sender has the header section back."""
        lane = progress.shard.message.message_class.value
        for outcome, count in Counter(each.state.value for each in progress.changed).items():
            telemetry.names.MAIL_OUTCOME.bind(lane=lane, outcome=outcome).inc(count)
        report = dsn.report(progress, content, self._hostname)
        made = [report] if report else []
        if progress.shard.treatment.held:
            made += self._asking(progress)
        return [await self._accept.prepare(each) for each in made]

    def _asking(self, progress: Progress) -> Sequence[Message]:
        """To the moderators of each list, and of each rule, for which something has begun to wait."""
        shard = progress.shard
        begun = [each for each in progress.changed if each.state is State.PENDING]
        asked = moderation.by_id(shard, begun).values()
        return [
            moderation_notice.asking(shard, some[0], to, self._hostname)
            for some in asked
            if (to := self._moderators.addresses_of_panel(moderation.panel(shard, some[0].destination)))
        ]
