"""Every limit of whom by what, over the dialogue: what is in it is taken, what is beyond hears 450, others go on."""

import itertools
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any, get_args

import errors
import pytest
from mail_routing.application.authenticate import Bearer
from mail_routing.domain.message import Message
from mail_routing.domain.next_hop import NextHops
from mail_routing.domain.quota import Quotas, Rate, RateOf
from mail_routing.domain.route import Person, Route
from mail_routing.entrypoints.smtp.actions import Accept, Limits, Send
from mail_routing.entrypoints.smtp.grammar import Reply
from mail_routing.entrypoints.smtp.reception import Admission, Doors, Reception
from mail_routing.entrypoints.smtp.server import Client
from mail_routing.entrypoints.smtp.session import Session
from rpc import Caller

WHO: tuple[RateOf, ...] = get_args(RateOf)
CONTENT = b"Subject: x\r\n\r\nhello\r\n"
RATES = {"mails": 2, "recipients": 4, "octets": 2 * len(CONTENT)}
"""What two mails to two recipients each take."""


class Domains:
    """A directory of two entities, of whom nobody is known: mail goes elsewhere."""

    def entity_of_domain(self, domain: str) -> str | None:
        return {"one.test": "e1", "two.test": "e2"}.get(domain)


class House:
    """Receptions for one set of quotas, in which every mail is taken."""

    def __init__(self, of: RateOf, rate: Rate) -> None:
        self.taken: list[Message] = []
        self.time = 0.0
        directory: Any = Domains()
        accept: Any = self.accept
        authorise: Any = self.authorise
        authenticate: Any = self.authenticate
        self.reception = Reception(
            Route(directory, NextHops(smart_host="x:25")),
            accept,
            Doors((ip_network("10.0.0.0/8"),)),
            Quotas({of: rate}),
            authenticate,
            authorise,
            now=lambda: datetime(2026, 11, 23, tzinfo=UTC),
            clock=lambda: self.time,
            new_id=map(str, itertools.count()).__next__,
        )

    async def accept(self, mail: Message) -> None:
        self.taken.append(mail)

    async def authenticate(self, credentials: Bearer) -> Caller:
        if credentials.token != "right":
            raise errors.Unauthenticated("the credentials are not valid")
        return person("ana", "e1")

    async def authorise(self, caller: Caller, sender: str, content: bytes) -> bytes:
        return content

    async def mail(self, address: str, sender: str, caller: Caller | None) -> list[str]:
        """Codes and statuses of the replies to MAIL, two RCPT and DATA with its content."""

        client = Client(address, "c.test", secure=True, caller=caller)
        session = Session("mx.test", Limits(), Admission(self.reception, address, caller), offer_tls=False)
        session.receive(b"EHLO c.test\r\n")
        commands = f"MAIL FROM:<{sender}>\r\nRCPT TO:<a@far.test>\r\nRCPT TO:<b@far.test>\r\nDATA\r\n"
        actions = session.receive(commands.encode() + CONTENT + b".\r\n")
        said = b"".join(action.data for action in actions if isinstance(action, Send))
        for action in actions:
            if isinstance(action, Accept):
                reply = await self.reception.take(action.transaction, client)
                said += b"".join(each.data for each in session.answered(reply) if isinstance(each, Send))
        return [" ".join(line.split()[:2]) for line in said.decode().splitlines()]


def person(name: str, entity: str) -> Caller:
    return Caller(name, "person", entity, frozenset())


MINE = ("10.0.0.1", "ana@one.test", person("ana", "e1"))
OTHERS: dict[RateOf, tuple[str, str, Caller | None]] = {
    "client": ("192.0.2.2", "x@far.test", None),
    "sender": ("10.0.0.1", "rui@one.test", person("ana", "e1")),
    "principal": ("10.0.0.1", "ana@one.test", person("rui", "e1")),
    "entity": ("10.0.0.1", "eva@two.test", person("ana", "e1")),
}
"""Somebody who differs in just what is counted."""


@pytest.mark.parametrize("unit", list(RATES))
@pytest.mark.parametrize("of", WHO)
async def test_each_limit_is_heard_as_450_and_only_by_whom_it_is_for(of: RateOf, unit: str) -> None:
    house = House(of, Rate(**{unit: RATES[unit]}))
    # A client address counts for strangers alone, and these may not relay.
    mine = ("192.0.2.1", "x@far.test", None) if of == "client" else MINE
    if of == "client":
        house.reception.route = Route(OpenDomains())  # type: ignore[arg-type]
    taken = ["250 2.1.0", "250 2.1.5", "250 2.1.5", "354 End", "250 2.0.0"]
    for _ in range(2):
        assert await house.mail(*mine) == taken
    beyond = await house.mail(*mine)
    where = 1 if unit == "recipients" else 0
    assert beyond[:where] == taken[:where]
    assert beyond[where] == "450 4.7.1"
    assert len(house.taken) == 2
    assert await house.mail(*OTHERS[of]) == taken
    house.time += 61
    assert await house.mail(*mine) == taken


async def test_guessing_counts_for_the_address_that_it_comes_from() -> None:
    house = House("client", Rate())
    here, there = (Client(address, "c.test", secure=True) for address in ("192.0.2.1", "192.0.2.2"))

    async def tried(secret: str, client: Client = here) -> int:
        answer = await house.reception.authenticate(Bearer(secret), client)
        return answer.code if isinstance(answer, Reply) else 235

    assert [await tried("wrong") for _ in range(20)] == [535] * 20
    assert await tried("right") == 454
    assert await tried("right", there) == 235
    house.time += 61
    assert await tried("right") == 235


class OpenDomains(Domains):
    """Whose far.test is one of ours, with somebody at every address."""

    def entity_of_domain(self, domain: str) -> str | None:
        return "far" if domain == "far.test" else super().entity_of_domain(domain)

    def person_at(self, address: str) -> Any:

        return Person(address, "far", address)
