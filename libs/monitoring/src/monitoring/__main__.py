"""`python -m monitoring`: writes what the charts install; with `--check` says whether it is current."""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring import alerts, burn
from monitoring.dashboards import dashboards

TARGET = Path("charts/rossio")
_NOTE = "# Made by `make dashboards` from libs/monitoring; change it there.\n"


def files() -> dict[Path, str]:
    """Every generated file by its path in the tree."""
    made = {
        TARGET / "dashboards" / f"{name}.json": JSONEncoder(sort_keys=True, indent=2).encode(each.build()) + "\n"
        for name, each in dashboards().items()
    }
    return made | {TARGET / "rules" / f"{name}.yaml": _NOTE + text(groups) for name, groups in rules().items()}


def rules() -> dict[str, dict[str, Any]]:
    """Prometheus rule files by name; a PrometheusRule's `spec` has the same form."""
    return {
        "objectives": {
            "groups": [
                {"name": "rossio-objectives", "rules": list(burn.recordings())},
                {"name": "rossio-burn-rates", "rules": list(burn.alerts())},
            ]
        },
        "alerts": {"groups": [{"name": "rossio-alerts", "rules": list(alerts.rules())}]},
    }


def text(document: dict[str, Any]) -> str:
    written: str = yaml.safe_dump(document, sort_keys=False, width=120)
    return written


def main() -> None:
    told = argparse.ArgumentParser()
    told.add_argument("--check", action="store_true")
    check = told.parse_args().check
    stale = [path for path, content in files().items() if not path.exists() or path.read_text() != content]
    if check and stale:
        sys.exit(f"not current, run `make dashboards`: {', '.join(map(str, stale))}")
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files()[path])


if __name__ == "__main__":
    main()
