"""What the client library says of a topic several times a second is said once a minute."""

import logging
import time
from collections.abc import Callable
from typing import Final

_MINUTE: Final = 60.0


class OncePerMinute(logging.Filter):
    """Lets a record pass whose words and arguments were not logged within a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        said, now = record.getMessage(), self._clock()
        if now - self._said.get(said, -_MINUTE) < _MINUTE:
            return False
        self._said = {each: at for each, at in self._said.items() if now - at < _MINUTE} | {said: now}
        return True


def calm() -> None:
    """A client asks for topics that are not there yet at every turn of its loop, and logs each answer as an error."""
    logger = logging.getLogger("aiokafka.cluster")
    if not any(isinstance(each, OncePerMinute) for each in logger.filters):
        logger.addFilter(OncePerMinute())
