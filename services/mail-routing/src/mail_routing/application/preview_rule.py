"""Use case: what a rule would have done to the mail of the last days, with the code that judges mail."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import errors
from rpc import Caller

from mail_routing.application.apply_rules import ApplyRules, Books
from mail_routing.application.ports import Contents
from mail_routing.application.resolve import WithDraft
from mail_routing.application.rule_changes import scope_of
from mail_routing.domain import rule_grammar
from mail_routing.domain.destinations import Resolved
from mail_routing.domain.message import Message, Origin
from mail_routing.domain.route import Destination, Route, Sender
from mail_routing.domain.rules import CENTRAL, Book, Facts, Rule

MOST_RECIPIENTS = 100
_DEFAULT_LIMIT = 100
_MOST = 1000


class Past(Protocol):
    """Mail that was accepted, as long as it can be read again."""

    def accepted(self, since: datetime, until: datetime) -> AsyncGenerator[Message, None]:
        """Each from `since` on and before `until`, in no order."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """Which mails, and after how many it ends; 0: a hundred."""

    since: datetime
    until: datetime
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A mail for which the rule would have held, for the first hundred of so many recipients."""

    message: Message
    recipients: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Of how many mails it was asked and would have held, how many could not be read, and whether there may be more."""

    asked: int = 0
    held: int = 0
    unread: int = 0
    more: bool = False


class PreviewRule:
    """The draft stands among the rules in force, and mail goes where it would go now: lists may have changed since."""

    def __init__(
        self,
        the_route: Route,
        books: Books,
        apply_rules: ApplyRules,
        past: Past,
        contents: Contents,
        audit: Callable[[Caller, str], Awaitable[None]],
    ) -> None:
        self._route = the_route
        self._books = books
        self._apply_rules = apply_rules
        self._past = past
        self._contents = contents
        self._audit = audit
        self._turn = asyncio.Lock()

    async def __call__(
        self, caller: Caller, draft: Rule, span: Span, *, central: bool
    ) -> AsyncIterator[Held | Summary]:
        """The mails, and a summary at the end.

        `Invalid` for a draft or a limit that cannot be, `NotFound` for the ministry's rules where they are not the
        caller's, `Exhausted` (PREVIEW_BUSY) while this process makes another one: it is work.
        """
        if span.limit < 0:
            raise errors.Invalid("limit is negative", reason="LIMIT")
        rule_grammar.check(draft)
        scope = scope_of(caller, central=central)
        if self._turn.locked():
            raise errors.Exhausted("another preview is being made here", reason="PREVIEW_BUSY")
        judge = _Judge(self._route, self._apply_rules.with_books(WithDraft(self._books, scope, draft)), scope, draft)
        limit = min(span.limit or _DEFAULT_LIMIT, _MOST)
        asked = held = unread = 0
        async with self._turn, aclosing(self._past.accepted(span.since, span.until)) as mails:
            async for mail in mails:
                await asyncio.sleep(0)  # others have their turn: this may be long
                destinations = judge.destinations(mail)
                if not destinations:
                    continue
                try:
                    verdict = judge(Facts(mail, await self._contents.read(mail)), destinations)
                except errors.Invalid:
                    unread += 1
                    continue
                if verdict is None:
                    continue
                asked += 1
                if not verdict:
                    continue
                held += 1
                await self._audit(caller, mail.message_id)
                yield Held(mail, tuple(verdict[:MOST_RECIPIENTS]), len(verdict))
                if held == limit:
                    break
        yield Summary(asked, held, unread, more=held == limit)


@dataclass(frozen=True, slots=True)
class _Judge:
    route: Route
    apply_rules: ApplyRules
    scope: str
    draft: Rule

    def destinations(self, mail: Message) -> list[Destination]:
        """Where a mail goes that the rules of the scope are about, else nothing; none is about our own reports."""
        if mail.origin is Origin.DSN:
            return []
        sender = Sender(mail.sender, mail.origin.trusted, reports=not mail.sender)
        found = list(Resolved(self.route, sender, mail.recipients))
        ours = self.scope in {CENTRAL, mail.from_entity} or any(each.entity_id == self.scope for each in found)
        return found if ours else []

    def __call__(self, facts: Facts, destinations: Sequence[Destination]) -> list[str] | None:
        """The recipients for whom the draft holds; None when it is not asked about the mail."""
        asked = False

        def told(book: Book, rule: Rule, outcome: str) -> None:  # noqa: ARG001 - what `Told` hears
            nonlocal asked
            asked = asked or rule is self.draft

        draft = self.scope, self.draft.rule_id, self.draft.version
        held = [
            destination.original or destination.address
            for treatment, destination in self.apply_rules.treated(facts, destinations, told)
            if any((each.scope, each.rule_id, each.version) == draft for each in treatment.decisions)
        ]
        return list(dict.fromkeys(held)) if asked else None
