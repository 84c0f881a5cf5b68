"""Use case: take in CSV files, all of them or nothing."""

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, count, islice

import telemetry
from rpc import Caller

from directory.application.ports import Begun, Records
from directory.application.put_record import rights
from directory.domain.numbers import unused
from directory.domain.plan import Change, Options, Plan, kind_of, plan
from directory.domain.records import Directory, Person

log = telemetry.logger(__name__)

_CHUNK = 500
_STEP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ImportCsv:
    records: Records

    async def __call__(
        self,
        caller: Caller,
        files: Mapping[str, bytes],
        options: Options,
        *,
        dry_run: bool,
        import_id: str,
        at: datetime,
    ) -> Plan:
        """Thinks the whole import through, and carries it out unless a row is bad or it is a dry run.

        All rows are checked, against each other and against what is kept, before the first write. The
        writes then go in chunks: who is ended between two of them has written some records whole, each
        with its facts, and the rest is written when the same files are imported again. What is as the
        files say is not written again.

        Args:
            caller: who imports.
            files: table -> CSV.
            options: see there.
            dry_run: think only.
            import_id: names this attempt in the audit records.
            at: now.

        Raises:
            Conflict: a record was changed by somebody else meanwhile; import again.
        """
        kept = await self.records.everything()
        thought = await asyncio.to_thread(plan, kept, files, rights(caller), options)
        if not thought.errors and thought.changes and not dry_run:
            await self.records.begin_import(_begun(caller, files, thought, import_id, at))
            telemetry.points.reached("directory.import.begun")
            await self._carry_out(kept, thought, at)
            log.info("import applied", import_id=import_id, changes=len(thought.changes))
        return thought

    async def _carry_out(self, kept: Directory, thought: Plan, at: datetime) -> None:
        changes = await self._numbered(kept, thought.changes)
        telemetry.points.reached("directory.import.numbered")
        await self.records.release(thought.moved)
        telemetry.points.reached("directory.import.released")
        for start in range(0, len(changes), _CHUNK):
            await self.records.put_all(changes[start : start + _CHUNK], at)
            telemetry.points.reached("directory.import.chunk")
            # Finding what is to be published gets slow where very much is: the import keeps step with it.
            await self.records.published(within=_STEP_SECONDS)

    async def _numbered(self, kept: Directory, changes: Sequence[Change]) -> list[Change]:
        """Gives the new people their numbers, in the order of their rows.

        Numbers that an import reserved before it was ended come first: repeated, it ends as it would have.
        """
        new = sum(isinstance(change.record, Person) and change.kept is None for change in changes)
        if new == 0:
            return list(changes)
        given = (person.number for person in kept.people.values())
        free = list(islice(unused(given, await self.records.next_number()), new))
        first = await self.records.reserve_numbers(new - len(free)) if len(free) < new else 0
        numbers = chain(free, count(first))
        return [
            Change(replace(change.record, number=next(numbers)), None)
            if isinstance(change.record, Person) and change.kept is None
            else change
            for change in changes
        ]


def _begun(caller: Caller, files: Mapping[str, bytes], thought: Plan, import_id: str, at: datetime) -> Begun:
    changes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for change in thought.changes:
        changes[change.record.entity_id][kind_of(change)] += 1
    digests = {table: hashlib.sha256(data).hexdigest() for table, data in files.items()}
    return Begun(import_id, caller, at, changes, digests)
