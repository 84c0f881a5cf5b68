"""What the use cases of bulk jobs ask of the outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from rpc import Caller

from notification.domain.bulk import Fate, Job, JobState, Row


class Jobs(Protocol):
    """Bulk jobs and their rows, which are sealed under a key of the job."""

    async def requested(self, request_key: str) -> Job | None: ...

    async def add(self, job: Job, rows: Sequence[Row], by: Caller, request_key: str) -> Job:
        """Takes it on with an audit record, or returns the one of the same request."""
        ...

    async def get(self, job_id: str) -> Job | None:
        """With what became of its rows, as far as that was counted."""
        ...

    async def page(self, caller_id: str, before: str, limit: int) -> list[Job]:
        """Those of a caller, newest first, below the id; an empty id: from the newest."""
        ...

    async def running(self) -> list[Job]:
        """Those with chunks to take in."""
        ...

    async def rows(self, job: Job, chunk: int) -> list[Row]:
        """Those of a chunk of a table; none where the key of the job is no more."""
        ...

    async def advance(self, job: Job) -> bool:
        """The chunk is taken in: the next one, or done. False when somebody else has changed the job."""
        ...

    async def change(self, job: Job, state: JobState, by: Caller, at: datetime, *, again: bool = False) -> bool:
        """Another state, with an audit record; `again`: from the first chunk, in a new round. False as above."""
        ...

    async def untold(self, at: datetime, limit: int) -> list[tuple[str, int]]:
        """Chunks whose rows have not all come to an end, those first that were counted longest ago."""
        ...

    async def told(self, chunk: str, fates: Mapping[Fate, int], at: datetime) -> None:
        """What became of the rows of a chunk."""
        ...
