"""The workers that settle what is ready."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext

import telemetry
from aiokafka.errors import KafkaError
from errors import Invalid
from telemetry import names, semconv

from messaging.envelope import Delivery, caused_by, read
from messaging.settle.lanes import Batch, Lane, Ready
from messaging.settle.letters import LetterBox, reason_of
from messaging.settle.verdict import Limit, Patience, Verdict, verdict
from messaging.settle.watermark import Handler, Item

log = telemetry.logger(__name__)


class Workers:
    """At most `concurrency` tasks that take batches of lanes until none is ready.

    A lane that waits holds no worker: a timer puts it back.
    """

    def __init__(
        self,
        stream: str,
        service: str,
        letters: LetterBox,
        *,
        batch: int,
        concurrency: int,
        patience: Patience,
        limit: Limit,
        room: Callable[[], None],
    ) -> None:
        self.ready = Ready(batch)
        self.asleep = 0
        self._stream = stream
        self._service = service
        self._letters = letters
        self._batch = batch
        self._concurrency = concurrency
        self._patience = patience
        self._limit = limit
        self._room = room
        self._tasks: set[asyncio.Task[None]] = set()
        self._metrics = _Metrics(stream, service)
        self._span_name = f"process {stream}"
        self._attributes = {
            semconv.MESSAGING_SYSTEM_NAME: "kafka",
            semconv.MESSAGING_OPERATION_TYPE: "process",
            semconv.MESSAGING_DESTINATION_NAME: stream,
            semconv.MESSAGING_CONSUMER_GROUP_NAME: f"{service}.{stream}",
        }

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self) -> None:
        """Starts as many workers as the ready lanes want."""
        wanted = -(-len(self.ready) // self._batch)
        for _ in range(min(wanted, self._concurrency - len(self._tasks))):
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def rest(self, seconds: float) -> None:
        """Waits until no worker has anything to do, at most so long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _work(self) -> None:
        task = asyncio.current_task()
        try:
            while self.ready:
                batch = self.ready.take()
                await self._settle(batch)
        finally:
            # Here and not only in the callback: that runs later, and spawn() would count a dead worker.
            self._tasks.discard(task)  # type: ignore[arg-type]

    async def _settle(self, batch: Batch) -> None:
        """One call of the handler, and what it means for each lane."""
        items = [item for _, part in batch.parts for item in part]
        error = await self._attempt(batch.handler, items)
        if error is None:
            self._metrics.done.inc(len(items))
            for lane, part in batch.parts:
                for _ in part:
                    self._limit.count(dead=False)
                self._go_on(lane, len(part))
        elif len(items) > 1:
            for lane, part in batch.parts:
                for item in part:
                    item.alone = True
                self._go_on(lane, 0)
        else:
            lane = batch.parts[0][0]
            wait = await self._judge(items[0], error)
            if wait:
                self._sleep(lane, wait)
            else:
                self._go_on(lane, 1)

    def _go_on(self, lane: Lane, settled: int) -> None:
        lane.settle(settled)
        if lane.partition.revoked:
            return
        if settled:
            self._room()
        if lane.items:
            self.ready.put(lane)

    def _sleep(self, lane: Lane, seconds: float) -> None:
        self.asleep += 1
        asyncio.get_running_loop().call_later(seconds, self._wake, lane)

    def _wake(self, lane: Lane) -> None:
        self.asleep -= 1
        if not lane.partition.revoked:
            self.ready.put(lane)
            self.spawn()

    async def _attempt(self, handler: Handler | None, items: Sequence[Item]) -> BaseException | None:
        """How the handler ended."""
        try:
            deliveries = [_delivery(item) for item in items]
            assert handler is not None  # noqa: S101 - else _delivery() has raised
            single = deliveries[0] if len(deliveries) == 1 else None
            with (
                telemetry.span(
                    self._span_name,
                    kind=telemetry.Kind.CONSUMER,
                    attributes=self._attributes,
                    parent=single.traceparent if single else None,
                    links=() if single else tuple(delivery.traceparent for delivery in deliveries),
                    done=self._metrics.handled,
                ),
                caused_by(single) if single else nullcontext(),
            ):
                async with asyncio.timeout(self._patience.attempt_seconds):
                    await handler(deliveries)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return error  # something inside was cancelled, not this attempt
        except Exception as error:  # noqa: BLE001 - the verdict says what each means
            return error
        return None

    async def _judge(self, item: Item, error: BaseException) -> float:
        """Seconds to wait until the next attempt; 0: it is in the dead letters, and so settled."""
        said = verdict(error)
        item.failures += said is not Verdict.WAIT
        if said is Verdict.REFUSE or (said is Verdict.REPEAT and item.failures >= self._patience.attempts):
            if not self._limit.reached:
                return await self._bury(item, error)
            self._metrics.stopped.set(1)
            log.error("too many dead letters: the line stops", stream=self._stream, service=self._service)
        self._metrics.retried[said].inc()
        item.waits += 1
        return self._patience.wait(item.waits - 1)

    async def _bury(self, item: Item, error: BaseException) -> float:
        try:
            await self._letters.put(item.record, error, max(1, item.failures))
        except KafkaError:
            log.exception("dead letter not written", stream=self._stream)
            item.waits += 1
            return self._patience.wait(item.waits - 1)
        telemetry.points.reached("messaging.dead-letter.written")
        self._limit.count(dead=True)
        self._metrics.dead(reason_of(error))
        log.warning("dead letter", stream=self._stream, reason=reason_of(error), offset=item.record.offset)
        return 0.0


class _Metrics:
    """The bound metrics of one consumer."""

    def __init__(self, stream: str, service: str) -> None:
        self._labels = {"stream": stream, "group": service}
        self.done = names.CONSUMED.bind(**self._labels, outcome="done")
        self._dead = names.CONSUMED.bind(**self._labels, outcome="dead")
        self.stopped = names.STOPPED.bind(**self._labels)
        self.retried = {said: names.RETRIED.bind(**self._labels, outcome=said.value) for said in Verdict}
        self._handled = {"ok": names.HANDLED.bind(**self._labels, outcome="ok")}

    def dead(self, reason: str) -> None:
        self._dead.inc()
        names.DEAD.bind(**self._labels, reason=reason).inc()

    def handled(self, _: str, seconds: float, outcome: str) -> None:
        spread = self._handled.get(outcome)
        if spread is None:
            spread = self._handled[outcome] = names.HANDLED.bind(**self._labels, outcome=outcome)
        spread.observe(seconds)


def _delivery(item: Item) -> Delivery:
    if item.message_type is None:
        raise Invalid("its type cannot be read", reason="TYPE_UNREADABLE")
    return read(item.record, item.message_type, item.waits + 1)


__all__ = ["Awaitable", "Workers"]
