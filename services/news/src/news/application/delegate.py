"""Use case: a reader names who may acknowledge in their place, for a while."""

from dataclasses import dataclass
from datetime import datetime

from errors import Invalid, NotFound
from rossio.directory.v1.directory_pb2 import PERSON_STATE_ACTIVE
from rpc import Caller

from news.application.ports import Delegation, Delegations
from news.application.reading import Reading


@dataclass(frozen=True, slots=True)
class Delegate:
    reading: Reading
    delegations: Delegations

    async def __call__(self, caller: Caller, delegate_id: str, until: datetime, at: datetime) -> None:
        """Replaces the delegation there was; one that ends now takes it back.

        Raises:
            NotFound: nobody of that id works here.
            Invalid: the caller named themselves.
        """
        person = self.reading.person(caller)
        delegate = self.reading.view.person(delegate_id)
        if delegate is None or delegate.state != PERSON_STATE_ACTIVE:
            raise NotFound("no such person", reason="PERSON_NOT_FOUND")
        if delegate_id == person.person_id:
            raise Invalid("a delegate is somebody else", reason="OWN_DELEGATE")
        await self.delegations.put(Delegation(person.person_id, delegate_id, until), caller, at)
