"""GetDeadLetter: one letter with its event, which may be about people."""

from rpc import Caller

from governance.application.ports import Audit, DeadLetters
from governance.domain.dead_letter import DeadLetter, Queue


async def get_dead_letter(
    letters: DeadLetters, audit: Audit, caller: Caller, audit_id: str, queue: Queue, number: int
) -> DeadLetter:
    """Raises NotFound. The look is recorded before it is answered."""
    letter = await letters.get(queue, number)
    await audit(caller, "show", queue, audit_id, {"number": str(number)})
    return letter
