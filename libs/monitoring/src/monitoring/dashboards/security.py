"""What somebody tried who may not, and whether those who watch can still see."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard
from telemetry import names
from telemetry.metrics import REFUSED

from monitoring.panels import COUNT, PER_SECOND, SHARE, board, figure, graph
from monitoring.promql import increase, rate, total

_FORGED: Final = 'outcome="forged"'
_TURNED_AWAY: Final = 'rpc_status_code=~"UNAUTHENTICATED|PERMISSION_DENIED"'


def dashboard() -> Dashboard:
    return board(
        "security",
        "Security",
        "Callers, mails and receipts that were turned away, and the audit that says who did what.",
        (
            "Now",
            [
                figure(
                    "Callers turned away",
                    SHARE,
                    f"({rate(names.RPC_SERVER, _TURNED_AWAY, part='_count')} or vector(0))"
                    f" / {rate(names.RPC_SERVER, part='_count')}",
                ),
                figure("Audit records chained", COUNT, increase(names.AUDIT_CHAINED)),
                figure("Audit records that wait", COUNT, total(names.LAG, 'stream="audit.v1"')),
                figure("Forged receipts", COUNT, f"{increase(names.NOTIFICATION_RECEIPTS, _FORGED)} or vector(0)"),
                figure("Withheld from telemetry", COUNT, f"{increase(REFUSED)} or vector(0)"),
                figure("SMTP sessions", COUNT, total(names.SMTP_SESSIONS)),
            ],
        ),
        (
            "Turned away",
            [
                graph(
                    "Calls without or beyond rights",
                    PER_SECOND,
                    (
                        "{{job}} {{rpc_method}} {{rpc_status_code}}",
                        rate(
                            names.RPC_SERVER, _TURNED_AWAY, by=("job", "rpc_method", "rpc_status_code"), part="_count"
                        ),
                    ),
                ),
                graph(
                    "Calls for what is not theirs, or not there",
                    PER_SECOND,
                    (
                        "{{job}} {{rpc_method}}",
                        rate(names.RPC_SERVER, 'rpc_status_code="NOT_FOUND"', by=("job", "rpc_method"), part="_count"),
                    ),
                ),
                graph(
                    "Refused calls by entity",
                    PER_SECOND,
                    ("{{entity}}", rate(names.RPC_BY_ENTITY, 'outcome="refused"', by=("entity",))),
                ),
                graph(
                    "Mails and recipients refused", PER_SECOND, ("{{reason}}", rate(names.MAIL_REFUSED, by=("reason",)))
                ),
                graph(
                    "Receipts of providers",
                    PER_SECOND,
                    ("{{channel}} {{outcome}}", rate(names.NOTIFICATION_RECEIPTS, by=("channel", "outcome"))),
                ),
            ],
        ),
        (
            "Audit",
            [
                graph(
                    "Published, and put into chains",
                    PER_SECOND,
                    ("published by {{job}}", rate(names.PUBLISHED, 'stream="audit.v1"', by=("job",))),
                    ("chained", rate(names.AUDIT_CHAINED)),
                ),
                graph(
                    "Withheld from telemetry", PER_SECOND, ("{{job}} {{target}}", rate(REFUSED, by=("job", "target")))
                ),
            ],
        ),
    )
