"""A metric that is declared is measured: what nobody binds is a panel without data and an alert that is silent."""

import re
from pathlib import Path

from telemetry import names
from telemetry.metrics import INSTRUMENTS

ROOT = Path(__file__).parents[2]
# They speak of metrics and measure nothing.
SPEAKERS = {"monitoring", "reference"}
MEASURING = [
    path
    for path in (*ROOT.glob("libs/*/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py"))
    if path.relative_to(ROOT).parts[1] not in SPEAKERS and path.name != "names.py"
]


def test_every_declared_metric_is_bound_by_somebody() -> None:
    declared = {name for name, value in vars(names).items() if value in INSTRUMENTS}
    assert declared
    used = {word for path in MEASURING for word in re.findall(r"\b[A-Z][A-Z_]+\b", path.read_text())}
    assert declared - used == set()
