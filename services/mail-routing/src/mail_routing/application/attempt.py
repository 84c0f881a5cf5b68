"""One attempt at the waiting recipients of a shard."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import telemetry

from mail_routing.application.inform import Inform
from mail_routing.application.ports import Contents, Mailboxes, MailboxMail, NextHop
from mail_routing.application.reading import Reading
from mail_routing.domain import delivery, headers, message
from mail_routing.domain.delivery import Progress, Result, Shard, State
from mail_routing.domain.message import Message
from mail_routing.domain.route import Destination, Kind
from mail_routing.domain.sameness import begun_at

_MAILBOXES = frozenset({Kind.MAILBOX, Kind.LMTP})
_READ = Result(State.DELIVERED, "2.0.0", "Read as a report")
_LOOPED = Result(State.BOUNCED, "5.4.6", "The mailbox has had this mail already")


class Attempt:
    """Tries every waiting recipient once; gives the progress, and the mails of ours that are due because of it.

    It may run again for a shard whose outcome was not recorded: mailboxes take the same mail once, and a next
    hop may get it twice, as RFC 5321 section 4.5.4 has it.
    """

    def __init__(
        self,
        inform: Inform,
        contents: Contents,
        mailboxes: Mailboxes,
        next_hop: NextHop,
        hostname: str,
        *,
        now: Callable[[], datetime],
        jitter: Callable[[], float],
        moderated_for: timedelta = delivery.MODERATED_FOR,
    ) -> None:
        self._inform = inform
        self._contents = contents
        self._mailboxes = mailboxes
        self._next_hop = next_hop
        self._hostname = hostname
        self._now = now
        self._jitter = jitter
        self._moderated_for = moderated_for

    async def __call__(self, shard: Shard, reading: Reading | None = None) -> tuple[Progress, Sequence[Message]]:
        """`reading`: of the mail's content, where others have asked for it already."""
        content = await (reading or Reading(self._contents, shard.message))()
        present = headers.read(content)
        trace = telemetry.current_traceparent()
        treated = shard.treatment.applied(content, present, f"=_{shard.message.message_id}.rules")
        mail = message.added_fields(shard.message, present, self._hostname, trace) + treated
        had = message.delivered_to(present)
        by_hop: defaultdict[tuple[str, str], list[Destination]] = defaultdict(list)
        results: dict[Destination, Result] = {}
        for waiting in shard.waiting:
            destination = waiting.destination
            if had and not had.isdisjoint(_marks(destination)):
                results[destination] = _LOOPED
            elif destination.kind is Kind.REPORT:
                results[destination] = _READ
            elif destination.kind is Kind.REFUSED:
                results[destination] = Result(State.BOUNCED, destination.status, destination.target)
            elif shard.treatment.kept_back and not waiting.attempts:  # once: who releases it lets it go
                state = State.PENDING if shard.treatment.held else State.QUARANTINED
                results[destination] = Result(state, "4.7.1", shard.treatment.kept_back)
            else:
                by_hop[destination.hop, destination.forwarded_by].append(destination)
        mailboxes = [one for key in list(by_hop) if not key[0] for one in by_hop.pop(key)]
        ways: list[Coroutine[Any, Any, Mapping[Destination, Result]]] = [
            # Who has claimed a shard has minutes for it; where the mail's own record waits, the stream does too.
            self._next_hop.send(hop, shard.message, there, _sent_on(by) + mail, patient=shard.claimed)
            for (hop, by), there in by_hop.items()
        ]
        if mailboxes:
            ways.append(self._to_mailboxes(shard.message, mailboxes, mail))
        # Most mails go one way, and need no task for it.
        for some in [await ways[0]] if len(ways) == 1 else await asyncio.gather(*ways):
            results |= some
        telemetry.points.reached("mail.attempt.done")
        return await self._ended(shard, results, content)

    async def give_up(self, shard: Shard, reason: str) -> tuple[Progress, Sequence[Message]]:
        """Bounce all that wait: no attempt can be made any more."""
        lost = Result(State.BOUNCED, "5.3.0", reason)
        return await self._ended(shard, {waiting.destination: lost for waiting in shard.waiting}, b"")

    async def _ended(
        self, shard: Shard, results: Mapping[Destination, Result], content: bytes
    ) -> tuple[Progress, Sequence[Message]]:
        progress = delivery.attempted(shard, results, self._now(), self._jitter(), self._moderated_for)
        return progress, await self._inform(progress, content)

    async def _to_mailboxes(
        self, mail: Message, destinations: Sequence[Destination], content: bytes
    ) -> Mapping[Destination, Result]:
        since = begun_at(mail) if mail.origin.unique else mail.accepted_at
        name = f"{int(since.timestamp())}.{mail.message_id}.rossio"
        path = f"Return-Path: <{mail.sender}>\r\nDelivered-To: "
        letters = (
            MailboxMail(to.target, name, f"{path}{to.address}\r\n".encode() + content, mail.message_class)
            for to in destinations
        )
        results = await asyncio.gather(*map(self._mailboxes.deliver, letters))
        return dict(zip(destinations, results, strict=True))


def _marks(to: Destination) -> Iterator[str]:
    """What a mail bears that was there before."""
    if to.kind in _MAILBOXES:
        yield to.address.lower()
    if to.forwarded_by:
        yield to.forwarded_by


def _sent_on(by: str) -> bytes:
    """The mark of whom a mail was sent on by: when it comes back to them, it has gone round."""
    return f"Delivered-To: {by}\r\n".encode() if by else b""
