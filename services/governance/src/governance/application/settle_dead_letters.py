"""RedriveDeadLetters and DropDeadLetters: what becomes of letters by an operator's word."""

from collections.abc import Sequence

from rpc import Caller

from governance.application.ports import Audit, DeadLetters
from governance.domain.dead_letter import Queue, State, left_to_do

_VERBS = {State.REDRIVEN: "redrive", State.DROPPED: "drop"}


async def settle_dead_letters(
    letters: DeadLetters,
    audit: Audit,
    caller: Caller,
    audit_id: str,
    queue: Queue,
    numbers: Sequence[int],
    wanted: State,
    reason: str,
) -> int:
    """How many of the letters are in the wanted state then, by this call or by one before it.

    The wish is recorded before it is carried out, under the id of the request: a repeat is the same record, and does
    what is left to do.

    Raises:
        NotFound: one of the numbers is of no letter, or something else became of it; nothing was done.
        Conflict: another redrive has some of them now.
    """
    left = left_to_do(await letters.list(queue, settled=True), numbers, wanted)
    named = ",".join(map(str, sorted(set(numbers))))
    await audit(caller, _VERBS[wanted], queue, audit_id, {"numbers": named, "reason": reason})
    if left and wanted is State.REDRIVEN:
        await letters.redrive(queue, left)
    elif left:
        await letters.drop(queue, left)
    return len(set(numbers))
