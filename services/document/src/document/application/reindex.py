"""Reindex: has the index of an entity made anew, by every process that holds one."""

from errors import NotFound

from document.application.search_ports import Epochs, Texts
from document.domain.node import Act


async def reindex(epochs: Epochs, texts: Texts, act: Act, entity_id: str, *, extract: bool, may: bool) -> None:
    """With `extract` the text is taken out of all files once more; a repeated request is one."""
    if not may:
        raise NotFound("there is no such entity")
    if extract:
        await texts.forget_entity(entity_id)
    await epochs.advance(entity_id, act, extract=extract)
