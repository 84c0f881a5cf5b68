"""Use case: many messages are checked, all of them, and then taken on; or none, with what is wrong by row."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from directory_view import Bitmap, View
from errors import Invalid, NotAllowed
from rpc import Caller

from notification.application.bulk_ports import Jobs
from notification.application.people import works_here
from notification.application.ports import Templates
from notification.application.templates import usable
from notification.domain import linter, telephone
from notification.domain.bulk import CHUNK, Job, Row, RowError, read_table, wrong_recipient
from notification.domain.notice import Periods
from notification.domain.template import Template
from notification.domain.vocabulary import Channel, Topic


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """A table, or an expression of people and values that are the same for all of them."""

    template: str
    version: int
    channels: tuple[Channel, ...]
    table: bytes = field(default=b"", repr=False)
    audience: str = ""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    check_only: bool = False


@dataclass(frozen=True, slots=True)
class StartBulk:
    jobs: Jobs
    templates: Templates
    view: View
    periods: Periods
    sms_rules: linter.SmsRules
    new_id: Callable[[], str]

    async def __call__(
        self, caller: Caller, order: BulkOrder, *, request_key: str, at: datetime
    ) -> tuple[Job | None, list[RowError], int]:
        """The job, or what is wrong (None and errors); and how many rows there are.

        Raises:
            NotFound: there is no such template.
            Invalid: the table cannot be read, or the expression.
            NotAllowed: the audience has people of other entities.
        """
        known = await self.jobs.requested(request_key)
        if known is not None:
            return known, [], known.total
        template = await usable(self.templates, caller.entity_id, order.template, order.version)
        if template.topic is not Topic.SERVICE:
            raise Invalid("alerts go one by one, by the emergency lane", reason="TOPIC_NOT_FOR_BULK")
        if bool(order.table) == bool(order.audience):
            raise Invalid("a bulk job has a table or an audience", reason="BULK_WITHOUT_RECIPIENTS")
        people = self._audience(caller, order.audience) if order.audience else None
        rows = read_table(order.table) if people is None else [Row(1, person_id="-", values=order.values)]
        errors = await self._errors(template, rows, to_all=people is not None)
        total = len(rows) if people is None else len(people)
        if errors or order.check_only or not total:
            return None, errors, total
        job = Job(
            job_id=self.new_id(),
            entity_id=caller.entity_id,
            requested_by=caller.subject,
            template=template.name,
            version=template.version,
            channels=order.channels,
            total=total,
            at=at,
            kept_until=at + self.periods.kept(caller.subject) + self.periods.send,
            audience=None if people is None else people.serialize(),
            values=order.values,
        )
        return await self.jobs.add(job, [] if people is not None else rows, caller, request_key), [], total

    def _audience(self, caller: Caller, expression: str) -> Bitmap:
        people = self.view.audience(expression)
        own = self.view.audience(f'entity = "{caller.entity_id}"') if caller.entity_id else Bitmap()
        stranger = next(iter(self.view.people(people - own)), None)
        # Who may act for one other entity may act for all of them.
        if stranger is not None and not caller.may_act_for(stranger.entity_id):
            raise NotAllowed("the audience has people of other entities", reason="AUDIENCE_NOT_YOURS")
        return people

    async def _errors(self, template: Template, rows: Sequence[Row], *, to_all: bool) -> list[RowError]:
        errors: list[RowError] = []
        for start in range(0, len(rows), CHUNK):
            for row in rows[start : start + CHUNK]:
                errors += list(self._wrong(template, row, to_all=to_all))
            await asyncio.sleep(0)  # other calls go on in between
        return errors

    def _wrong(self, template: Template, row: Row, *, to_all: bool) -> Iterator[RowError]:
        if not to_all:
            recipient = wrong_recipient(row)
            if recipient is not None:
                yield recipient
            if row.person_id and not works_here(self.view.person(row.person_id)):
                yield RowError(row.number, "person_id", "PERSON_NOT_FOUND")
        try:
            if row.mobile:
                telephone.must_be_mobile(row.mobile)
        except Invalid as error:
            yield RowError(row.number, "mobile", error.reason)
        try:
            said = template.render(row.values, row.locale)
            linter.must_be_sendable(said.sms, self.sms_rules)
            said.must_fit()
        except Invalid as error:
            yield RowError(row.number, error.details.get("variable", ""), error.reason)
