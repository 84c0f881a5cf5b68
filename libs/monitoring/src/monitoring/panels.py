"""The few kinds of panels that the dashboards are made of."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, VariableOption, VariableRefresh
from grafana_foundation_sdk.models.units import BytesIEC, EventsPerSecond, PercentUnit, Seconds, Short
from telemetry import names

SECONDS: Final = Seconds
PER_SECOND: Final = EventsPerSecond
SHARE: Final = PercentUnit
BYTES: Final = BytesIEC
COUNT: Final = Short

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel: TypeAlias = timeseries.Panel | stat.Panel
Query = tuple[str, str]
"""The legend and the PromQL of a query."""


def graph(title: str, unit: str, *queries: Query, about: str = "", width: int = 12) -> timeseries.Panel:
    """Lines over time, with the traces of single observations where the query is of a histogram."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .span(width)
        .height(8)
        .fill_opacity(8)
        .legend(
            common.VizLegendOptions()
            .display_mode(models.LegendDisplayMode.LIST)
            .placement(models.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    for query in _targets(queries):
        panel = panel.with_target(query)
    return panel


def figure(title: str, unit: str, query: str, *, legend: str = "", about: str = "", width: int = 4) -> stat.Panel:
    """One number, or one for each series."""
    panel = (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .span(width)
        .height(4)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    for target in _targets([(legend or title, query)]):
        panel = panel.with_target(target)
    return panel


def board(
    uid: str,
    title: str,
    about: str,
    *rows: tuple[str, Sequence[Panel]],
    variables: Sequence[dashboard.QueryVariable] = (),
) -> dashboard.Dashboard:
    """A dashboard of titled rows, with a choice of data source, service and process."""
    made = (
        dashboard.Dashboard(f"Rossio / {title}")
        .uid(f"rossio-{uid}")
        .description(about)
        .tags(["rossio", "generated"])
        .readonly()
        .refresh("30s")
        .time("now-1h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(choice("service", "Service", f"label_values({names.BUILD.name}, job)"))
        .with_variable(choice("instance", "Process", f'label_values({names.BUILD.name}{{job=~"$service"}}, instance)'))
    )
    for variable in variables:
        made = made.with_variable(variable)
    for name, panels in rows:
        made = made.with_row(dashboard.Row(name))
        for panel in panels:
            made = made.with_panel(panel)
    return made


def choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """A variable of several values, all of them at first."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def _targets(queries: Sequence[Query]) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery()
        .datasource(SOURCE)
        .expr(query)
        .legend_format(legend)
        .exemplar("_bucket{" in query)
        .ref_id(chr(ord("A") + place))
        for place, (legend, query) in enumerate(queries)
    ]
