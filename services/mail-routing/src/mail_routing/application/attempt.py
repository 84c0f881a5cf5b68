"""One attempt at the waiting recipients of a shard."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import telemetry

from mail_routing.application.accept import Accept
from mail_routing.application.ports import Contents, Mailboxes, MailboxMail, NextHop
from mail_routing.domain import delivery, dsn, headers, message
from mail_routing.domain.delivery import Delivery, Progress, Result, Shard, State
from mail_routing.domain.message import Message
from mail_routing.domain.route import Destination, Kind

_LOOPED = Result(State.BOUNCED, "5.4.6", "The mailbox has had this mail already")


class Attempt:
    """Tries every waiting recipient once; gives the progress, and the report that the sender is due.

    It may run again for a shard whose outcome was not recorded: mailboxes take the same mail once, and a next
    hop may get it twice, as RFC 5321 section 4.5.4 has it.
    """

    def __init__(
        self,
        accept: Accept,
        contents: Contents,
        mailboxes: Mailboxes,
        next_hop: NextHop,
        hostname: str,
        *,
        now: Callable[[], datetime],
        jitter: Callable[[], float],
    ) -> None:
        self._accept = accept
        self._contents = contents
        self._mailboxes = mailboxes
        self._next_hop = next_hop
        self._hostname = hostname
        self._now = now
        self._jitter = jitter

    async def __call__(self, shard: Shard) -> tuple[Progress, Message | None]:
        content = await self._contents.read(shard.message)
        present = headers.read(content)
        trace = telemetry.current_traceparent()
        mail = message.added_fields(shard.message, present, self._hostname, trace) + content
        had = message.delivered_to(present)
        by_kind: defaultdict[Kind, list[Destination]] = defaultdict(list)
        results: dict[str, Result] = {}
        for waiting in shard.waiting:
            destination = waiting.destination
            if destination.kind is Kind.MAILBOX and destination.address.lower() in had:
                results[destination.address] = _LOOPED
            elif destination.kind is Kind.REFUSED:
                results[destination.address] = Result(State.BOUNCED, destination.status, destination.target)
            else:
                by_kind[destination.kind].append(destination)
        for some in await asyncio.gather(
            self._to_mailboxes(shard.message, by_kind[Kind.MAILBOX], mail),
            self._to_next_hops(shard.message, by_kind[Kind.RELAY], mail),
        ):
            results.update(some)
        telemetry.points.reached("mail.attempt.done")
        return await self._ended(shard, results, content)

    async def give_up(self, shard: Shard, reason: str) -> tuple[Progress, Message | None]:
        """Bounce all that wait: no attempt can be made any more."""
        lost = Result(State.BOUNCED, "5.3.0", reason)
        return await self._ended(shard, {waiting.destination.address: lost for waiting in shard.waiting}, b"")

    async def _ended(
        self, shard: Shard, results: Mapping[str, Result], content: bytes
    ) -> tuple[Progress, Message | None]:
        progress = delivery.attempted(shard, results, self._now(), self._jitter())
        _count(shard.message, progress.changed)
        report = dsn.failure(shard, progress.bounced, content, self._hostname)
        return progress, await self._accept.prepare(report) if report else None

    async def _to_mailboxes(
        self, mail: Message, destinations: Sequence[Destination], content: bytes
    ) -> Mapping[str, Result]:
        name = f"{int(mail.accepted_at.timestamp())}.{mail.message_id}.rossio"
        path = f"Return-Path: <{mail.sender}>\r\nDelivered-To: "
        results = await asyncio.gather(
            *(
                self._mailboxes.deliver(MailboxMail(to.target, name, f"{path}{to.address}\r\n".encode() + content))
                for to in destinations
            )
        )
        return dict(zip((to.address for to in destinations), results, strict=True))

    async def _to_next_hops(
        self, mail: Message, destinations: Sequence[Destination], content: bytes
    ) -> Mapping[str, Result]:
        by_hop: defaultdict[str, list[str]] = defaultdict(list)
        for to in destinations:
            by_hop[to.target].append(to.address)
        hops = await asyncio.gather(
            *(
                self._next_hop.send(hop, mail.sender, addresses, content, smtputf8=mail.smtputf8)
                for hop, addresses in by_hop.items()
            )
        )
        return {address: result for hop in hops for address, result in hop.items()}


def _count(mail: Message, changed: Sequence[Delivery]) -> None:
    for outcome in changed:
        telemetry.names.MAIL_OUTCOME.bind(lane=mail.message_class.value, outcome=outcome.state.value).inc()
