"""Which template a caller means; the beginning of every use case that works with one."""

from errors import NotFound

from notification.application.ports import Templates
from notification.domain.template import State, Template


async def usable(templates: Templates, entity_id: str, name: str, version: int) -> Template:
    """The approved version (0: the newest) of the entity's template, else of the ministry's.

    Raises:
        NotFound: there is none that may be sent.
    """
    for owner in dict.fromkeys((entity_id, "")):
        found = await _one(templates, owner, name, version, approved=True)
        if found is not None and found.state is State.APPROVED:
            return found
    raise _not_found()


async def readable(templates: Templates, entity_id: str, name: str, version: int) -> Template:
    """The version (0: the newest), approved or not; raises NotFound."""
    for owner in dict.fromkeys((entity_id, "")):
        found = await _one(templates, owner, name, version, approved=False)
        if found is not None:
            return found
    raise _not_found()


async def _one(templates: Templates, owner: str, name: str, version: int, *, approved: bool) -> Template | None:
    if version:
        return await templates.version(owner, name, version)
    return await templates.newest(owner, name, approved=approved)


def _not_found() -> NotFound:
    return NotFound("there is no such template", reason="TEMPLATE_NOT_FOUND")
