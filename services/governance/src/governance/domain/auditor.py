"""Who may read which chain."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Auditor:
    """An auditor of one entity, or of the whole ministry, which includes what belongs to no entity."""

    entity_id: str
    of_ministry: bool

    def may_read(self, entity_id: str) -> bool:
        return self.of_ministry or (entity_id == self.entity_id and entity_id != "")
