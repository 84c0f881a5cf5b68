"""A mail to all 126,683 people of the ministry: expanded from the view and cut into shards, each person once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from directory_view import View
from mail_routing.adapters.directory import ViewDirectory
from mail_routing.application.apply_rules import ApplyRules
from mail_routing.application.deliver import Deliver
from mail_routing.domain.delivery import Shard
from mail_routing.domain.message import BlobContent, Message, MessageClass, Origin, Recipient
from mail_routing.domain.route import Route
from mail_routing.domain.rules import Book
from rossio.directory.v1 import directory_pb2, events_pb2

PEOPLE, ENTITIES = 126_683, 62


def ministry() -> Iterator[Any]:
    for n in range(ENTITIES):
        entity = directory_pb2.Entity(entity_id=f"e{n}", name=f"e{n}", domains=[f"e{n}.test"], version=1)
        yield events_pb2.EntityChanged(entity=entity)
    for n in range(PEOPLE):
        person = directory_pb2.Person(
            person_id=f"p{n}",
            number=n + 1,
            entity_id=f"e{n % ENTITIES}",
            addresses=[f"p{n}@e{n % ENTITIES}.test"],
            state=directory_pb2.PERSON_STATE_ACTIVE,
            version=1,
        )
        yield events_pb2.PersonChanged(person=person)
    entities = ", ".join(f'"e{n}"' for n in range(ENTITIES))
    group = directory_pb2.Group(
        group_id="all", entity_id="e0", addresses=["all@e0.test"], expression=f"entity in ({entities})", version=1
    )
    yield events_pb2.GroupChanged(group=group)


class NoRules:
    empty = True

    def of(self, scope: str) -> Book:
        return Book(scope)


class Shards:
    """`Deliveries` and `Contents` that keep how much was asked of them, and never a shard longer than that."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.people: set[str] = set()
        self.first: Shard | None = None

    async def seen(self, message_id: str) -> bool:
        return False

    async def kept_outside(self, message: Message) -> Message:
        return replace(message, content=BlobContent("b"))

    async def plan(self, shard: Shard) -> None:
        self.sizes.append(len(shard.deliveries))
        self.people |= {delivery.destination.person_id for delivery in shard.deliveries}
        if shard.number == 0:
            self.first = shard


async def test_a_mail_to_everybody_is_cut_into_shards_with_each_person_once() -> None:
    view, shards, now = View(), Shards(), datetime(2026, 11, 23, tzinfo=UTC)
    view.apply(ministry())

    async def no_report(mail: Message, reading: object) -> None: ...

    nothing: Any = None
    passed_over: Any = no_report
    kept: Any = shards
    the_route = Route(ViewDirectory(view))
    unruled = ApplyRules(the_route, NoRules())
    deliver = Deliver(the_route, unruled, nothing, kept, kept, passed_over, now=lambda: now, new_id=lambda: "plan")
    to = (Recipient("all@e0.test"),)
    content = b"Subject: x\r\n\r\n"
    await deliver(
        Message("m", "e0", "p0@e0.test", to, content, len(content), MessageClass.NORMAL, now, Origin.SUBMISSION)
    )
    assert len(shards.people) == sum(shards.sizes) == PEOPLE
    assert len(shards.sizes) == 127
    assert max(shards.sizes) == 1000
    assert shards.first is not None
    assert shards.first.plan is not None
    assert shards.first.plan.shards == 127
    assert shards.first.message.message_class is MessageClass.BULK, "it delays nobody's own mail"
