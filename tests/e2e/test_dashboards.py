"""Every query of every panel, asked of a real Prometheus that has scraped the suite at work."""

import asyncio
import contextlib
import json
import math
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from cli.demo.document import document
from cli.demo.mail import mail
from cli.demo.prescription import prescription
from cli.demo.stage import Unmet, until
from cli.demo.story import STEPS
from monitoring import pictures
from testkit.prometheus import Prometheus, missing

from tests.e2e.running import Running

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]

CHART = Path(__file__).parents[2] / "charts" / "rossio"
VARIABLES = {
    "$service": ".*",
    "$instance": ".*",
    "$entity": ".*",
    "$__rate_interval": "2m",
    "$__range": "5m",
}
# Panels that stay empty while all is well, by dashboard and title.
EMPTY = {
    ("nothing-lost", "Written"): "no event of the story becomes a dead letter",
    ("security", "Calls without or beyond rights"): "nobody in the story tries what they may not",
    ("security", "Calls for what is not theirs, or not there"): "nor asks for what is another's",
    ("security", "Mails and recipients refused"): "nor sends mail to nobody",
    ("security", "Refused calls by entity"): "nor is refused for another reason",
    ("security", "Withheld from telemetry"): "no code puts into telemetry what may not be there",
    ("service", "Not OK"): "no call of the story fails",
    ("service", "Store, not ok"): "no write of the story meets a conflict",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def prometheus(running: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    if (lack := missing()) is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lack)
    rules = {path.stem: yaml.safe_load(path.read_text()) for path in (CHART / "rules").glob("*.yaml")}
    server = Prometheus(tmp_path_factory.mktemp("prometheus"), running.stage.stack.admin, rules)
    await asyncio.to_thread(server.start)
    for _, step in STEPS:
        await running.play(step)
    working = asyncio.create_task(_work(running))
    yield server
    server.kill()
    working.cancel()
    await asyncio.wait([working])


async def _work(running: Running) -> None:
    """Work without end, several things at a time: a counter has a rate from its second look on."""
    while True:
        await asyncio.gather(*(running.play(step) for step in (mail, document, prescription, document)))


def filled(promql: str) -> str:
    """A query with Grafana's variables filled in."""
    for name, value in VARIABLES.items():
        promql = promql.replace(name, value)
    return promql


def queries() -> Iterator[tuple[str, str, str]]:
    """Dashboard, title and PromQL of every query, with the variables filled in."""
    for path in sorted((CHART / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield path.stem, panel["title"], filled(target["expr"])


async def test_every_query_has_data_or_a_reason_to_have_none(prometheus: Prometheus) -> None:
    asked = list(queries())
    assert len(asked) > 80
    without = [each for each in asked if each[:2] not in EMPTY]

    async def answered() -> bool:
        without[:] = [each for each in without if all(math.isnan(value) for _, value in prometheus.query(each[2]))]
        return not without

    with contextlib.suppress(Unmet):
        await until("every panel has data", answered)
    assert not without, "\n".join(f"{board} / {title}: {promql}" for board, title, promql in without)
    known = {each[:2] for each in asked}
    assert EMPTY.keys() <= known, f"no such panels: {EMPTY.keys() - known}"


async def test_every_dashboard_is_drawn_from_what_the_suite_did(prometheus: Prometheus, tmp_path: Path) -> None:
    """`make pictures` keeps them, of two minutes."""
    kept = os.environ.get("PICTURES")
    target, looks = Path(kept or tmp_path), 60 if kept else 3

    def ask(promql: str) -> list[pictures.Series]:
        return [pictures.Series(*each) for each in prometheus.over(filled(promql), seconds=120)]

    async def lasted() -> bool:
        return any(len(up.points) >= looks for up in ask("sum(up)"))

    await until("there is a line to draw", lasted, seconds=180)

    for path in (CHART / "dashboards").glob("*.json"):
        drawn = pictures.draw(json.loads(path.read_text()), ask)
        assert re.search(r'<polyline [^>]*points="[^ "]+ [^"]+"', drawn)
        (target / f"{path.stem}.svg").write_text(drawn)


async def test_an_observation_leads_to_its_trace(prometheus: Prometheus, running: Running) -> None:
    async def exemplar() -> str | None:
        found = prometheus.exemplars("rossio_operation_duration_seconds_bucket")
        return found[0]["labels"]["trace_id"] if found else None

    trace_id = await until("a histogram has an exemplar", exemplar)
    assert trace_id in running.spans.read_text()


async def test_nobody_is_woken_while_all_is_well(prometheus: Prometheus) -> None:
    assert prometheus.query("count(up == 1)")[0][1] == len(prometheus.targets)
    assert not prometheus.query('ALERTS{severity="page",alertstate="firing"}')
