"""Use case: bulk jobs go on, chunk by chunk, and are counted."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import telemetry
from directory_view import Bitmap, View

from notification.application.bulk_ports import Jobs
from notification.application.deciding import Deciding, Wish
from notification.application.people import recipient, works_here
from notification.application.ports import Notifications, Templates, Vault
from notification.application.send import letters_of, offered
from notification.domain.bulk import CHUNK, Fate, Job, Row, chunk_name, fate, row_key
from notification.domain.notice import Periods
from notification.domain.notification import Notification
from notification.domain.recipient import Recipient
from notification.domain.template import Rendered, Template
from notification.domain.vocabulary import Channel, Lane

_TALLIED_AT_ONCE = 20
_CHUNKS_BEFORE_COUNTING = 100

Told = tuple[Row, Recipient, Rendered]


@dataclass(frozen=True, slots=True)
class RunBulk:
    jobs: Jobs
    notifications: Notifications
    templates: Templates
    vault: Vault
    deciding: Deciding
    view: View
    periods: Periods
    new_id: Callable[[], str]

    async def __call__(self, at: datetime) -> None:
        """Takes in chunks, one of each job in turn, until all are done or it is time to count."""
        taken = 0
        while taken < _CHUNKS_BEFORE_COUNTING and (jobs := await self.jobs.running()):
            for job in jobs:
                await self._chunk(job, at)
                taken += 1
        await self._tally(at)

    async def _chunk(self, job: Job, at: datetime) -> None:
        """A process that dies in between leaves the chunk to the next one, which sends nothing twice."""
        template = await self.templates.version(
            job.entity_id, job.template, job.version
        ) or await self.templates.version("", job.template, job.version)
        if template is not None:
            told = self._told(template, await self._rows(job))
            if told:
                await self._take_in(job, template, told, at)
        telemetry.points.reached("notification.bulk.chunk")
        await self.jobs.advance(job)

    async def _rows(self, job: Job) -> list[Row]:
        if job.audience is None:
            rows = await self.jobs.rows(job, job.chunk)
        else:
            numbers = Bitmap.deserialize(job.audience)
            begin = job.chunk * CHUNK
            people = list(self.view.people(Bitmap(numbers[begin : begin + CHUNK])))
            rows = [Row(begin + index, each.person_id, values=job.values) for index, each in enumerate(people, 1)]
        if job.round == 1:
            return rows
        failed = {
            each.row
            async for each in self.notifications.of_chunk(chunk_name(job.job_id, job.chunk))
            if each.round == job.round - 1 and fate(each) is Fate.FAILED
        }
        return [row for row in rows if row.number in failed]

    def _told(self, template: Template, rows: Sequence[Row]) -> list[Told]:
        told = []
        for row in rows:
            if row.person_id:
                person = self.view.person(row.person_id)
                if person is None or not works_here(person):
                    continue
                to = recipient(person)
            else:
                to = Recipient("", locale=row.locale, addresses={Channel.EMAIL: row.email, Channel.SMS: row.mobile})
            told.append((row, to, template.render(row.values, row.locale or to.locale)))
        return told

    async def _take_in(self, job: Job, template: Template, told: Sequence[Told], at: datetime) -> None:
        wish = Wish(offered=offered(told[0][2], job.channels))
        decided = await self.deciding(template.topic, [to for _, to, _ in told], at, wish)
        expires_at, kept_until = at + self.periods.send, at + self.periods.kept(job.requested_by)
        notifications, letters = [], []
        for (row, to, said), dispatches in zip(told, decided, strict=True):
            notification_id = self.new_id()
            letters.append(letters_of(notification_id, dispatches, said, to))
            notifications.append(
                Notification(
                    notification_id=notification_id,
                    key=row_key(job.job_id, row.number, job.round),
                    topic=template.topic,
                    lane=Lane.BULK,
                    entity_id=job.entity_id,
                    person_id=to.person_id,
                    requested_by=job.requested_by,
                    at=at,
                    expires_at=expires_at,
                    kept_until=max(kept_until, expires_at),
                    dispatches=dispatches,
                    reference=row.reference,
                    followed=True,
                    chunk=chunk_name(job.job_id, job.chunk),
                    row=row.number,
                    round=job.round,
                )
            )
        sealed = iter(self.vault.seal([each for several in letters for each in several]))
        telemetry.points.reached("notification.bulk.sealed")
        await self.notifications.take_in(
            [
                each.with_sealed({letter.channel: next(sealed) for letter in several})
                for each, several in zip(notifications, letters, strict=True)
            ]
        )

    async def _tally(self, at: datetime) -> None:
        """Counts a few chunks anew: exact each time, whatever was missed before."""
        for chunk, size in await self.jobs.untold(at, _TALLIED_AT_ONCE):
            last: dict[int, Notification] = {}
            async for each in self.notifications.of_chunk(chunk):
                if each.row not in last or each.round > last[each.row].round:
                    last[each.row] = each
            fates = Counter(map(fate, last.values()))
            # Somebody who has left since then is written nothing, and counts among those.
            fates[Fate.SUPPRESSED] += max(0, size - len(last))
            await self.jobs.told(chunk, fates, at)
