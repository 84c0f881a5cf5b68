"""A linter for the dashboards, and that the files which the charts install are made from this code."""

import json
import re
from pathlib import Path

import pytest
from monitoring.__main__ import files
from telemetry import names
from telemetry.metrics import INSTRUMENTS, Spread

ROOT = Path(__file__).parents[3]
BOARDS = {path.stem: json.loads(text) for path, text in files().items() if path.suffix == ".json"}
UNITS = {"s", "reqps", "eps", "percentunit", "bytes", "short"}
# What prometheus-client and Prometheus itself add.
GIVEN = {
    "up",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_open_fds",
}
HISTOGRAMS = {each.name for each in INSTRUMENTS if each.kind is Spread}


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board):
    return [(panel["title"], target["expr"]) for panel in panels(board) for target in panel["targets"]]


def metrics(expression):
    """Names of series in a PromQL expression: what stands before a brace or a range, or stands alone."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    return set(re.findall(r"\b((?:rossio|rpc|process|slo)[a-z0-9_:]*|up)\b(?=[{\[])", bare))


def test_the_files_of_the_charts_are_current():
    stale = [str(path) for path, text in files().items() if (ROOT / path).read_text() != text]
    assert not stale, "run `make dashboards`"


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_can_be_pointed_at_any_source_service_and_process(name):
    board = BOARDS[name]
    assert board["uid"] == f"rossio-{name}"
    assert board["description"].endswith(".")
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert {"service", "instance"} <= variables.keys()
    assert all(each["datasource"]["uid"] == "${datasource}" for each in variables.values() if each["type"] == "query")
    sources = [part["datasource"] for panel in panels(board) for part in (panel, *panel["targets"])]
    assert {source["uid"] for source in sources} == {"${datasource}"}


@pytest.mark.parametrize("name", BOARDS)
def test_a_panel_has_a_title_of_its_own_a_unit_and_a_place(name):
    titles = [(panel["title"], panel["gridPos"]["y"]) for panel in panels(BOARDS[name])]
    assert len(set(titles)) == len(titles)
    for panel in panels(BOARDS[name]):
        assert panel["title"][0].isupper()
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@pytest.mark.parametrize("name", BOARDS)
def test_a_query_asks_for_known_metrics_over_the_right_time(name):
    known = {each.name for each in INSTRUMENTS}
    known |= {f"{histogram}{part}" for histogram in HISTOGRAMS for part in ("_count", "_bucket", "_sum")}
    assert known > set(names.METRICS)
    for title, query in queries(BOARDS[name]):
        found = metrics(query)
        assert found, f"{title}: {query}"
        unknown = {each for each in found if each not in known | GIVEN and not each.startswith("slo:")}
        assert not unknown, f"{title}: {unknown}"
        windows = set(re.findall(r"\[([^\]]+)\]", query.replace("[.]", "")))
        assert windows <= {"$__rate_interval", "$__range"}, f"{title}: {windows}"
        for selector in re.findall(r"\b(?:rossio|rpc|process|up)[a-z_]*\{([^}]*)\}", query):
            assert {'job=~"$service"', 'instance=~"$instance"'} <= set(selector.split(",")), f"{title}: {selector}"
        outside = re.sub(r"\bby \([^)]*\)", "", re.sub(r"\{[^}]*\}", "{}", query))
        assert not re.search(r"\b(?:rossio|rpc)_[a-z_]+(?![a-z_{])", outside), f"{title}: a metric without a selector"


def test_the_words_of_labels_in_queries_are_labels_of_their_metrics():
    labels = {each.name: {*each.labels, "job", "instance", "le"} for each in INSTRUMENTS}
    for board in BOARDS.values():
        for title, query in queries(board):
            for metric, selector in re.findall(r"\b((?:rossio|rpc)_[a-z_]+)\{([^}]*)\}", query):
                asked = {re.split(r"[=!]", part)[0] for part in selector.split(",")}
                assert asked <= labels[re.sub(r"_(count|bucket|sum)$", "", metric)], f"{title}: {metric}"
