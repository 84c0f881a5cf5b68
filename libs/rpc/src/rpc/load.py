"""The calls that a server has in hand, and the ending of those that do not end by themselves."""

import asyncio
import time
from typing import Any

from errors import Exhausted, Transient
from telemetry.background import end, keep

from rpc.failures import OUT_OF_TIME, Failure, failure_of
from rpc.identity import Call, Caller

_SWEEP = 0.05
"""Seconds between two looks for calls that are out of time."""
_ANSWERED = 2.0
"""Seconds that the calls that are ended for a drain may take to be answered."""
_DRAINING = failure_of(Transient("the server is going down; call again", reason="DRAINING"))


class Load:
    """The calls in hand.

    One task looks after all deadlines: a timer for each call would cost more than the rest of the
    interceptor, because nearly every timer is cancelled and yet stays in the loop's heap.
    """

    def __init__(self, most: int) -> None:
        """`most` calls are taken at once. (gRPC's own limit costs a callback for each call.)"""
        self.draining = asyncio.Event()
        self._most = most
        self._calls: dict[Call, asyncio.Task[Any]] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._calls)

    async def start(self) -> None:
        self._sweeper = keep("rpc deadlines", self._sweep())

    async def stop(self) -> None:
        await end(self._sweeper)

    def begin(self, caller: Caller, method: str, ends_at: float | None) -> Call:
        """Notes that the current task works on a call.

        Raises:
            Exhausted: as many calls are in hand as are taken at once.
        """
        if len(self._calls) >= self._most:
            raise Exhausted("the server has too many calls in hand; call again", reason="OVERLOADED")
        task = asyncio.current_task()
        assert task is not None
        call = Call(caller, method, ends_at)
        self._calls[call] = task
        if ends_at is None and self.draining.is_set():
            _end(call, task, _DRAINING)
        return call

    def end(self, call: Call) -> Failure | None:
        """Takes the work on a call as done; returns how the server has ended it before, if it has."""
        task = self._calls.pop(call)
        if call.ended is not None:
            task.uncancel()
        return call.ended

    async def drain(self) -> None:
        """Ends the calls that have no deadline, such as a watch of an inbox; their callers come again.

        It returns when they are answered: a connection that closes earlier takes the reason with it.
        """
        self.draining.set()
        endless = {call: task for call, task in self._calls.items() if call.ends_at is None}
        for call, task in endless.items():
            _end(call, task, _DRAINING)
        if endless:
            await asyncio.wait(endless.values(), timeout=_ANSWERED)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            now = time.monotonic()
            for call, task in self._calls.items():
                if call.ends_at is not None and call.ends_at <= now:
                    _end(call, task, OUT_OF_TIME)


def _end(call: Call, task: asyncio.Task[Any], failure: Failure) -> None:
    """Cancels the work on a call, once; the interceptor then answers with the failure."""
    if call.ended is None:
        call.ended = failure
        task.cancel()
