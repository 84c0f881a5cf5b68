"""Alerts on what the objectives see too late, or not at all: things that stand still, and things that must not be.

Each says with which series it fires and with which it stays silent, which promtool tries (tests/test_rules.py), and
has a page in docs/runbooks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from telemetry import names
from telemetry.metrics import REFUSED, Instrument

from monitoring.burn import Rule
from monitoring.objectives import Series

SERVICES: Final = "directory|mail-routing|document|news|notification|governance"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; `fires` and `silent` are series with a sample a minute."""

    name: str
    severity: Literal["page", "ticket"]
    expr: str
    hold: str
    """How long it has to hold before it is one."""
    summary: str
    fires: Series
    silent: Series

    def rule(self) -> Rule:
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.hold,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "runbook": f"docs/runbooks/{self.name}.md"},
        }


def rules() -> Sequence[Rule]:
    return [alert.rule() for alert in ALERTS]


def _new(metric: Instrument[Any], by: str, matchers: str = "", window: str = "15m") -> str:
    """Whether a counter has counted lately; also one that is new, to which `increase` is blind."""
    series = f"{metric.name}{matchers}"
    return f"sum by ({by}) (({series} unless {series} offset {window}) or increase({series}[{window}])) > 0"


def _labelled(metric: Instrument[Any], **labels: str) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in {"job": "news", "instance": "a", **labels}.items())
    return f"{metric.name}{{{inside}}}"


def _calls(provider: str, outcome: str) -> str:
    return _labelled(names.PROVIDER, provider=provider, outcome=outcome).replace("{", "_count{")


_GROUP: Final = {"stream": "news.post.v1", "group": "notification"}
_URGENT: Final = {"stream": "mail.message.urgent.v1", "group": "mail-routing"}
_NEVER: Final = "0x60"
_CALLS: Final = f"{names.RPC_SERVER.name}_count"
# Calls to providers of ours: a browser's push service or somebody's program may be away for long.
_TO_PROVIDERS: Final = f'{names.PROVIDER.name}_count{{provider!~"web-push|webhook"'
_TURNED_AWAY: Final = '{rpc_status_code=~"UNAUTHENTICATED|PERMISSION_DENIED"}'

ALERTS: Final[Sequence[Alert]] = (
    Alert(
        "ProcessGone",
        "page",
        f'up{{job=~"{SERVICES}"}} == 0',
        "5m",
        "A process of {{ $labels.job }} does not answer its scrape",
        {'up{job="news",instance="a"}': "1x5 0x55"},
        {'up{job="news",instance="a"}': "1x10 0x2 1x48", 'up{job="someone-else",instance="b"}': _NEVER},
    ),
    Alert(
        "ProcessNotReady",
        "page",
        f"min by (job, instance, check) ({names.READY.name}) == 0",
        "5m",
        "{{ $labels.check }} of {{ $labels.job }} is not ready",
        {_labelled(names.READY, check="store"): "1x5 0x55"},
        {_labelled(names.READY, check="store"): "1x10 0x2 1x48"},
    ),
    Alert(
        "OutboxWaits",
        "page",
        f"max by (job, collection) ({names.OUTBOX_OLDEST.name}) > 60",
        "2m",
        "Facts of {{ $labels.job }} are recorded and not published: Kafka does not take them",
        {_labelled(names.OUTBOX_OLDEST, collection="posts"): "0x5 0+60x55"},
        {_labelled(names.OUTBOX_OLDEST, collection="posts"): "0x5 70 0 50x53"},
    ),
    Alert(
        "OutboxHasNoRelay",
        "page",
        f"sum by (job, collection) ({names.RELAY_LEADER.name}) == 0",
        "5m",
        "No process of {{ $labels.job }} publishes what is recorded",
        {
            _labelled(names.RELAY_LEADER, collection="posts"): "1x5 0x55",
            _labelled(names.RELAY_LEADER, collection="posts", instance="b"): _NEVER,
        },
        {
            _labelled(names.RELAY_LEADER, collection="posts"): "1x5 0x55",
            _labelled(names.RELAY_LEADER, collection="posts", instance="b"): "0x6 1x54",
        },
    ),
    Alert(
        "ConsumerStuck",
        "page",
        f"max by (job, stream) ({names.OLDEST.name}) > 300",
        "5m",
        "{{ $labels.job }} does not get on with {{ $labels.stream }}",
        {_labelled(names.OLDEST, **_GROUP): "0x5 0+60x55"},
        {_labelled(names.OLDEST, **_GROUP): "0x5 400x3 0x52"},
    ),
    Alert(
        "UrgentWaits",
        "page",
        f'max by (job, stream) ({names.OLDEST.name}{{stream=~".+[.](urgent|emergency)[.]v1"}}) > 30',
        "1m",
        "Urgent work waits in {{ $labels.stream }}",
        {_labelled(names.OLDEST, **_URGENT): "0x5 0+60x55"},
        {_labelled(names.OLDEST, **_URGENT): "0x5 40 0x54", _labelled(names.OLDEST, **_GROUP): "0x5 100x55"},
    ),
    Alert(
        "BacklogGrows",
        "ticket",
        f"sum by (job, stream) ({names.LAG.name}) > 10000\n"
        f"and sum by (job, stream) ({names.LAG.name}) > sum by (job, stream) ({names.LAG.name} offset 15m)",
        "15m",
        "{{ $labels.job }} is slower than what comes on {{ $labels.stream }}",
        {_labelled(names.LAG, **_GROUP, partition="0"): "0+1000x60"},
        {_labelled(names.LAG, **_GROUP, partition="0"): "60000-1000x60"},
    ),
    Alert(
        "LineStopped",
        "page",
        f"max by (job, stream) ({names.STOPPED.name}) == 1",
        "1m",
        "{{ $labels.job }} fails at so much of {{ $labels.stream }} that it stopped",
        {_labelled(names.STOPPED, **_GROUP): "0x5 1x55"},
        {_labelled(names.STOPPED, **_GROUP): "0x5 1 0x54"},
    ),
    Alert(
        "DeadLetters",
        "ticket",
        _new(names.DEAD, "job, stream, reason"),
        "0s",
        "{{ $labels.job }} could not settle records of {{ $labels.stream }}: {{ $labels.reason }}",
        {_labelled(names.DEAD, **_GROUP, reason="BUG"): "_x20 1x40"},
        {_labelled(names.DEAD, **_GROUP, reason="BUG"): "7x60"},
    ),
    Alert(
        "DeadLettersRefused",
        "page",
        f"sum by (job, stream) (increase({names.UNBURIED.name}[5m])) > 0",
        "2m",
        "The dead letters of {{ $labels.stream }} take no more, and its records wait",
        {_labelled(names.UNBURIED, **_GROUP): "0x5 0+3x55"},
        {_labelled(names.UNBURIED, **_GROUP): "5x60"},
    ),
    Alert(
        "CallersTurnedAway",
        "ticket",
        f"sum by (job) (rate({_CALLS}{_TURNED_AWAY}[10m])) > 0.2 * sum by (job) (rate({_CALLS}[10m])) > 1",
        "10m",
        "{{ $labels.job }} turns away more than a fifth of its callers",
        {
            _labelled(names.RPC_SERVER, rpc_status_code="OK").replace("{", "_count{"): "0+60x60",
            _labelled(names.RPC_SERVER, rpc_status_code="UNAUTHENTICATED").replace("{", "_count{"): "0+600x60",
        },
        {
            _labelled(names.RPC_SERVER, rpc_status_code="OK").replace("{", "_count{"): "0+600x60",
            _labelled(names.RPC_SERVER, rpc_status_code="UNAUTHENTICATED").replace("{", "_count{"): "0+60x60",
        },
    ),
    Alert(
        "ProviderFails",
        "page",
        f'sum by (job, provider) (rate({_TO_PROVIDERS},outcome="transient"}}[10m]))\n'
        f"> 0.5 * sum by (job, provider) (rate({_TO_PROVIDERS}}}[10m]))",
        "5m",
        "{{ $labels.provider }} takes less than half of what {{ $labels.job }} gives it, and messages wait",
        {_calls("sms-http", "transient"): "0+3x60", _calls("sms-http", "ok"): "0+1x60"},
        {
            _calls("sms-http", "transient"): "0+1x60",
            _calls("sms-http", "ok"): "0+3x60",
            _calls("webhook", "transient"): "0+9x60",
        },
    ),
    Alert(
        "ForgedReceipts",
        "ticket",
        _new(names.NOTIFICATION_RECEIPTS, "job, channel", '{outcome="forged"}'),
        "0s",
        "Somebody sends receipts of {{ $labels.channel }} that no provider signed",
        {_labelled(names.NOTIFICATION_RECEIPTS, channel="sms", outcome="forged"): "_x20 1x40"},
        {_labelled(names.NOTIFICATION_RECEIPTS, channel="sms", outcome="taken"): "0+9x60"},
    ),
    Alert(
        "TracesDropped",
        "ticket",
        f"sum by (job) (increase({names.SPANS_DROPPED.name}[15m])) > 0",
        "15m",
        "{{ $labels.job }} gives spans up: the collector is away or too slow",
        {_labelled(names.SPANS_DROPPED): "0x5 0+50x55"},
        {_labelled(names.SPANS_DROPPED): "0x5 50x55"},
    ),
    Alert(
        "TelemetryRefused",
        "ticket",
        _new(REFUSED, "job, target"),
        "0s",
        "{{ $labels.job }} puts something into {{ $labels.target }} that may not be there",
        {_labelled(REFUSED, target="rossio_mail_refused_total"): "_x20 1x40"},
        {_labelled(REFUSED, target="rossio_mail_refused_total"): "1x60"},
    ),
)
