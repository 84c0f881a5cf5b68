"""What the suite promises those who use it, in figures: the service level objectives.

An objective is a share of good events over thirty days. From it come the recording rules and the burn-rate alerts
(burn.py) and the dashboard (dashboards/objectives.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from telemetry import names
from telemetry.metrics import Instrument

from monitoring.promql import rate

SERVER_FAULTS: Final = "UNKNOWN|INTERNAL|DEADLINE_EXCEEDED|UNAVAILABLE"
_STREAMS: Final = 'rpc_method!~".+/(Watch.*|Upload.*|Download.*|Import.*|Trace.*)"'

Series = Mapping[str, str]
"""Series and their samples, as promtool's tests write them: "0+10x60" counts ten a step for sixty steps."""


class Measure(Protocol):
    """What tells good events from bad ones."""

    def bad(self, window: str) -> str:
        """Bad events a second."""
        ...

    def all(self, window: str) -> str:
        """Events a second."""
        ...

    def sample(self, good: int, bad: int, steps: int) -> Series:
        """Series of so many good and bad events a step."""
        ...


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Events are bad by the value of a label."""

    metric: Instrument[Any]
    label: str
    bad_values: str
    by: tuple[str, ...]
    where: tuple[str, ...] = ()

    def bad(self, window: str) -> str:
        return self._rate(window, f'{self.label}=~"{self.bad_values}"')

    def all(self, window: str) -> str:
        return self._rate(window)

    def _rate(self, window: str, *matchers: str) -> str:
        return rate(self.metric, *self.where, *matchers, by=self.by, part="_count", window=window, scope=())

    def sample(self, good: int, bad: int, steps: int) -> Series:
        values = {self.bad_values.partition("|")[0]: bad, "fine": good}
        return {
            _series(f"{self.metric.name}_count", self.where, f'{self.label}="{value}"'): f"0+{number}x{steps}"
            for value, number in values.items()
        }


@dataclass(frozen=True, slots=True)
class Within:
    """Events are bad when they take longer than a bound of the histogram's buckets, in seconds."""

    metric: Instrument[Any]
    seconds: float
    by: tuple[str, ...]
    where: tuple[str, ...] = ()

    def bad(self, window: str) -> str:
        within = rate(
            self.metric, *self.where, f'le="{self.seconds}"', by=self.by, part="_bucket", window=window, scope=()
        )
        return f"({self.all(window)} - {within})"

    def all(self, window: str) -> str:
        return rate(self.metric, *self.where, by=self.by, part="_count", window=window, scope=())

    def sample(self, good: int, bad: int, steps: int) -> Series:
        return {
            _series(f"{self.metric.name}_count", self.where): f"0+{good + bad}x{steps}",
            _series(f"{self.metric.name}_bucket", self.where, f'le="{self.seconds}"'): f"0+{good}x{steps}",
        }


@dataclass(frozen=True, slots=True)
class Objective:
    """A promise."""

    name: str
    """A word with hyphens, the value of the label `slo`."""
    sentence: str
    target: float
    """The share of good events over thirty days."""
    measure: Measure

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return round(1 - self.target, 9)

    @property
    def alert(self) -> str:
        """The name of its alerts, and of their runbook."""
        return "".join(word.capitalize() for word in self.name.split("-")) + "Burns"


OBJECTIVES: Final[Sequence[Objective]] = (
    Objective(
        "call-availability",
        "Of a service's calls, 99.9 % end without a fault of the server.",
        0.999,
        Outcomes(names.RPC_SERVER, "rpc_status_code", SERVER_FAULTS, ("job",)),
    ),
    Objective(
        "call-latency",
        "Of a service's calls that are no streams, 99 % are answered within 250 ms.",
        0.99,
        Within(names.RPC_SERVER, 0.25, ("job",), (_STREAMS,)),
    ),
    Objective(
        "mail-acceptance",
        "Of the mails that are handed in, 99.95 % are made durable at the first try, or refused for the sender's sake.",
        0.9995,
        Outcomes(names.OPERATION, "outcome", "transient|bug", ("job",), ('operation="mail.accept"',)),
    ),
    Objective(
        "event-freshness",
        "Of the batches of events, 99 % are settled within 30 s of their oldest record.",
        0.99,
        Within(names.SETTLED_AGE, 30.0, ("job", "stream")),
    ),
    Objective(
        "urgent-freshness",
        "Of the urgent mails and emergency messages, 99.9 % are settled within 10 s.",
        0.999,
        Within(names.SETTLED_AGE, 10.0, ("job", "stream"), ('stream=~".+[.](urgent|emergency)[.]v1"',)),
    ),
    Objective(
        "outbox-freshness",
        "Of the facts that services record, 99.9 % are published within 10 s.",
        0.999,
        Within(names.RELAY_LAG, 10.0, ("job",)),
    ),
)


def _series(name: str, where: Sequence[str], *labels: str) -> str:
    """A series that the matchers of an objective select."""
    given = filter(None, (_example(matcher) for matcher in where))
    inside = ",".join(('job="probe"', *given, *labels))
    return f"{name}{{{inside}}}"


def _example(matcher: str) -> str:
    if "!~" in matcher:
        return ""
    return 'stream="mail.message.urgent.v1"' if matcher.startswith("stream=~") else matcher
