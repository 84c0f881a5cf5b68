"""`make bench`: every mechanism measured beside its peer in one run; a table, and `.bench/mechanisms.json`.

Ratios hold on a shared machine where rates do not. A row is {metric, ours, peer, ratio, unit, aim, note};
a bench is a file with a function `measure() -> list[Row]` in the `bench` folder of the library that it
measures, or here when it measures a service, which is done only when it is named. Arguments name the benches to
run; none: those of the libraries. `--into NAME` writes `.bench/NAME.json` instead.
"""

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from typing import TypedDict

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
TARGET = ROOT / ".bench"


class Row(TypedDict):
    """One figure beside its peer's; `ratio` is ours / peer unless the note says otherwise."""

    metric: str
    ours: float
    peer: float | None
    ratio: float | None
    unit: str
    aim: str
    note: str


def run(path: Path) -> list[Row]:
    spec = importlib.util.spec_from_file_location(f"bench_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    rows: list[Row] = module.measure()
    return rows


def show(rows: list[Row], console: Console) -> None:
    table = Table("metric", "ours", "peer", "ratio", "unit", "aim", "note", box=None, header_style="bold")
    for row in rows:
        figures = (f"{value:,.3g}" if value is not None else "-" for value in (row["ours"], row["peer"], row["ratio"]))
        table.add_row(row["metric"], *figures, row["unit"], row["aim"], row["note"])
    console.print(table)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("benches", nargs="*")
    arguments.add_argument("--into", default="mechanisms")
    told = arguments.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    of_libraries = sorted(ROOT.glob("libs/*/bench/*.py"))
    of_services = [path for path in sorted(ROOT.glob("tests/bench/[a-z]*.py")) if path.stem in told.benches]
    found = [*of_libraries, *of_services]
    wanted = [path for path in found if not told.benches or path.stem in told.benches]
    rows: list[Row] = []
    for number, path in enumerate(wanted, 1):
        console.print(f"[{number}/{len(wanted)}] {path.relative_to(ROOT)}", markup=False, highlight=False)
        rows += run(path)
    show(rows, console)
    TARGET.mkdir(exist_ok=True)
    (TARGET / f"{told.into}.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
