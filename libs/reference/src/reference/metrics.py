"""The metrics of every process, as Markdown."""

from telemetry import names
from telemetry.metrics import INSTRUMENTS, Count, Level

_KINDS = {Count: "counter", Level: "gauge"}


def page() -> str:
    lines = [
        "# Metrics",
        "",
        "What `/metrics` of the admin port shows, declared in `telemetry/names.py`. Histograms carry exemplars in",
        "OpenMetrics. A label's values are a closed set; what does not fit is `other`.",
        "",
        "| metric | kind | labels | what it says |",
        "|---|---|---|---|",
    ]
    for instrument in (each for each in INSTRUMENTS if each.name in names.METRICS):
        kind = _KINDS.get(instrument.kind, "histogram")
        labels = ", ".join(f"`{label}`" for label in instrument.labels)
        lines.append(f"| `{instrument.name}` | {kind} | {labels} | {instrument.about} |")
    return "\n".join(lines) + "\n"
