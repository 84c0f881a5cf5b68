"""A record that no service could settle, as operators see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from errors import NotFound


class State(Enum):
    WAITING = "waiting"
    REDRIVING = "redriving"
    REDRIVEN = "redriven"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Queue:
    """Whose letters they are: a service's, of one stream."""

    stream: str
    consumer: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    queue: Queue
    number: int
    state: State
    reason: str
    detail: str
    attempts: int
    origin: str
    at: datetime
    event_type: str
    headers: Mapping[str, str]
    event_json: str
    """Empty where the event cannot be read."""


def left_to_do(letters: Sequence[DeadLetter], numbers: Sequence[int], wanted: State) -> list[int]:
    """Those of the numbers that are not in the wanted state yet.

    Raises:
        NotFound: there is no such letter, or something else became of it.
    """
    states = {letter.number: letter.state for letter in letters}
    open_ = {State.WAITING, State.REDRIVING}
    missing = [number for number in numbers if states.get(number) not in {*open_, wanted}]
    if missing:
        raise NotFound(f"no such dead letter: {', '.join(map(str, sorted(missing)))}")
    return sorted({number for number in numbers if states[number] in open_})
