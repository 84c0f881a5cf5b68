"""One service: rate, errors and duration of all that it does, and what it rests on."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard
from telemetry import names

from monitoring.objectives import SERVER_FAULTS
from monitoring.panels import BYTES, COUNT, PER_SECOND, SECONDS, SHARE, board, figure, graph
from monitoring.promql import INSTANCE, SERVICE, WINDOW, quantile, rate, total, worst

_SCOPE: Final = f"{{{SERVICE},{INSTANCE}}}"
_FAULTS: Final = f'rpc_status_code=~"{SERVER_FAULTS}"'


def dashboard() -> Dashboard:
    calls = rate(names.RPC_SERVER, part="_count")
    return board(
        "service",
        "Service",
        "Rate, errors and duration of one service, from its calls down to its store.",
        (
            "Now",
            [
                figure("Calls", PER_SECOND, calls),
                figure("Faults", SHARE, f"({rate(names.RPC_SERVER, _FAULTS, part='_count')} or vector(0)) / {calls}"),
                figure("Calls at work", COUNT, total(names.RPC_IN_FLIGHT)),
                figure("Not ready", COUNT, f"count(({names.READY.name}{_SCOPE}) == 0) or vector(0)"),
                figure("Processes", COUNT, f"count({names.BUILD.name}{_SCOPE})"),
                figure("Version", COUNT, total(names.BUILD, by=("version",)), legend="{{version}}"),
            ],
        ),
        (
            "Calls",
            [
                graph(
                    "Rate", PER_SECOND, ("{{rpc_method}}", rate(names.RPC_SERVER, by=("rpc_method",), part="_count"))
                ),
                graph(
                    "Not OK",
                    PER_SECOND,
                    (
                        "{{rpc_method}} {{rpc_status_code}}",
                        rate(
                            names.RPC_SERVER,
                            'rpc_status_code!="OK"',
                            by=("rpc_method", "rpc_status_code"),
                            part="_count",
                        ),
                    ),
                ),
                graph(
                    "Duration",
                    SECONDS,
                    *((f"p{share * 100:g}", quantile(share, names.RPC_SERVER)) for share in (0.5, 0.95, 0.99)),
                    about="A point is one call, and leads to its trace.",
                ),
                graph(
                    "Calls to others, 95 % within",
                    SECONDS,
                    ("{{rpc_method}}", quantile(0.95, names.RPC_CLIENT, by=("rpc_method",))),
                ),
            ],
        ),
        (
            "Operations",
            [
                graph(
                    "Rate and how they ended",
                    PER_SECOND,
                    ("{{operation}} {{outcome}}", rate(names.OPERATION, by=("operation", "outcome"), part="_count")),
                ),
                graph(
                    "Duration, 95 % within",
                    SECONDS,
                    ("{{operation}}", quantile(0.95, names.OPERATION, by=("operation",))),
                ),
            ],
        ),
        (
            "Events",
            [
                graph(
                    "Settled",
                    PER_SECOND,
                    ("{{stream}} {{outcome}}", rate(names.CONSUMED, by=("stream", "outcome"))),
                ),
                graph("Handling, 95 % within", SECONDS, ("{{stream}}", quantile(0.95, names.HANDLED, by=("stream",)))),
                graph(
                    "Records a batch, half within", COUNT, ("{{stream}}", quantile(0.5, names.BATCH, by=("stream",)))
                ),
                graph(
                    "Publishing, 95 % within", SECONDS, ("{{stream}}", quantile(0.95, names.PUBLISH, by=("stream",)))
                ),
            ],
        ),
        (
            "What it rests on",
            [
                graph(
                    "Store, 95 % within",
                    SECONDS,
                    (
                        "{{collection}} {{operation}}",
                        quantile(0.95, names.STORE, by=("collection", "operation")),
                    ),
                ),
                graph(
                    "Store, not ok",
                    PER_SECOND,
                    (
                        "{{collection}} {{outcome}}",
                        rate(names.STORE, 'outcome!="ok"', by=("collection", "outcome"), part="_count"),
                    ),
                ),
                graph("Content", BYTES, ("{{direction}}", rate(names.BLOB_BYTES, by=("direction",)))),
                graph("CPU", SHARE, ("{{instance}}", f"rate(process_cpu_seconds_total{_SCOPE}[{WINDOW}])")),
                graph("Memory", BYTES, ("{{instance}}", f"process_resident_memory_bytes{_SCOPE}")),
                graph(
                    "Spans",
                    COUNT,
                    ("wait", worst(names.SPANS_QUEUED)),
                    ("room", worst(names.SPANS_ROOM)),
                    ("dropped a second", rate(names.SPANS_DROPPED)),
                ),
            ],
        ),
    )
