"""RotateKeys: another data key for the content of an entity."""

from errors import NotFound

from document.application.ports import KeyActs, Keys
from document.domain.key_acts import KeyAct, Rotated
from document.domain.node import Act


async def rotate_keys(keys: Keys, acts: KeyActs, act: Act, entity_id: str, *, may: bool) -> int:
    """How many contents have their key wrapped anew; a repeated request makes no further key."""
    if not may:
        raise NotFound("there is no such entity")
    if done := await acts.rotated(act.act_id):
        return done.contents
    contents = await keys.rotate(entity_id)
    done = Rotated(contents)
    subject = act.subject
    await acts.add(KeyAct(act.act_id, entity_id, done, subject.id, subject.entity_id, act.at))
    return contents
