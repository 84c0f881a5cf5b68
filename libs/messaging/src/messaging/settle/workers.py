"""The workers that settle what is ready."""

import asyncio
import time
from collections.abc import Callable, Sequence

import telemetry
from telemetry import semconv

from messaging.catalogue import Stream
from messaging.envelope import Delivery, cause, read, redriven
from messaging.letter import reason_of
from messaging.settle.item import Handler, Item
from messaging.settle.lanes import Heads, Lane, Ready
from messaging.settle.letters import LetterBox
from messaging.settle.limit import Limit
from messaging.settle.measures import Measures
from messaging.settle.verdict import Patience, Verdict, verdict

log = telemetry.logger(__name__)

_CONSUMER = telemetry.Kind.CONSUMER
_SOON = 0.5
"""Seconds within which a lane that wakes is waited for."""


class Workers:
    """At most `concurrency` tasks, each of which takes batches until no lane is ready.

    A lane that waits holds no worker: a timer puts it back.
    """

    def __init__(
        self,
        stream: Stream,
        service: str,
        letters: LetterBox,
        measures: Measures,
        *,
        batch: int,
        concurrency: int,
        patience: Patience,
        limit: Limit,
        room: Callable[[], None],
    ) -> None:
        """`room` is called when records were settled, so that there is room for others."""
        self.ready = Ready(batch)
        self._asleep: dict[Lane, float] = {}
        self._letters = letters
        self._measures = measures
        self._concurrency = concurrency
        self._patience = patience
        self._limit = limit
        self._room = room
        self._starting = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._since: dict[asyncio.Task[None], float] = {}
        self._overdue: set[asyncio.Task[None]] = set()
        self._span = f"process {stream.name}"
        self._attributes = {
            semconv.MESSAGING_SYSTEM_NAME: "kafka",
            semconv.MESSAGING_OPERATION_TYPE: "process",
            semconv.MESSAGING_DESTINATION_NAME: stream.name,
            semconv.MESSAGING_CONSUMER_GROUP_NAME: stream.group(service),
        }

    def spawn(self) -> None:
        """Starts a worker when lanes are ready; it starts the next one as soon as it has its first batch.

        So a handler that awaits nothing needs one task for everything, in place of one for every other event.
        """
        if not self._starting and self.ready and len(self._tasks) < self._concurrency:
            self._starting = True
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    @property
    def asleep(self) -> int:
        """Lanes that wait for their next attempt."""
        return len(self._asleep)

    async def rest(self, seconds: float) -> None:
        """Returns when nothing is being done, after so many seconds at the latest.

        Lanes that are about to wake are waited for: what is settled behind their heads would else be done again.
        """
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=until - now)
            elif min(self._asleep.values(), default=until) < now + _SOON:
                await asyncio.sleep(0.01)
            else:
                break

    def forget(self) -> None:
        """Nothing new is begun of what is here: its partitions are gone."""
        self.ready.clear()
        self._asleep.clear()

    def cancel(self) -> None:
        """Breaks off what the workers do."""
        self._starting = False
        for task in self._tasks:
            task.cancel()

    async def watch(self) -> None:
        """Breaks off attempts that take too long. One loop for all: a timeout for each would cost 5 us an event."""
        while True:
            await asyncio.sleep(self._patience.attempt / 10)
            begun = time.monotonic() - self._patience.attempt
            for task, since in self._since.items():
                if since < begun and task not in self._overdue:
                    self._overdue.add(task)
                    task.cancel()

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._starting = False
        try:
            while self.ready:
                handler, items, heads = self.ready.take()
                self.spawn()
                error = await self._attempt(task, handler, items)
                if error is None:
                    self._done(items, heads)
                elif len(items) > 1:
                    self._part(items, heads)
                else:
                    await self._judge(heads[0][0], items[0], error)
        finally:
            # Here, not only in the callback: that runs later, and spawn() would count a worker that is gone.
            self._tasks.discard(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a worker died, which is a bug, and its lanes stand still", exc=error)

    def _done(self, items: Sequence[Item], heads: Heads) -> None:
        telemetry.points.reached("messaging.handled")
        self._measures.done(items)
        self._limit.done(len(items))
        for lane, count in heads:
            self._go_on(lane, count)

    def _part(self, items: Sequence[Item], heads: Heads) -> None:
        """Each record of a batch that failed is tried by itself, so that one does not hold up or condemn the others."""
        for item in items:
            item.alone = True
        for lane, _ in heads:
            self._go_on(lane, 0)

    def _go_on(self, lane: Lane, settled: int) -> None:
        lane.settle(settled)
        if not lane.partition.revoked:
            self._room()
            if lane.items:
                self.ready.put(lane)

    def _sleep(self, lane: Lane, item: Item) -> None:
        seconds = self._patience.wait(item.waits)
        item.waits += 1
        self._asleep[lane] = time.monotonic() + seconds
        asyncio.get_running_loop().call_later(seconds, self._wake, lane)

    def _wake(self, lane: Lane) -> None:
        self._asleep.pop(lane, None)
        if not lane.partition.revoked:
            self.ready.put(lane)
            self.spawn()

    async def _attempt(
        self, task: asyncio.Task[None], handler: Handler | None, items: Sequence[Item]
    ) -> BaseException | None:
        """How one call of the handler ended. (One coroutine, since each costs an event 0.2 us.)"""
        if handler is None:
            return items[0].refusal
        self._since[task] = started = time.monotonic()
        try:
            deliveries = [_delivery(item) for item in items]
            span = self._entered(deliveries)
            failure: BaseException | None = None
            try:
                await handler(deliveries)
            except BaseException as error:
                failure = error
                raise
            finally:
                self._measures.handled(time.monotonic() - started, failure)
                telemetry.finish(span, failure)
        except asyncio.CancelledError as error:
            if task in self._overdue:
                return TimeoutError("the attempt took too long")
            if task.cancelling():
                raise
            return error  # Something inside was cancelled, not this attempt.
        except Exception as error:  # noqa: BLE001 - the verdict says what each means
            return error
        finally:
            del self._since[task]
            if task in self._overdue:
                self._overdue.remove(task)
                task.uncancel()
        return None

    def _entered(self, deliveries: Sequence[Delivery]) -> telemetry.Span:
        """One event goes on in its publisher's trace; several are linked from a trace of their own.

        Trace and cause are not taken back: a worker's context is its own, and its next attempt sets them anew.
        """
        single = deliveries[0] if len(deliveries) == 1 else None
        span = self._alone(single) if single else self._of_batch(deliveries)
        telemetry.enter(span)
        cause.set(single)
        return span

    def _alone(self, delivery: Delivery) -> telemetry.Span:
        return telemetry.begin(self._span, kind=_CONSUMER, attributes=self._attributes, parent=delivery.traceparent)

    def _of_batch(self, deliveries: Sequence[Delivery]) -> telemetry.Span:
        self._measures.batch.observe(len(deliveries))
        links = [each.traceparent for each in deliveries if each.traceparent.endswith("-01")]
        span = telemetry.begin(self._span, kind=_CONSUMER, attributes=self._attributes, parent="", links=links)
        span.set(semconv.MESSAGING_BATCH_MESSAGE_COUNT, len(deliveries))
        return span

    async def _judge(self, lane: Lane, item: Item, error: BaseException) -> None:
        """What becomes of a record by itself whose attempt failed."""
        said = verdict(error)
        item.failures += said is not Verdict.WAIT
        final = said is Verdict.REFUSE or (said is Verdict.REPEAT and item.failures >= self._patience.attempts)
        if final and self._limit.take() and await self._bury(item, error):
            self._go_on(lane, 1)
        else:
            self._measures.retried[said].inc()
            self._sleep(lane, item)

    async def _bury(self, item: Item, error: BaseException) -> bool:
        """Whether the record is in the dead letters."""
        try:
            await self._letters.put(item.record, error, max(1, item.failures))
        except Exception:
            log.exception("dead letter not written")
            self._measures.unburied.inc()
            self._limit.give_back()
            return False
        telemetry.points.reached("messaging.dead_letter.written")
        self._measures.dead(reason_of(error))
        log.warning(
            "dead letter",
            stream=item.record.topic,
            partition=item.record.partition,
            offset=item.record.offset,
            reason=reason_of(error),
            error_type=type(error).__name__,
        )
        return True


def _delivery(item: Item) -> Delivery:
    first = item.fresh and not item.waits and not item.alone and not redriven(item.record)
    return read(item.record, item.message_type, item.waits + 1, fresh=first)
