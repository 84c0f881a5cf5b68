"""The charts as they are installed, and helm; one assembly for all tests of this folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from devstack.program import Missing

from tests.cluster import binaries

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "charts"
# A file of values by the name that tests print.
VALUES = {path.stem.removeprefix("values-"): path for path in sorted((SOURCES / "rossio").glob("values-*.yaml"))}

Objects = list[dict[str, Any]]


@pytest.fixture(scope="session")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the charts, made in one of its own so that an installation beside is left alone."""
    folder = tmp_path_factory.mktemp("charts")
    subprocess.run(
        [sys.executable, SOURCES / "assemble.py", "--out", folder], check=True, capture_output=True, cwd=ROOT
    )
    return folder


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    try:
        program = binaries.chart_tools() / "helm"
    except Missing as lack:
        if "CI" in os.environ:
            raise
        pytest.skip(str(lack))

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def rendered(charts: Path, helm: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., Objects]:
    """The objects that the umbrella renders with a file of values and further options."""
    known: dict[tuple[str, ...], Objects] = {}

    def render(name: str, *options: str) -> Objects:
        if (name, *options) not in known:
            done = helm("template", "rossio", charts / "rossio", "-f", VALUES[name], *options)
            assert done.returncode == 0, done.stderr
            known[name, *options] = [found for found in yaml.safe_load_all(done.stdout) if found]
        return known[name, *options]

    return render
