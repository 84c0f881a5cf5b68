"""Use case: a reader has read posts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from errors import NotFound
from rossio.directory.v1.directory_pb2 import Person
from rpc import Caller

from news.application.ports import Mark, MarkKind
from news.application.reading import Reading


@dataclass(frozen=True, slots=True)
class MarkRead:
    reading: Reading

    async def __call__(self, caller: Caller, post_ids: Sequence[str]) -> None:
        """Marks the versions that are published now; posts that are not the caller's are passed over."""
        person = self.reading.person(caller)
        async with asyncio.TaskGroup() as group:
            for post_id in post_ids:
                group.create_task(self._mark(person, post_id))

    async def _mark(self, person: Person, post_id: str) -> None:
        try:
            post = await self.reading.post(person, post_id)
        except NotFound:
            return
        mark = Mark(MarkKind.READ, post.post_id, post.text_version, post.entity_id, person.person_id, person.number)
        await self.reading.marks.add(mark)
