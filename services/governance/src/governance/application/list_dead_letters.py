"""ListDeadLetters: what no service could settle, by stream, consumer and number."""

from collections.abc import Sequence

from governance.application.ports import DeadLetters
from governance.domain.dead_letter import DeadLetter

Place = tuple[str, str, int]


async def list_dead_letters(
    letters: DeadLetters, stream: str, consumer: str, *, settled: bool, after: Place | None, limit: int
) -> tuple[Sequence[DeadLetter], Place | None]:
    """At most `limit` letters behind `after`; and the place to go on from."""
    found: list[DeadLetter] = []
    for queue in letters.queues():
        if (stream and queue.stream != stream) or (consumer and queue.consumer != consumer):
            continue
        if after is not None and (queue.stream, queue.consumer) < after[:2]:
            continue
        found += [
            letter for letter in await letters.list(queue, settled=settled) if after is None or _place(letter) > after
        ]
        if len(found) > limit:
            return found[:limit], _place(found[limit - 1])
    return found, None


def _place(letter: DeadLetter) -> Place:
    return letter.queue.stream, letter.queue.consumer, letter.number
