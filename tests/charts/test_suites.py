"""The charts' own suites (charts/*/tests), by helm-unittest: what a template decides from values."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from devstack.program import Missing

from tests.charts.conftest import SOURCES
from tests.cluster import binaries

# The library renders nothing by itself: its suites go through the service that has a bit of everything.
SUITES = {"service": "notification", "mail-routing": "mail-routing", "rossio": "rossio"}


@pytest.fixture(scope="session")
def unittest() -> Path:
    try:
        return binaries.helm_unittest()
    except Missing as lack:
        if "CI" in os.environ:
            raise
        pytest.skip(str(lack))


def test_every_suite_is_run():
    assert {path.parent.parent.name for path in SOURCES.glob("*/tests/*_test.yaml")} == SUITES.keys()


def test_what_is_installed_has_no_suites(charts):
    assert not list(charts.rglob("tests"))


@pytest.mark.parametrize("suite", SUITES)
def test_the_suites_of_a_chart_hold(unittest, charts, tmp_path, suite):
    chart = shutil.copytree(charts / SUITES[suite], tmp_path / "chart")
    shutil.copytree(SOURCES / suite / "tests", chart / "tests")
    done = subprocess.run([unittest, "--strict", "-s=false", chart], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Tests: +[1-9]\d* passed", done.stdout), done.stdout
