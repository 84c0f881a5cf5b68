"""Each entity's use of the suite, and whether one of them is served worse than the others."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard
from telemetry import names

from monitoring.panels import BYTES, COUNT, PER_SECOND, SHARE, board, choice, figure, graph
from monitoring.promql import increase, rate

_CHOSEN: Final = 'entity=~"$entity"'
_FAULT: Final = 'outcome="fault"'
_STORED: Final = 'outcome="stored"'
_REFUSED: Final = 'outcome="refused"'


def dashboard() -> Dashboard:
    by = ("entity",)
    calls = rate(names.RPC_BY_ENTITY, _CHOSEN, by=by)
    return board(
        "entities",
        "Entities",
        'Calls, mails and bytes stored by entity; "none" are citizens, services and mail from outside.',
        (
            "In this time",
            [
                figure("Entities at work", COUNT, f"count(sum by (entity) ({_calls_of_all()}) > 0)", width=4),
                figure("Calls", COUNT, increase(names.RPC_BY_ENTITY, _CHOSEN), width=5),
                figure("Mails sent", COUNT, increase(names.MAIL_BY_ENTITY, _CHOSEN), width=5),
                figure("Bytes stored", BYTES, increase(names.DOCUMENT_BYTES, _CHOSEN, _STORED), width=5),
                figure(
                    "Faults",
                    SHARE,
                    f"({rate(names.RPC_BY_ENTITY, _CHOSEN, _FAULT)} or vector(0))"
                    f" / {rate(names.RPC_BY_ENTITY, _CHOSEN)}",
                    width=5,
                ),
            ],
        ),
        (
            "By entity",
            [
                graph("Calls", PER_SECOND, ("{{entity}}", calls)),
                graph("Mails sent", PER_SECOND, ("{{entity}}", rate(names.MAIL_BY_ENTITY, _CHOSEN, by=by))),
                graph("Bytes stored", BYTES, ("{{entity}}", rate(names.DOCUMENT_BYTES, _CHOSEN, _STORED, by=by))),
                graph(
                    "Share of calls that fail by our fault",
                    SHARE,
                    (
                        "{{entity}}",
                        f"({rate(names.RPC_BY_ENTITY, _CHOSEN, _FAULT, by=by)} or 0 * {calls}) / ({calls} > 0)",
                    ),
                ),
                graph(
                    "Share of calls that are refused",
                    SHARE,
                    (
                        "{{entity}}",
                        f"({rate(names.RPC_BY_ENTITY, _CHOSEN, _REFUSED, by=by)} or 0 * {calls}) / ({calls} > 0)",
                    ),
                ),
                graph(
                    "The ten with most calls",
                    COUNT,
                    ("{{entity}}", f"topk(10, {increase(names.RPC_BY_ENTITY, by=by)})"),
                ),
                graph(
                    "The ten with most mail",
                    COUNT,
                    ("{{entity}}", f"topk(10, {increase(names.MAIL_BY_ENTITY, by=by)})"),
                ),
                graph(
                    "The ten that stored most",
                    BYTES,
                    ("{{entity}}", f"topk(10, {increase(names.DOCUMENT_BYTES, _STORED, by=by)})"),
                ),
            ],
        ),
        variables=[choice("entity", "Entity", f"label_values({names.RPC_BY_ENTITY.name}, entity)")],
    )


def _calls_of_all() -> str:
    return increase(names.RPC_BY_ENTITY, by=("entity",))
