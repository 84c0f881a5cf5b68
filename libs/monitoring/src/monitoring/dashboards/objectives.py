"""The service level objectives: what is left of each error budget, and how fast it is spent."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.burn import BUDGET, RATIO
from monitoring.objectives import OBJECTIVES, Objective
from monitoring.panels import COUNT, SHARE, Panel, board, figure, graph


def dashboard() -> Dashboard:
    return board(
        "objectives",
        "Objectives",
        "What the suite promises over thirty days. Alerts fire at the burn rates of The Site Reliability Workbook.",
        *((objective.name, _panels(objective)) for objective in OBJECTIVES),
    )


def _panels(objective: Objective) -> list[Panel]:
    chosen = f'{{slo="{objective.name}",job=~"$service"}}'
    budget = f'scalar({BUDGET}{{slo="{objective.name}"}})'
    short = objective.name.replace("-", " ")
    return [
        figure(
            f"Budget left, {short}",
            SHARE,
            f"1 - max by (job) ({RATIO}30d{chosen}) / {budget}",
            legend="{{job}}",
            about=objective.sentence,
            width=6,
        ),
        graph(
            f"Burn rate, {short}",
            COUNT,
            *(
                (f"{{{{job}}}} {{{{stream}}}} {window}", f"{RATIO}{window}{chosen} / {budget}")
                for window in ("5m", "1h", "6h")
            ),
            about="1 spends the budget in thirty days; 14.4 for an hour calls somebody.",
            width=18,
        ),
    ]
