"""The life cycle that FastStream carries."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any

from faststream import FastStream
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from messaging.asyncapi import declare
from messaging.catalogue import catalogue


class Declared(KafkaBroker):
    """A broker that says which streams there are, for the AsyncAPI document, and never connects.

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


def application(
    service: str, lifespan: Callable[[], AbstractAsyncContextManager[Any]], *, version: str = "0"
) -> FastStream:
    """A FastStream application for one service: `run()` lives until SIGTERM, SIGINT or `exit()`.

    `lifespan` starts the components and, after it is resumed, stops them. It has to enter at once, since signals
    are heeded from then on: what waits for a broker or a store goes into a task of its own.
    """
    broker = Declared(logger=None)
    for stream in catalogue().streams.values():
        declare(broker, stream, service=service)
    return FastStream(
        broker,
        logger=None,
        lifespan=lifespan,
        specification=AsyncAPI(broker, title=f"Rossio {service}", version=version),
    )
