"""Use case: the templates of an entity are looked through."""

from dataclasses import dataclass

from rpc import Caller

from notification.application.ports import Templates
from notification.domain.template import Template


@dataclass(frozen=True, slots=True)
class ListTemplates:
    templates: Templates

    async def __call__(
        self, caller: Caller, after: tuple[str, int] | None, limit: int
    ) -> tuple[list[Template], tuple[str, int] | None]:
        """Some versions, and behind which one the next page begins; None at the end."""
        found = await self.templates.page(caller.entity_id, after, limit + 1)
        if len(found) <= limit:
            return found, None
        return found[:limit], (found[limit - 1].name, found[limit - 1].version)
