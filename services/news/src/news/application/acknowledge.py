"""Use case: a reader confirms to have read one version of a post, for themselves or for who asked them to."""

from dataclasses import dataclass
from datetime import datetime

import telemetry
from errors import NotAllowed
from rossio.directory.v1.directory_pb2 import Person
from rpc import Caller

from news.application.ports import Delegations, Mark, MarkKind
from news.application.reading import Reading, must_be_current

_acknowledged = telemetry.names.NEWS_ACKNOWLEDGED.bind()


@dataclass(frozen=True, slots=True)
class Acknowledge:
    reading: Reading
    delegations: Delegations

    async def __call__(
        self, caller: Caller, post_id: str, *, text_version: int, at: datetime, in_place_of: str = ""
    ) -> None:
        """Returns when it is durable; a repetition changes nothing.

        Raises:
            NotFound: the reader is not in the audience.
            NotAllowed: the caller is not the delegate of `in_place_of`.
            Conflict: it is not the current version.
        """
        person = self.reading.person(caller)
        reader = await self._principal(person, in_place_of, at) if in_place_of else person
        post = await self.reading.post(reader, post_id)
        must_be_current(post, text_version)
        new = await self.reading.marks.add(
            Mark(
                kind=MarkKind.ACKNOWLEDGED,
                post_id=post.post_id,
                text_version=text_version,
                entity_id=post.entity_id,
                person_id=reader.person_id,
                number=reader.number,
                delegate_id=person.person_id if in_place_of else "",
            )
        )
        telemetry.points.reached("news.post.acknowledged")
        if new:
            _acknowledged.inc()

    async def _principal(self, delegate: Person, person_id: str, at: datetime) -> Person:
        """Who has asked the delegate; nobody learns whether somebody exists who has not."""
        delegation = await self.delegations.get(person_id)
        person = self.reading.view.person(person_id)
        named = delegation is not None and delegation.delegate_id == delegate.person_id and at < delegation.until
        if person is None or not named:
            raise NotAllowed("you are not their delegate", reason="NOT_DELEGATE")
        return person
