"""Use case: somebody else than its author lets a version of a template be sent."""

from dataclasses import dataclass, replace
from datetime import datetime

from errors import NotAllowed, NotFound
from rpc import Caller

from notification.application.ports import Templates
from notification.domain.template import State, Template


@dataclass(frozen=True, slots=True)
class ApproveTemplate:
    templates: Templates

    async def __call__(self, caller: Caller, name: str, version: int, at: datetime) -> Template:
        """Approves it; a second time changes nothing.

        Raises:
            NotFound: the caller's entity has no such version.
            NotAllowed: the caller wrote it.
        """
        found = await self.templates.version(caller.entity_id, name, version)
        if found is None:
            raise NotFound("there is no such template", reason="TEMPLATE_NOT_FOUND")
        if found.author == caller.subject:
            raise NotAllowed("a template is approved by somebody else than its author", reason="OWN_TEMPLATE")
        if found.state is State.DRAFT:
            await self.templates.approve(found, caller, at)
        return replace(found, state=State.APPROVED)
