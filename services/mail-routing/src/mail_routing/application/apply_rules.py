"""Ask the transport rules about each destination of a mail, and carry out what they say of where it goes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from mail_routing.application.reading import Reading
from mail_routing.domain import rules, treatment
from mail_routing.domain.destinations import Resolved
from mail_routing.domain.message import Message, Origin, Recipient
from mail_routing.domain.route import Destination, Kind, Route, Sender
from mail_routing.domain.rules import CENTRAL, Addressee, Book, Facts, Told, Verb, Verdict
from mail_routing.domain.treatment import Treatment

Treated = tuple[Treatment, Destination]


class Books(Protocol):
    """The rules in force, from memory."""

    def of(self, scope: str) -> Book:
        """Those of a scope in their order; an empty book where there are none."""
        ...

    @property
    def empty(self) -> bool: ...


def asked(books: Books, *entities: str) -> tuple[Book, ...]:
    """The books that count for a mail from one entity to another, in their order; outside has none."""
    scopes = dict.fromkeys((CENTRAL, *filter(None, entities)))
    return tuple(book for scope in scopes if (book := books.of(scope)).rules)


class ApplyRules:
    """Gives each destination with its treatment; those that rules add or put in the place of others, too.

    A rule's own addressees get the mail without being asked about again, and without moderators: rules cannot send
    mail round.
    """

    def __init__(self, the_route: Route, books: Books) -> None:
        self._route = the_route
        self._books = books

    def with_books(self, books: Books) -> "ApplyRules":
        """The same with other rules, to see what they would do."""
        return ApplyRules(self._route, books)

    async def __call__(
        self, message: Message, destinations: Iterable[Destination], reading: Reading
    ) -> Iterator[Treated]:
        if self._books.empty or message.origin is Origin.DSN:  # our own reports go to whom they are for
            return ((treatment.NONE, destination) for destination in destinations)
        return self.treated(Facts(message, await reading()), destinations)

    def treated(self, facts: Facts, destinations: Iterable[Destination], told: Told | None = None) -> Iterator[Treated]:
        """What `Resolve` asks, too: it hears of each rule through `told`."""
        seen: set[str] = set()
        verdicts: dict[tuple[str, ...], tuple[Verdict, Treatment]] = {}
        for destination in destinations:
            if destination.kind is Kind.REFUSED:
                yield treatment.NONE, destination
                continue
            verdict, treated = self._verdict(facts, destination, verdicts, told)
            for goes in self._goes(verdict, destination):
                key = f"{goes.kind.value} {goes.person_id or goes.address}"
                if key not in seen:
                    seen.add(key)
                    yield treated, goes

    def _verdict(
        self,
        facts: Facts,
        destination: Destination,
        verdicts: dict[tuple[str, ...], tuple[Verdict, Treatment]],
        told: Told | None,
    ) -> tuple[Verdict, Treatment]:
        books = asked(self._books, facts.message.from_entity, destination.entity_id)
        key: tuple[str, ...] = (destination.entity_id,)
        if rules.asks_for_address(books):
            key = (destination.entity_id, destination.address, destination.original)
        if key not in verdicts:
            to = Addressee(destination.address, destination.original, destination.entity_id)
            verdict = rules.judge(books, facts, to, told)
            verdicts[key] = verdict, treatment.of(verdict)
        return verdicts[key]

    def _goes(self, verdict: Verdict, destination: Destination) -> Sequence[Destination]:
        """Where the mail goes instead and beside."""
        refusals = verdict.values(Verb.REJECT)
        if refusals:
            return [replace(destination, kind=Kind.REFUSED, target=refusals[0], status="5.7.1")]
        instead = verdict.values(Verb.REDIRECT)
        goes = self._resolved(instead[:1], destination.original, destination.notify) if instead else [destination]
        return [*goes, *self._resolved(verdict.values(Verb.BCC), "", ("NEVER",))]

    def _resolved(self, addresses: Sequence[str], original: str, notify: tuple[str, ...]) -> list[Destination]:
        recipients = [Recipient(address, original, notify) for address in addresses]
        return list(Resolved(self._route, Sender("", trusted=True, waits=False), recipients))
