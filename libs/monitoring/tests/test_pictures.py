"""Pictures of the dashboards: whole SVG, with what the queries answered, and a word where they answered nothing."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from monitoring.pictures import Series, draw, shown

BOARDS = sorted((Path(__file__).parents[3] / "charts" / "rossio" / "dashboards").glob("*.json"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_drawn_with_every_panel(board):
    told = json.loads(board.read_text())
    asked = []

    def ask(promql):
        asked.append(promql)
        return [Series({"job": f"<{n}>"}, [(0.0, n), (60.0, n + 1.0)]) for n in range(9)]

    words = "".join(ET.fromstring(draw(told, ask)).itertext())
    assert asked == [target["expr"] for panel in told["panels"] for target in panel.get("targets", ())]
    assert all(panel["title"] in words for panel in told["panels"])
    assert re.search(r"and \d+ more", words)
    assert "no data in this time" not in words
    silent = "".join(ET.fromstring(draw(told, lambda _: [])).itertext())
    assert silent.count("no data in this time") == sum(panel["type"] != "row" for panel in told["panels"])


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [(0.999, "percentunit", "99.9 %"), (0.035, "s", "35 ms"), (12.0, "s", "12 s"), (1536.0, "bytes", "1.5 KiB"),
     (1200.0, "eps", "1.2 k/s"), (7.0, "short", "7"), (float("nan"), "short", "-")],
)  # fmt: skip
def test_a_value_has_its_unit(value, unit, said):
    assert shown(value, unit) == said
