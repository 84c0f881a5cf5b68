"""Who may change what."""

from collections.abc import Iterator
from dataclasses import dataclass

from directory.domain.records import MINISTRY_ADMIN, Entity, Person, Record
from directory.domain.shapes import Problem


@dataclass(frozen=True, slots=True)
class Rights:
    """Somebody who keeps the directory of one entity, or of the whole ministry."""

    entity_id: str
    of_ministry: bool

    def problems(self, record: Record, kept: Record | None) -> Iterator[Problem]:
        """Why they may not make `record` out of what is kept.

        Entities themselves, and who acts for the whole ministry, are the ministry's to decide.
        """
        if self.of_ministry:
            return
        if isinstance(record, Entity):
            yield Problem("entity_id", f"only {MINISTRY_ADMIN} changes entities")
            return
        touched = {record.entity_id, kept.entity_id if kept else record.entity_id}
        if touched != {self.entity_id}:
            yield Problem("entity_id", "is another entity's")
        if isinstance(record, Person):
            before = kept.roles if isinstance(kept, Person) else ()
            if (MINISTRY_ADMIN in record.roles) != (MINISTRY_ADMIN in before):
                yield Problem("roles", f"only {MINISTRY_ADMIN} gives or takes {MINISTRY_ADMIN}")
