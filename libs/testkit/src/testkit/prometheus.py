"""A Prometheus of Debian's for tests: it scrapes a running suite, keeps rules, and answers PromQL."""

import http.client
import json
import math
import os
import shutil
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from devstack.program import LOOPBACK, Missing, Program, free_port


def missing() -> str | None:
    """What keeps Prometheus from running on this machine; None when nothing does."""
    return None if shutil.which("prometheus") else "Prometheus is missing: apt-get install prometheus"


class Prometheus(Program):
    """Scrapes each target as a job of its own, as the charts' ServiceMonitors have it.

    Args:
        targets: host:port of an admin port, by the name of its service.
        rules: rule files as documents, by name.
        interval: of scrapes and of the rules' evaluation, as Prometheus writes it.
    """

    def __init__(
        self, folder: Path, targets: Mapping[str, str], rules: Mapping[str, Any], *, interval: str = "1s"
    ) -> None:
        super().__init__("prometheus", folder)
        self.targets = targets
        self._rules = rules
        self._interval = interval
        self._address = f"{LOOPBACK}:{free_port()}"

    def command(self) -> Sequence[str | Path]:
        if (lack := missing()) is not None:
            raise Missing(lack)
        for name, document in self._rules.items():
            (self.folder / f"{name}.rules.yaml").write_text(yaml.safe_dump(document))
        jobs = [{"job_name": name, "static_configs": [{"targets": [target]}]} for name, target in self.targets.items()]
        periods = {"scrape_interval": self._interval, "evaluation_interval": self._interval}
        settings = {"global": periods, "rule_files": ["*.rules.yaml"], "scrape_configs": jobs}
        (self.folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
        return [
            "prometheus",
            f"--config.file={self.folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self._address}",
            "--enable-feature=exemplar-storage",
        ]

    def environment(self) -> Mapping[str, str]:
        return {"GOMAXPROCS": os.environ.get("GOMAXPROCS", "1")}

    def ready(self) -> bool:
        connection = http.client.HTTPConnection(self._address, timeout=2)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def query(self, promql: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series that the expression gives now."""
        found = self._ask("query", query=promql)["result"]
        return [(series["metric"], float(series["value"][1])) for series in found]

    def over(self, promql: str, seconds: float) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Labels, and times with values, of each series that the expression had until now; what is no number not."""
        now = time.time()
        found = self._ask("query_range", query=promql, start=str(now - seconds), end=str(now), step="2")["result"]
        return [
            (each["metric"], [(at, float(value)) for at, value in each["values"] if math.isfinite(float(value))])
            for each in found
        ]

    def firing(self) -> set[str]:
        """Names of the alerts that fire now."""
        return {labels["alertname"] for labels, _ in self.query('ALERTS{alertstate="firing"}')}

    def exemplars(self, promql: str) -> list[dict[str, Any]]:
        """The exemplars of the selector's series of the last hour."""
        series = self._ask("query_exemplars", query=promql, start="0", end="32503680000")
        return [exemplar for each in series for exemplar in each["exemplars"]]

    def _ask(self, what: str, **parameters: str) -> Any:
        address = f"http://{self._address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return json.load(answer)["data"]
