"""Trace: what became of mails; one's own, or those of the entity for its mail administrators."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import errors
from rpc import Caller

from mail_routing.application.ports import Deliveries, People
from mail_routing.domain.address import canonical
from mail_routing.domain.delivery import Delivery, Shard
from mail_routing.domain.internet_message_id import canonical as canonical_id

ADMIN = "mail.admin"
_DEFAULT_LIMIT = 100
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """Which mails; what is empty does not restrict."""

    message_id: str = ""
    internet_message_id: str = ""
    sender: str = ""
    recipient: str = ""
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Parties:
    """How the store names those who take part in a mail, and what it is known by."""

    address: Callable[[str], str]
    entity: Callable[[str], str]
    principal: Callable[[str], str]
    internet_message_id: Callable[[str], str]


Audit = Callable[[Caller, str], Awaitable[None]]
"""Record durably that the caller looks at the mail, given by id, of others."""


class Trace:
    """Answers shard by shard, newest first: a mail of many recipients comes in several answers.

    A sender sees all recipients, a recipient only themself, and an administrator what touches the entity. A mail
    that the caller may not see is not there: `NotFound` where one was named, else it is left out.
    `Invalid` (LIMIT, MALFORMED_MESSAGE_ID) for what cannot be asked.
    """

    def __init__(self, deliveries: Deliveries, people: People, parties: Parties, audit: Audit) -> None:
        self._deliveries = deliveries
        self._people = people
        self._parties = parties
        self._audit = audit

    async def __call__(self, caller: Caller, question: Question) -> AsyncIterator[Shard]:
        if question.limit < 0:
            raise errors.Invalid("limit is negative", reason="LIMIT")
        named = canonical_id(question.internet_message_id)
        if question.internet_message_id and not named:
            raise errors.Invalid("not a Message-ID", reason="MALFORMED_MESSAGE_ID")
        sender, recipient = canonical(question.sender), canonical(question.recipient)
        question = replace(question, sender=sender, recipient=recipient, internet_message_id=named)
        own = frozenset(self._people.addresses_of(caller.subject)) if caller.kind == "person" else frozenset()
        found, audited = 0, ""
        limit = min(question.limit or _DEFAULT_LIMIT, _MOST)
        all_of = (
            *((self._parties.internet_message_id(named),) if named else ()),
            *(self._parties.address(each) for each in (question.sender, question.recipient) if each),
        )
        any_of = () if question.message_id else self._reach(caller, question, own)
        if not (question.message_id or all_of or any_of):
            return
        # More than are wanted: an address takes part as sender or recipient, and the store does not say as which.
        shards = self._deliveries.trace(message_id=question.message_id, all_of=all_of, any_of=any_of, limit=_MOST)
        async for shard in shards:
            visible, others = self._visible(caller, own, shard)
            if not visible or not _matches(question, shard):
                continue
            if others and audited != shard.message.message_id:
                audited = shard.message.message_id
                await self._audit(caller, audited)
            found += 1
            yield replace(shard, deliveries=visible)
            if found == limit:
                return
        if (question.message_id or named) and not found:
            raise errors.NotFound("there is no such mail")

    def _reach(self, caller: Caller, question: Question, own: frozenset[str]) -> Sequence[str]:
        """The parties of which one takes part in all that the caller may see, so that no more is read."""
        if own & {question.sender, question.recipient}:
            return ()
        if caller.has(ADMIN):
            return (self._parties.entity(caller.entity_id),)
        if caller.kind == "service":
            return (self._parties.principal(caller.subject),)
        return tuple(self._parties.address(each) for each in sorted(own))

    def _visible(self, caller: Caller, own: frozenset[str], shard: Shard) -> tuple[tuple[Delivery, ...], bool]:
        """The deliveries that the caller may see, and whether that is by office."""
        message = shard.message
        if canonical(message.sender) in own or message.principal == caller.subject:
            return shard.deliveries, False
        mine = tuple(
            d for d in shard.deliveries if d.destination.person_id == caller.subject and caller.kind == "person"
        )
        if not caller.has(ADMIN):
            return mine, False
        whole = caller.may_act_for(message.entity_id)
        seen = tuple(d for d in shard.deliveries if whole or d in mine or caller.may_act_for(d.destination.entity_id))
        return seen, seen != mine


def _matches(question: Question, shard: Shard) -> bool:
    """By a question in canonical form."""
    named, sender, recipient = question.internet_message_id, question.sender, question.recipient
    if named and shard.message.internet_message_id != named:
        return False
    if sender and canonical(shard.message.sender) != sender:
        return False
    to = (name for d in shard.deliveries for name in (d.destination.address, d.destination.original))
    return not recipient or any(canonical(name) == recipient for name in to)
