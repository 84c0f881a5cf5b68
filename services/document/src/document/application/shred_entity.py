"""ShredEntity: the content of an entity ends, here and in every backup."""

from errors import NotFound
from telemetry import points

from document.application.ports import KeyActs, Keys
from document.domain.key_acts import KeyAct, Receipt, Shredded
from document.domain.node import Act


async def shred_entity(keys: Keys, acts: KeyActs, act: Act, entity_id: str, reason: str, *, may: bool) -> Receipt:
    """The receipt, which stays the first one however often this is asked for.

    A process that dies in the middle leaves nothing half: the same again ends it.
    """
    if not may:
        raise NotFound("there is no such entity")
    act_id = f"shred.{entity_id}"
    if receipt := await acts.receipt(act_id):
        return receipt
    shredding = await keys.shred(entity_id)
    points.reached("document.keys.shredded")
    done = Shredded(reason, shredding.retired, shredding.wrapping, shredding.final)
    subject = act.subject
    return await acts.add(KeyAct(act_id, entity_id, done, subject.id, subject.entity_id, act.at))
