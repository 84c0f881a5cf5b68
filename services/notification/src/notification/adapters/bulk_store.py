"""Bulk jobs in MongoDB: a document for the job, one for each chunk of 500 rows, sealed under a key of its own."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from errors import Conflict
from rpc import Caller
from store import ASCENDING, Change, Collection, Document, Index, Insert, known

from notification.adapters import wire
from notification.adapters.vault import KeyVault
from notification.domain.bulk import CHUNK, Fate, Job, JobState, Row, chunk_name
from notification.domain.vocabulary import Channel

JOB_INDEXES: Final = (
    Index(["request_key"], unique=True),
    Index(["requested_by", "_id"]),
    Index(["running"], sparse=True),
    Index(["kept_until"], expire_after=timedelta(0)),
)
CHUNK_INDEXES: Final = (
    Index(["job_id"]),
    Index(["untold", "next_at"], sparse=True),
    Index(["kept_until"], expire_after=timedelta(0)),
)
# How long until a chunk is counted anew: soon while messages wait, later while only receipts are missing.
_SOON: Final = timedelta(seconds=2)
_LATER: Final = timedelta(seconds=30)


class StoredJobs:
    def __init__(self, jobs: Collection, chunks: Collection, vault: KeyVault) -> None:
        self._jobs = jobs
        self._chunks = chunks
        self._vault = vault

    async def requested(self, request_key: str) -> Job | None:
        found = await self._jobs.find_one({"request_key": request_key})
        return None if found is None else await self._told(found)

    async def add(self, job: Job, rows: Sequence[Row], by: Caller, request_key: str) -> Job:
        # The chunks first: a job that is there is whole. Those of a request that died are found by nobody, and go.
        for number in range(job.chunks):
            await self._add_chunk(job, number, rows[number * CHUNK : (number + 1) * CHUNK])
        audited = _audited("notification.bulk.start", by, job, job.at, {"messages": str(job.total)})
        try:
            await self._jobs.insert({**_written(job), "request_key": request_key}, [audited])
        except Conflict:
            return await self.requested(request_key) or job
        return job

    async def _add_chunk(self, job: Job, number: int, rows: Sequence[Row]) -> None:
        name = chunk_name(job.job_id, number)
        document: Document = {
            "_id": name,
            "job_id": job.job_id,
            "size": min(CHUNK, job.total - number * CHUNK),
            "kept_until": job.kept_until,
            "fates": [],
        }
        if rows:
            clear = json.dumps([asdict(row) for row in rows]).encode()
            (document["sealed"],) = await self._vault.seal_bytes([(name, clear, job.kept_until)])
        await self._chunks.bulk([Insert(document)])

    async def get(self, job_id: str) -> Job | None:
        found = await self._jobs.get(job_id)
        return None if found is None else await self._told(found)

    async def page(self, caller_id: str, before: str, limit: int) -> list[Job]:
        after = (before, "") if before else None
        page = await self._jobs.page({"requested_by": caller_id}, "_id", after, limit, descending=True)
        return [await self._told(found) for found in page.documents]

    async def running(self) -> list[Job]:
        return [_job(found, {}) async for found in self._jobs.find({"running": True})]

    async def rows(self, job: Job, chunk: int) -> list[Row]:
        name = chunk_name(job.job_id, chunk)
        found = await self._chunks.get(name)
        if found is None or "sealed" not in found:
            return []
        opened = await self._vault.open_bytes({name: bytes(found["sealed"])})
        return [known(Row, row) for row in json.loads(opened[name])] if name in opened else []

    async def advance(self, job: Job) -> bool:
        following = job.chunk + 1
        change: dict[str, Any] = {"$set": {"chunk": following}}
        if following >= job.chunks:
            change = {"$set": {"chunk": following, "state": JobState.DONE.value}, "$unset": {"running": ""}}
        try:
            await self._jobs.update(job.job_id, change, version=job.version_no)
        except Conflict:
            return False
        await self._count_later(chunk_name(job.job_id, job.chunk), job.at)
        return True

    async def change(self, job: Job, state: JobState, by: Caller, at: datetime, *, again: bool = False) -> bool:
        audited = _audited(f"notification.bulk.{'retry' if again else state.value}", by, job, at, {})
        changed: dict[str, Any] = {"state": state.value}
        if again:
            changed |= {"chunk": 0, "round": job.round + 1}
        runs = {"$set": {**changed, "running": True}}
        stands = {"$set": changed, "$unset": {"running": ""}}
        change = runs if state is JobState.RUNNING else stands
        try:
            await self._jobs.update(job.job_id, change, version=job.version_no, facts=[audited])
        except Conflict:
            return False
        return True

    async def untold(self, at: datetime, limit: int) -> list[tuple[str, int]]:
        query = {"untold": True, "next_at": {"$lte": at}}
        found = self._chunks.find(
            query, sort=[("next_at", ASCENDING)], limit=limit, projection={"_id": True, "size": True}
        )
        return [(each["_id"], each["size"]) async for each in found]

    async def told(self, chunk: str, fates: Mapping[Fate, int], at: datetime) -> None:
        changed: dict[str, Any] = {"fates": [[fate.value, number] for fate, number in fates.items()]}
        if fates.get(Fate.WAITING) or fates.get(Fate.SENT):
            later = _SOON if fates.get(Fate.WAITING) else _LATER
            await self._chunks.update(chunk, {"$set": {**changed, "next_at": at + later}})
        else:
            await self._chunks.update(chunk, {"$set": changed, "$unset": {"untold": "", "next_at": ""}})

    async def _count_later(self, chunk: str, at: datetime) -> None:
        await self._chunks.bulk([Change(chunk, {"$set": {"untold": True, "next_at": at}})])

    async def _told(self, found: Document) -> Job:
        fates: Counter[Fate] = Counter()
        async for chunk in self._chunks.find({"job_id": found["_id"]}, projection={"fates": True}):
            fates.update({Fate(name): number for name, number in chunk["fates"]})
        return _job(found, fates)


def _audited(action: str, by: Caller, job: Job, at: datetime, details: Mapping[str, str]) -> Any:
    return wire.audited(action, by, resource=job.job_id, at=at, details=details)


def _written(job: Job) -> Document:
    return {
        "_id": job.job_id,
        "entity_id": job.entity_id,
        "requested_by": job.requested_by,
        "template": job.template,
        "template_version": job.version,
        "channels": [each.value for each in job.channels],
        "total": job.total,
        "at": job.at,
        "kept_until": job.kept_until,
        "audience": job.audience,
        "values": [list(pair) for pair in job.values.items()],
        "state": job.state.value,
        "chunk": job.chunk,
        "round": job.round,
        "running": True,
    }


def _job(found: Mapping[str, Any], fates: Mapping[Fate, int]) -> Job:
    return Job(
        job_id=found["_id"],
        entity_id=found["entity_id"],
        requested_by=found["requested_by"],
        template=found["template"],
        version=found["template_version"],
        channels=tuple(map(Channel, found["channels"])),
        total=found["total"],
        at=found["at"],
        kept_until=found["kept_until"],
        audience=None if found["audience"] is None else bytes(found["audience"]),
        values=dict(found["values"]),
        state=JobState(found["state"]),
        chunk=found["chunk"],
        round=found["round"],
        fates=fates,
        version_no=found["version"],
    )
