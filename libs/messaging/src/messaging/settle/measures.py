"""What a consumer tells about itself."""

import time
from collections.abc import Mapping, Sequence

import telemetry
from aiokafka import TopicPartition
from telemetry import names

from messaging.settle.item import Item
from messaging.settle.lanes import Partition
from messaging.settle.verdict import Verdict

log = telemetry.logger(__name__)


class Measures:
    """The metrics of one stream and service, bound in advance."""

    def __init__(self, stream: str, service: str) -> None:
        self._labels = {"stream": stream, "group": service}
        self._done = names.CONSUMED.bind(**self._labels, outcome="done")
        self._age = names.SETTLED_AGE.bind(**self._labels)
        self.unknown = names.CONSUMED.bind(**self._labels, outcome="unknown")
        self.batch = names.BATCH.bind(**self._labels)
        self.retried = {said: names.RETRIED.bind(**self._labels, outcome=said.value) for said in Verdict}
        self.unburied = names.UNBURIED.bind(**self._labels)
        self._dead = names.CONSUMED.bind(**self._labels, outcome="dead")
        self._handled = {"ok": names.HANDLED.bind(**self._labels, outcome="ok")}
        self._oldest = names.OLDEST.bind(**self._labels)
        self._waiting = names.WAITING.bind(**self._labels)
        self._stopped = names.STOPPED.bind(**self._labels)
        self._was_stopped = False

    def done(self, items: Sequence[Item]) -> None:
        """A batch is done; its records' timestamps are milliseconds since 1970."""
        self._done.inc(len(items))
        oldest = items[0].record.timestamp
        if len(items) > 1:
            oldest = min(item.record.timestamp for item in items)
        self._age.observe(max(0.0, time.time() - oldest / 1000))

    def dead(self, reason: str) -> None:
        self._dead.inc()
        names.DEAD.bind(**self._labels, reason=reason).inc()

    def handled(self, seconds: float, failure: BaseException | None) -> None:
        outcome = telemetry.outcome_of(failure)
        spread = self._handled.get(outcome)
        if spread is None:
            spread = self._handled[outcome] = names.HANDLED.bind(**self._labels, outcome=outcome)
        spread.observe(seconds)

    def lag(self, at: TopicPartition, records: int) -> None:
        names.LAG.bind(**self._labels, partition=str(at.partition)).set(records)

    def report(self, partitions: Mapping[TopicPartition, Partition], *, waiting: int, stopped: bool) -> None:
        """How the consumer stands, once in a while."""
        oldest = [item.record.timestamp for each in partitions.values() if (item := each.watermark.oldest)]
        self._oldest.set(max(0.0, time.time() - min(oldest) / 1000) if oldest else 0)
        self._waiting.set(waiting)
        self._stopped.set(stopped)
        if stopped and not self._was_stopped:
            log.error("too many dead letters: the line stops, and the rest waits", stream=self._labels["stream"])
        self._was_stopped = stopped
