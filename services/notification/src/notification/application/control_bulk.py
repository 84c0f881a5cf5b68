"""Use cases: a bulk job is looked at, stopped, taken up again, and its failed messages sent once more."""

from dataclasses import dataclass
from datetime import datetime

from errors import Conflict, NotFound
from rpc import Caller

from notification.application.bulk_ports import Jobs
from notification.domain.bulk import Fate, Job, JobState


@dataclass(frozen=True, slots=True)
class ControlBulk:
    jobs: Jobs

    async def get(self, caller: Caller, job_id: str) -> Job:
        """Raises NotFound for a job of somebody else's entity."""
        job = await self.jobs.get(job_id)
        if job is None or job.entity_id != caller.entity_id:
            raise NotFound("there is no such job", reason="JOB_NOT_FOUND")
        return job

    async def page(self, caller: Caller, before: str, limit: int) -> list[Job]:
        return await self.jobs.page(caller.subject, before, limit)

    async def pause(self, caller: Caller, job_id: str, at: datetime) -> Job:
        """What is taken in already goes out; the rest waits."""
        return await self._change(caller, job_id, {JobState.RUNNING: JobState.PAUSED}, at)

    async def resume(self, caller: Caller, job_id: str, at: datetime) -> Job:
        return await self._change(caller, job_id, {JobState.PAUSED: JobState.RUNNING}, at)

    async def retry(self, caller: Caller, job_id: str, at: datetime) -> Job:
        """Sends those that failed once more, and only those.

        Raises:
            Conflict: it is still running, or nothing has failed.
        """
        job = await self.get(caller, job_id)
        if job.state is not JobState.DONE or not job.fates.get(Fate.FAILED):
            raise Conflict("nothing has failed, or the job is still running", reason="NOTHING_TO_RETRY")
        await self.jobs.change(job, JobState.RUNNING, caller, at, again=True)
        return await self.get(caller, job_id)

    async def _change(self, caller: Caller, job_id: str, ways: dict[JobState, JobState], at: datetime) -> Job:
        """Into the state that follows from the one it is in; where none does, nothing changes."""
        while True:
            job = await self.get(caller, job_id)
            if job.state not in ways or await self.jobs.change(job, ways[job.state], caller, at):
                return await self.get(caller, job_id)
