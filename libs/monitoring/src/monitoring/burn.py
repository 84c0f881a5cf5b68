"""Recording rules and multi-window burn-rate alerts of the objectives.

How fast the error budget of thirty days is spent is asked over a long window, so that a blip wakes nobody, and over
a short one, so that it is silent again soon after (The Site Reliability Workbook, chapter 5, table 5-8).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from monitoring.objectives import OBJECTIVES, Objective

Rule = dict[str, Any]

RATIO: Final = "slo:error_ratio:rate"
BUDGET: Final = "slo:error_budget:ratio"
_WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


@dataclass(frozen=True, slots=True)
class Burn:
    """A speed at which the budget is spent, as a multiple of the even one."""

    factor: float
    long: str
    short: str


@dataclass(frozen=True, slots=True)
class Urgency:
    severity: str
    burns: tuple[Burn, Burn]
    hold: str


URGENCIES: Final = (
    Urgency("page", (Burn(14.4, "1h", "5m"), Burn(6, "6h", "30m")), "2m"),
    Urgency("ticket", (Burn(3, "1d", "2h"), Burn(1, "3d", "6h")), "15m"),
)


def recordings() -> Sequence[Rule]:
    """The share of bad events over each window, and of the budget how much was allowed."""
    rules: list[Rule] = []
    for objective in OBJECTIVES:
        labels = {"slo": objective.name}
        rules += [
            {"record": f"{RATIO}{window}", "expr": _ratio(objective, window), "labels": labels} for window in _WINDOWS
        ]
        rules.append({"record": BUDGET, "expr": f"vector({objective.budget})", "labels": labels})
        month = f'avg_over_time({RATIO}5m{{slo="{objective.name}"}}[30d])'
        rules.append({"record": f"{RATIO}30d", "expr": month, "labels": labels})
    return rules


def alerts() -> Sequence[Rule]:
    return [_alert(objective, urgency) for objective in OBJECTIVES for urgency in URGENCIES]


def _ratio(objective: Objective, window: str) -> str:
    measure = objective.measure
    events = measure.all(window)
    return f"({measure.bad(window)} or 0 * {events}) / ({events} > 0)"


def _alert(objective: Objective, urgency: Urgency) -> Rule:
    return {
        "alert": objective.alert,
        "expr": "\nor\n".join(_burns(objective, burn) for burn in urgency.burns),
        "for": urgency.hold,
        "labels": {"severity": urgency.severity, "slo": objective.name},
        "annotations": {
            "summary": f"{{{{ $labels.job }}}} spends the error budget of {objective.name} too fast",
            "description": f"{objective.sentence} Bad events now: {{{{ $value | humanizePercentage }}}}.",
            "runbook": f"docs/runbooks/{objective.alert}.md",
        },
    }


def _burns(objective: Objective, burn: Burn) -> str:
    limit = f"{burn.factor * objective.budget:.6g}"
    over = [f'{RATIO}{window}{{slo="{objective.name}"}} > {limit}' for window in (burn.long, burn.short)]
    return f"({over[0]} and {over[1]})"
