"""What the steps of the demo stand on: the stack, its people, and checks that wait."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self, TypeVar

from devstack.stack_file import Stack
from testkit.ministry import Group, Ministry, Person

from cli.client import Client, token_for

T = TypeVar("T")
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.05


class Unmet(Exception):
    """A step did not do what it promises; says what."""


def check(held: bool, what: str) -> None:
    if not held:
        raise Unmet(what)


@dataclass(slots=True)
class Shown:
    """What a step did: lines for people, and where to look further."""

    lines: list[str] = field(default_factory=list)
    trace_id: str = ""


class Cast:
    """Who plays in the demo; all are found in the synthetic ministry by what they are, not by name."""

    def __init__(self, ministry: Ministry) -> None:
        self.people = {person.person_id: person for person in ministry.people()}
        self.groups = {group.group_id: group for group in ministry.groups()}

    def person(self, entity_id: str, role: str = "", *, nth: int = 0) -> Person:
        """The nth person of an entity who has a role (none: who has no role)."""
        fits = (
            p for p in self.people.values() if p.entity_id == entity_id and (role in p.roles if role else not p.roles)
        )
        return list(fits)[nth]

    def nested_list(self, entity_id: str) -> Group:
        """A list of the entity, open to everybody, of which another list is a member."""
        return next(
            group
            for group in self.groups.values()
            if group.entity_id == entity_id
            and group.addresses
            and not group.sender_group_ids
            and any(member.startswith("group:") for member in group.members)
        )

    def clinician(self, entity_id: str) -> Person:
        """The first nurse or doctor of an entity."""
        return next(p for p in self.people.values() if p.entity_id == entity_id and p.profession in {"nurse", "doctor"})

    def members(self, group: Group) -> dict[str, Person]:
        """Everybody whom a mail to a list of units reaches, by id; read off the ministry, not asked of the suite."""
        found = {p.person_id: p for p in self.people.values() if f'unit = "{p.unit_id}"' == group.expression}
        for member in group.members:
            kind, _, name = member.partition(":")
            if kind == "group":
                found |= self.members(self.groups[name])
            elif kind == "person":
                found[name] = self.people[name]
        return found

    @cached_property
    def auditor(self) -> Person:
        """Somebody who may read the chains of all entities."""
        return next(p for p in self.people.values() if {"governance.auditor", "ministry.admin"} <= set(p.roles))


class Stage:
    """A running stack, and a client for each person who acts on it."""

    def __init__(self, stack: Stack, cast: Cast) -> None:
        self.stack = stack
        self.cast = cast
        self._clients: dict[str, Client] = {}
        self._closing = AsyncExitStack()

    @classmethod
    @asynccontextmanager
    async def open(cls, stack: Stack, cast: Cast) -> AsyncIterator[Self]:
        stage = cls(stack, cast)
        async with stage._closing:
            yield stage

    async def client(self, person: Person) -> Client:
        if person.person_id not in self._clients:
            token = await token_for(person.person_id, self.stack)
            client = Client(self.stack.endpoints, lambda: token)
            self._clients[person.person_id] = await self._closing.enter_async_context(client)
        return self._clients[person.person_id]


async def until(what: str, ask: Callable[[], Awaitable[T | None]], *, seconds: float = PATIENCE_SECONDS) -> T:
    """The first answer that is not empty; events take their time to go round.

    Raises:
        Unmet: none came in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = await ask()
        if answer:
            return answer
        await asyncio.sleep(PAUSE_SECONDS)
    raise Unmet(f"waited {seconds:.0f} s in vain: {what}")
