"""The balance: what was taken in is done, in hand, or in the dead letters, and nothing is anywhere else.

Counters begin anew with each process, so the balance holds over a time in which no process was started; the
torture tests prove it to the record.
"""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard
from telemetry import names

from monitoring.panels import COUNT, PER_SECOND, SECONDS, board, figure, graph
from monitoring.promql import increase, quantile, rate, total, worst

_MAIL: Final = 'stream=~"mail[.]message[.].*"'
_FINAL: Final = 'outcome!="deferred"'


def dashboard() -> Dashboard:
    handled = increase(names.CONSUMED, _MAIL, 'outcome=~"done|dead"')
    ended = total(names.MAIL_OUTCOME, _FINAL)
    return board(
        "nothing-lost",
        "Nothing lost",
        "What was accepted, and where it is now: delivered, bounced, in hand, or a dead letter.",
        (
            "Mail",
            [
                figure("Accepted", COUNT, increase(names.MAIL_ACCEPTED)),
                figure("Routed", COUNT, handled),
                figure("Waits to be routed", COUNT, total(names.LAG, _MAIL)),
                figure("Recipients", COUNT, increase(names.MAIL_RECIPIENTS)),
                figure(
                    "Delivered, bounced, ...",
                    COUNT,
                    increase(names.MAIL_OUTCOME, _FINAL, by=("outcome",)),
                    legend="{{outcome}}",
                ),
                figure("In flight", COUNT, f"{total(names.MAIL_RECIPIENTS)} - ({ended} or vector(0))"),
                graph(
                    "In and out",
                    PER_SECOND,
                    ("accepted {{lane}}", rate(names.MAIL_ACCEPTED, by=("lane",))),
                    ("routed {{stream}}", rate(names.CONSUMED, _MAIL, by=("stream",))),
                ),
                graph(
                    "What became of recipients",
                    PER_SECOND,
                    ("{{lane}} {{outcome}}", rate(names.MAIL_OUTCOME, by=("lane", "outcome"))),
                ),
            ],
        ),
        (
            "Messages",
            [
                graph(
                    "Asked for, and what became of them",
                    PER_SECOND,
                    ("asked {{lane}}", rate(names.NOTIFICATION_REQUESTED, by=("lane",))),
                    (
                        "{{lane}} {{channel}} {{outcome}}",
                        rate(names.NOTIFICATION_OUTCOME, by=("lane", "channel", "outcome")),
                    ),
                ),
                graph(
                    "Providers, 95 % within",
                    SECONDS,
                    ("{{provider}}", quantile(0.95, names.PROVIDER, by=("provider",))),
                ),
            ],
        ),
        (
            "Events",
            [
                graph("Published", PER_SECOND, ("{{stream}}", rate(names.PUBLISHED, by=("stream",)))),
                graph("Settled", PER_SECOND, ("{{group}} {{stream}}", rate(names.CONSUMED, by=("group", "stream")))),
                graph("Not settled", COUNT, ("{{group}} {{stream}}", total(names.LAG, by=("group", "stream")))),
                graph(
                    "Age of the oldest in hand",
                    SECONDS,
                    ("{{group}} {{stream}}", worst(names.OLDEST, by=("group", "stream"))),
                ),
                graph(
                    "Age when settled, 99 % within",
                    SECONDS,
                    ("{{group}} {{stream}}", quantile(0.99, names.SETTLED_AGE, by=("group", "stream"))),
                ),
                graph(
                    "Keys that wait for a dependency",
                    COUNT,
                    ("{{group}} {{stream}}", total(names.WAITING, by=("group", "stream"))),
                ),
                graph(
                    "Failed attempts",
                    PER_SECOND,
                    ("{{group}} {{stream}} {{outcome}}", rate(names.RETRIED, by=("group", "stream", "outcome"))),
                ),
                graph("Read by followers", PER_SECOND, ("{{stream}}", rate(names.FOLLOWED, by=("stream",)))),
            ],
        ),
        (
            "Outboxes",
            [
                graph("Relayed", PER_SECOND, ("{{collection}}", rate(names.RELAYED, by=("collection",)))),
                graph(
                    "Age when published, 99 % within",
                    SECONDS,
                    ("{{collection}}", quantile(0.99, names.RELAY_LAG, by=("collection",))),
                ),
                graph("Oldest that waits", SECONDS, ("{{collection}}", worst(names.OUTBOX_OLDEST, by=("collection",)))),
                graph(
                    "Relays that lead",
                    COUNT,
                    ("{{job}} {{collection}}", total(names.RELAY_LEADER, by=("job", "collection"))),
                ),
            ],
        ),
        (
            "Dead letters",
            [
                graph(
                    "Written",
                    PER_SECOND,
                    ("{{group}} {{stream}} {{reason}}", rate(names.DEAD, by=("group", "stream", "reason"))),
                    about="`rossio dlq list` shows them, `rossio dlq redrive` puts them back.",
                ),
                graph(
                    "Not taken by their topic",
                    PER_SECOND,
                    ("{{group}} {{stream}}", rate(names.UNBURIED, by=("group", "stream"))),
                ),
                graph("Lines stopped", COUNT, ("{{group}} {{stream}}", worst(names.STOPPED, by=("group", "stream")))),
                graph(
                    "Audit: published, and put into chains",
                    PER_SECOND,
                    ("published", rate(names.PUBLISHED, 'stream="audit.v1"')),
                    ("chained", rate(names.AUDIT_CHAINED)),
                ),
            ],
        ),
    )
