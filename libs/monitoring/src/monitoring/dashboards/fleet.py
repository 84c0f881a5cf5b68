"""All services side by side."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard
from telemetry import names

from monitoring.objectives import SERVER_FAULTS
from monitoring.panels import BYTES, COUNT, PER_SECOND, SECONDS, SHARE, board, figure, graph
from monitoring.promql import INSTANCE, SERVICE, WINDOW, quantile, rate, total, worst

_SCOPE: Final = f"{{{SERVICE},{INSTANCE}}}"
_BY: Final = ("job",)
_FAULTS: Final = f'rpc_status_code=~"{SERVER_FAULTS}"'


def dashboard() -> Dashboard:
    calls = rate(names.RPC_SERVER, by=_BY, part="_count")
    return board(
        "fleet",
        "Fleet",
        "All services side by side: who is up, in which version, how busy, how far behind.",
        (
            "Processes",
            [
                figure("Up", COUNT, f"sum by (job) (up{_SCOPE})", legend="{{job}}", width=8),
                figure(
                    "Versions",
                    COUNT,
                    total(names.BUILD, by=("job", "version")),
                    legend="{{job}} {{version}}",
                    width=8,
                ),
                figure(
                    "Ready",
                    COUNT,
                    f"min by (job) ({names.READY.name}{_SCOPE})",
                    legend="{{job}}",
                    width=8,
                ),
                graph("CPU", SHARE, ("{{job}}", f"sum by (job) (rate(process_cpu_seconds_total{_SCOPE}[{WINDOW}]))")),
                graph("Memory", BYTES, ("{{job}}", f"sum by (job) (process_resident_memory_bytes{_SCOPE})")),
                graph("Up for", SECONDS, ("{{job}} {{instance}}", f"time() - process_start_time_seconds{_SCOPE}")),
                graph("Open files", COUNT, ("{{job}}", f"sum by (job) (process_open_fds{_SCOPE})")),
            ],
        ),
        (
            "Work",
            [
                graph("Calls", PER_SECOND, ("{{job}}", calls)),
                graph(
                    "Faults",
                    SHARE,
                    (
                        "{{job}}",
                        f"({rate(names.RPC_SERVER, _FAULTS, by=_BY, part='_count')} or 0 * {calls}) / ({calls} > 0)",
                    ),
                ),
                graph("Calls, 99 % within", SECONDS, ("{{job}}", quantile(0.99, names.RPC_SERVER, by=_BY))),
                graph("Events settled", PER_SECOND, ("{{job}}", rate(names.CONSUMED, by=_BY))),
                graph("Not settled", COUNT, ("{{job}}", total(names.LAG, by=_BY))),
                graph("Oldest in hand", SECONDS, ("{{job}}", worst(names.OLDEST, by=_BY))),
                graph("Store, 99 % within", SECONDS, ("{{job}}", quantile(0.99, names.STORE, by=_BY))),
                graph(
                    "View of the directory",
                    COUNT,
                    ("{{job}} changes", worst(names.DIRECTORY_VERSION, by=_BY)),
                    ("{{job}} people", worst(names.DIRECTORY_PEOPLE, by=_BY)),
                ),
            ],
        ),
    )
