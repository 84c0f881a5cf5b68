"""The life cycle that FastStream carries."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any

from faststream import FastStream
from faststream.kafka import KafkaBroker


class Unconnected(KafkaBroker):
    """A broker that never connects, since an application has to have one.

    What connects are the components of the process, each with its own way to wait for a broker that is down; a
    started KafkaBroker would end the process instead.
    """

    async def start(self) -> None:
        pass

    async def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        pass


def application(lifespan: Callable[[], AbstractAsyncContextManager[Any]]) -> FastStream:
    """A FastStream application for one process: `run()` lives until SIGTERM, SIGINT or `exit()`.

    `lifespan` starts the components and, after it is resumed, stops them. It has to enter at once, since signals
    are heeded from then on: what waits for a broker or a store goes into a task of its own.
    """
    return FastStream(Unconnected(logger=None), logger=None, lifespan=lifespan)
