"""RecountUsage: counts what an entity and its spaces hold anew from their files, and corrects the counters.

Nothing holds writes up meanwhile. A write sets its bytes aside in the counter before it is made, so a counter that
nobody has written since before its files were looked at, with nothing set aside, is right or wrong, and not behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from errors import Conflict, NotFound

from document.application.meter import Meter
from document.domain.node import Act
from document.domain.quota import Recounted

_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class Recount:
    """The use case."""

    meter: Meter

    async def __call__(self, act: Act, entity_id: str, *, dry_run: bool, may: bool) -> Sequence[Recounted]:
        """What was counted otherwise than it is.

        Raises:
            NotFound: it is no entity of the caller.
            Conflict: BUSY, somebody writes all the time; what was corrected until then stays so.
        """
        if not may:
            raise NotFound("there is no such entity")
        found = list[Recounted]()
        for holder, held in sorted((await self.meter.usages.held(entity_id)).items()):
            if (await self.meter.usage(holder)).used != held:
                wrong = await self._one(act, entity_id, holder, dry_run=dry_run)
                found += [wrong] if wrong else []
        return found

    async def _one(self, act: Act, entity_id: str, holder: str, *, dry_run: bool) -> Recounted | None:
        """What seems wrong is looked at once more, by itself."""
        usages = self.meter.usages
        for _ in range(_TRIES):
            await self.meter.usage(holder)  # resolves what somebody left behind
            usage, revision = await usages.revision(holder)
            if usage.pending:
                continue
            held = await usages.held_by(holder)
            if dry_run:
                done = (await usages.revision(holder))[1] == revision
            else:
                done = held == usage.used or await usages.correct(holder, revision, usage.used, held, entity_id, act)
            if done:
                return Recounted(holder, usage.used, held) if held != usage.used else None
        raise Conflict("it is written to all the time; try again", reason="BUSY")
